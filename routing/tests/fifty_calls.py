"""A ledger of fifty calls of October 2026, and what two policies make of each, worked out by hand.

Every call has a million tokens of input and half a million of output, unless its line says otherwise. So one costs

    cheap    $1 and $2 a million:   $1 + $1  = $2
    middle   $4 and $8 a million:   $4 + $4  = $8     until 14 October
             $2 and $4 a million:   $2 + $2  = $4     from 15 October on; as a batch $1 + $1 = $2
    best     $10 and $20 a million: $10 + $10 = $20
    odd      $3 and $6 a million:   $3 + $3  = $6     in no tier
    embed    $1 a million of input: $1                in no tier
    mystery  no price                                 in no tier

Tier 1 has the cheap model, tier 2 the middle one, tier 3 the best one, which needs approval. The policy in force has no
rules and lets models of no tier through. The draft refuses those, and has four rules, the first that fits:

    publish   the stage is publish              tier 3
    legal     the risk is legal                 a person looks at it
    night     from 22:00 to 06:00 in Berlin     tier 1
    ad-drafts workflow ads, stage draft         tier 1, an answer of at most 400,000 tokens

Workflows: briefs (tier 1, at most 4 steps a run; old-briefs is merged into it), ads (tier 2), legal (tier 2, risk
legal), and stray, which nobody configured (so tier 1).
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.models import ApprovalRequest, Grant, Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from routing.models import PolicyVersion
from routing.policy.document import Policy, PolicyModel, PolicyTier, read, written
from usage.models import LedgerEntry, ModelTier, PriceEntry
from usage.tests.events import NOW, a_sender, an_event, price_the_model, take

DOLLAR = 10**9
STARTS, ENDS = datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)  # midnights in Berlin
ACTOR = Actor.command("test")

# (how many, when, workflow, model, more of the event)
# then what happened: cost of one; by the policy in force: action, cost of one; by the draft: action, cost of one.
# None: not known. "–" is a call that is not made.
CALLS: list[tuple[int, str, str, str, dict[str, Any], tuple[Any, ...]]] = [
    # A: a run of six steps, of which the limit lets four through.
    (4, "2026-10-05T10:00Z", "briefs", "cheap", {"run_id": "b1", "step": 1}, (2, "allow", 2, "allow", 2)),
    (2, "2026-10-05T10:10Z", "briefs", "cheap", {"run_id": "b1", "step": 5}, (2, "block", 0, "block", 0)),
    # B: more than the usual tier asked for; the dearer price until the 14th.
    (5, "2026-10-06T10:00Z", "briefs", "middle", {}, (8, "downgrade", 2, "downgrade", 2)),
    (3, "2026-10-20T10:00Z", "briefs", "middle", {}, (4, "downgrade", 2, "downgrade", 2)),
    # C: the best model, with an allowance that ran until the 10th.
    (2, "2026-10-07T10:00Z", "briefs", "best", {"run_id": "pub-1", "step": 1, "stage": "publish"},
     (20, "allow", 20, "allow", 20)),
    (2, "2026-10-12T10:00Z", "briefs", "best", {"run_id": "pub-1", "step": 3, "stage": "publish"},
     (20, "require_approval", 0, "require_approval", 0)),
    # D: the draft's rule for drafts of ads; their answers are longer than it allows.
    (6, "2026-10-20T11:00Z", "ads", "middle", {"stage": "draft"}, (4, "allow", 4, "downgrade", 2)),
    # E: by night and by day. Until 25 October Berlin is two hours before UTC, then one.
    (2, "2026-10-24T20:30Z", "ads", "middle", {"stage": "refine"}, (4, "allow", 4, "downgrade", 2)),  # 22:30
    (1, "2026-10-24T03:30Z", "ads", "middle", {"stage": "refine"}, (4, "allow", 4, "downgrade", 2)),  # 05:30
    (2, "2026-10-26T20:30Z", "ads", "middle", {"stage": "refine"}, (4, "allow", 4, "allow", 4)),  # 21:30
    (1, "2026-10-26T21:30Z", "ads", "middle", {"stage": "refine"}, (4, "allow", 4, "downgrade", 2)),  # 22:30
    (1, "2026-10-26T04:30Z", "ads", "middle", {"stage": "refine"}, (4, "allow", 4, "downgrade", 2)),  # 05:30
    # F: a risk that the draft has somebody look at.
    (4, "2026-10-21T10:00Z", "legal", "middle", {}, (4, "allow", 4, "human_review", 4)),
    (1, "2026-10-21T10:00Z", "legal", "best", {}, (20, "require_approval", 0, "require_approval", 0)),
    # G, H: models of no tier; the draft refuses those that make text.
    (4, "2026-10-21T11:00Z", "ads", "odd", {"stage": "refine"}, (6, "allow", 6, "block", 0)),
    (2, "2026-10-21T12:00Z", "ads", "embed", {"operation": "embedding", "output_tokens": 0},
     (1, "allow", 1, "allow", 1)),
    # I: one without counts, and one that a gateway refused.
    (1, "2026-10-21T12:10Z", "ads", "middle", {"input_tokens": None, "output_tokens": None},
     (None, "allow", None, "allow", None)),
    (1, "2026-10-21T12:20Z", "ads", "middle", {"input_tokens": None, "output_tokens": None, "status": "blocked"},
     (0, "allow", None, "allow", None)),
    # J: no price; K: another name of briefs.
    (2, "2026-10-21T12:30Z", "stray", "mystery", {}, (None, "allow", None, "block", 0)),
    (1, "2026-10-21T12:40Z", "old-briefs", "cheap", {}, (2, "allow", 2, "allow", 2)),
    # L: a batch, for which the cheap model has no price.
    (1, "2026-10-21T12:50Z", "ads", "middle", {"stage": "draft", "service_tier": "batch"},
     (2, "allow", 2, "downgrade", None)),
    # M: the middle model was asked for and the best one answered.
    (1, "2026-10-21T13:00Z", "ads", "best", {"stage": "refine", "requested_model": "middle"},
     (20, "allow", 4, "allow", 4)),
    # N: one whose price was corrected by a dollar since.
    (1, "2026-10-21T13:10Z", "briefs", "cheap", {}, (3, "allow", 3, "allow", 3)),
]  # fmt: skip

#         made       blocked approval lowered moved review cut unchanged unpriced unmeasured  cost spared
# A  6    4          2                                          4                              8     4
# B  8    8                           8       8                                                16
# C  4    2                  2                                  2                              40    40
# D  6    6                                                     6                              24
# E  7    7                                                     7                              28
# F  5    4                  1                                  4                              16    20
# G  4    4                                                     4                              24
# H  2    2                                                     2                              2
# I  2    2                                                     2                   2
# J  2    2                                                     2         2
# K  1    1                                                     1                              2
# L  1    1                                                     1                              2
# M  1    1                                   1                                                4
# N  1    1                                                     1                              3
LIVE = {
    "calls": 50, "made": 45, "blocked": 2, "approval": 3, "shorten": 0, "lowered": 8, "moved": 9, "review": 0, "cut": 0,
    "unchanged": 36, "unpriced": 2, "unmeasured": 2, "cost": 169, "spared": 64,
}  # fmt: skip
# A  6    4          2                                          4                              8     4
# B  8    8                           8       8                                                16
# C  4    2                  2                                  2                              40    40
# D  6    6                           6       6            6                                   12
# E  7    7                           5       5                 2                              18
# F  5    4                  1                      4                                          16    20
# G  4               4                                                                               24
# H  2    2                                                     2                              2
# I  2    2                                                     2                   2
# J  2               2                                                                               (not known)
# K  1    1                                                     1                              2
# L  1    1                           1       1            1              1
# M  1    1                                   1                                                4
# N  1    1                                                     1                              3
DRAFT = {
    "calls": 50, "made": 39, "blocked": 8, "approval": 3, "shorten": 0, "lowered": 20, "moved": 21, "review": 4,
    "cut": 7, "unchanged": 14, "unpriced": 1, "unmeasured": 2, "cost": 121, "spared": 88,
}  # fmt: skip
# 12 + 52 + 80 + 24 + 28 + 36 + 24 + 2 + 2 + 2 + 20 + 3
HAPPENED = {"calls": 50, "made": 49, "blocked": 1, "unpriced": 2, "unmeasured": 1, "cost": 285}
# The cost of all but I, J (not known in force) and L (not known by the draft) is known by both: 169 - 2 and 121.
COMPARED, LIVE_COMPARED, DRAFT_COMPARED = 45, 167, 121
CHANGED = 22  # D 6, E 5, F 4, G 4, J 2, L 1
# tier → (calls, cost) as it happened, in force, by the draft; 0: in none
TIERS = {
    "1": ((8, 17), (14, 29), (26, 51)),
    "2": ((28, 122), (21, 74), (9, 28)),
    "3": ((6, 120), (2, 40), (2, 40)),
    "0": ((8, 26), (8, 26), (2, 2)),
    "not-made": ((0, 0), (5, 0), (11, 0)),
}
# workflow → calls, cost as it happened, in force, by the draft; of the draft: blocked, approval, lowered, review;
# changed
WORKFLOWS = {
    "briefs": (20, 149, 69, 69, 2, 2, 8, 0, 0),
    "ads": (23, 100, 84, 36, 4, 0, 12, 0, 16),
    "legal": (5, 36, 16, 16, 0, 1, 0, 4, 4),
    "stray": (2, 0, 0, 0, 2, 0, 0, 0, 2),
}
# reason → in how many calls, in force and by the draft
REASONS = {
    "run_steps": (2, 2),  # A
    "tier_lowered": (8, 20),  # B; and D, E, L
    "grant_used": (2, 2),  # C
    "approval_needed": (3, 3),  # C, F
    "rule": (0, 21),  # C 4, F 5, E 5, D 6, L 1
    "review_rule": (0, 5),  # F
    "model_unlisted": (6, 0),  # G, J
    "model_refused": (0, 6),
}
RULES = {"publish": (0, 4), "legal": (0, 5), "night": (0, 5), "ad-drafts": (0, 7)}

TIER_LIST = [
    PolicyTier(1, "Economy", [PolicyModel("acme", "cheap")]),
    PolicyTier(2, "Standard", [PolicyModel("acme", "middle")]),
    PolicyTier(3, "Premium", [PolicyModel("acme", "best")], needs_approval=True),
]
IN_FORCE = Policy(tiers=TIER_LIST)
TRIED = read(
    {
        **written(IN_FORCE),
        "unlisted_models": "block",
        "rules": [
            {"id": "publish", "name": "Final copy", "when": {"stage": ["publish"]}, "then": {"tier": 3}},
            {"id": "legal", "name": "Legal", "when": {"risk_category": ["legal"]}, "then": {"review": True}},
            {"id": "night", "name": "Night", "when": {"time_of_day": {"from": "22:00", "to": "06:00"}},
             "then": {"tier": 1}},
            {"id": "ad-drafts", "name": "Drafts of ads", "when": {"workflow": ["ads"], "stage": ["draft"]},
             "then": {"tier": 1, "max_output_tokens": 400_000}},
        ],
    }
)  # fmt: skip


def company() -> PolicyVersion:
    """Organisation, prices, workflows, the allowance, both policies, the ledger; the draft."""
    Organisation.objects.update_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    with changing_configuration():
        add_prices()
        add_workflows()
    add_calls()
    PolicyVersion.objects.filter(live=True).update(live=False)
    PolicyVersion.objects.create(
        state="published", number=77, live=True, title="In force", document=written(IN_FORCE),
        published_at=timezone.now(),
    )  # fmt: skip
    return PolicyVersion.objects.create(title="Cheaper drafts", document=written(TRIED))


def add_prices() -> None:
    """As the head of this file says."""
    change = datetime(2026, 10, 15, tzinfo=UTC)
    price_the_model("1", "2", "cheap")
    price_the_model("10", "20", "best")
    price_the_model("3", "6", "odd")
    price_the_model("1", "0", "embed")
    early = price_the_model("4", "8", "middle")
    early.valid_to = change
    early.save()
    PriceEntry.objects.create(
        provider="acme", model="middle", valid_from=change, input=Decimal(2), output=Decimal(4)
    )  # fmt: skip
    PriceEntry.objects.create(
        provider="acme", model="middle", service_tier="batch", valid_from=early.valid_from, input=Decimal(1),
        output=Decimal(2),
    )  # fmt: skip
    for tier, model in ((1, "cheap"), (2, "middle"), (3, "best")):
        ModelTier.objects.create(provider="acme", model=model, tier=tier, valid_from=early.valid_from)


def add_workflows() -> None:
    """The three that are configured, another name of one, and the allowance."""
    team = Team.objects.create(slug="content", name="Content")
    briefs = Workflow.objects.create(
        slug="briefs", name="Briefs", status="production", team=team, default_tier=1, guardrails={"max_run_steps": 4}
    )
    Workflow.objects.create(slug="old-briefs", name="Old briefs", status="merged", merged_into=briefs)
    Workflow.objects.create(slug="ads", name="Ads", status="production", team=team, default_tier=2)
    Workflow.objects.create(slug="legal", name="Legal", status="production", default_tier=2, risk_categories=["legal"])
    request = ApprovalRequest.objects.create(
        kind="premium", workflow=briefs, tier=3, reason="Launch", created_at=STARTS, lapses_at=ENDS
    )
    Grant.objects.create(
        key="grant-1", request=request, workflow=briefs, scope={"workflow": "briefs", "run": "pub-1"}, tier=3,
        starts_at=STARTS, expires_at=ENDS, ended_at=datetime(2026, 10, 10, tzinfo=UTC), end="ceiling",
    )  # fmt: skip


def add_calls() -> None:
    """All lines of CALLS; what an import took back and what was corrected; calls of other months."""
    events, n = [], 0
    for many, when, workflow, model, more, _ in CALLS:
        for offset in range(many):
            n += 1
            values = {"input_tokens": 1_000_000, "output_tokens": 500_000, **more}
            if "step" in values:
                values["step"] += offset
            time = datetime.fromisoformat(when) + timedelta(seconds=n)
            stated = {name: value for name, value in values.items() if value is not None}
            event = an_event(f"call-{n}", workflow=workflow, model=model, time=time.isoformat(), **stated)
            events.append({name: value for name, value in event.items() if values.get(name, "") is not None})
    for n, when in enumerate((STARTS - timedelta(seconds=1), ENDS)):
        events.append(an_event(f"outside-{n}", workflow="ads", model="best", time=when.isoformat()))
    events.append(an_event("withdrawn", workflow="ads", model="best", time="2026-10-21T14:00:00Z"))
    answer = take(events, a_sender(), NOW)
    assert answer.accepted == 53, answer
    append_difference("call-50", kind=1, cost=DOLLAR)
    append_difference("withdrawn", kind=2, cost=0)


def append_difference(event_id: str, kind: int, cost: int) -> None:
    """A correction of so much, or a withdrawal."""
    call = LedgerEntry.objects.get(event_id=event_id, kind=0)
    cost = cost if kind == 1 else -(call.cost or 0)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_ledger (posted_at, time, batch_id, corrects, cost, cost_input, cost_cached,"
            " cost_cache_write, cost_output, cost_units, generation, source_id, workflow_id, kind, measured, event_id,"
            " environment, provider, model) VALUES (%s, %s, %s, %s, %s, %s, 0, 0, 0, 0, %s, %s, %s, %s, true, %s,"
            " 'production', 'acme', %s)",
            [
                call.posted_at, call.time, call.batch_id, call.id, cost, cost, call.generation, call.source_id,
                call.workflow_id, kind, event_id, call.model,
            ],
        )  # fmt: skip
