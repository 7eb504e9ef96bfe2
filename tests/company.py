"""A company with one of everything that pages show, for tests that go through all of them."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import msgspec
from django.contrib.auth.models import User

from budgets.access.keys import make_key
from budgets.alerts import handle
from budgets.alerts.findings import Finding, Over
from budgets.alerts.rules import RuleValues, create_rule, mute
from budgets.alerts.tell import resolve, tell
from budgets.approvals.decide import approve
from budgets.approvals.facts import Asked, Facts
from budgets.approvals.open import open_request
from budgets.audit.record import Actor, record
from budgets.delivery.channels import ChannelValues, create_channel
from budgets.delivery.channels import test as test_channel
from budgets.leases.take import Wish, take
from budgets.models import (
    NANO,
    ApprovalRule,
    Budget,
    CurrencyRate,
    Organisation,
    PlanLine,
    PlannedActivity,
    Source,
    Team,
    Workflow,
)
from budgets.people.invite import invite
from budgets.people.membership import give_role
from reports.tests.rows import budget_with, fill_company
from routing.alerts.triggers import TRIGGERS
from routing.bundle.compile import compile_if_changed
from routing.fleet.report import Report, take_report
from routing.policy.document import Conditions, Outcome, PolicyTier, Rule
from routing.policy.edit import begin_draft, discard_draft, live_version, policy_of, save_draft
from routing.policy.publish import publish
from routing.policy.ready_made import ensure_first_policy
from routing.replay.take import ask, replay_waiting
from routing.snippets.edit import archive_snippet, make_snippet, save_snippet, values_of
from routing.snippets.values import SnippetValues
from tests.clean import forget_caches
from tests.company_findings import add_findings
from tests.reported import (
    add_forecasts,
    add_reports,
    add_savings,
    add_views,
    pages_of_forecasts,
    pages_of_meaning,
    pages_of_savings,
    pages_of_spend,
    pages_of_what_is_sent,
)
from usage.ledger.partitions import forget
from usage.models import OtherCost, OutcomeMessage, PriceEntry, PriceRefresh, QuarantinedItem, RepriceRun, Run
from usage.outcomes.apply import apply_outcomes
from usage.outcomes.decode import decode_many
from usage.outcomes.take import Taking
from usage.rollups.fold import fold_all
from usage.tests import events as sent
from usage.tests.imports_made import checked


def one_of_everything(now: datetime) -> SimpleNamespace:
    """The company of `fill_company` with a pool, a plan, costs, rates, keys, imports and so on; ids for addresses."""
    forget_caches()  # of another file's company, where this one is made outside a test
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    organisation = fill_company(now)
    lena = User.objects.create_superuser(
        "lena", password="a-long-horse-for-tests", first_name="Lena", last_name="Kraus"
    )
    actor = Actor(lena, "lena", "web")
    team = Team.objects.order_by("pk").first()
    made = SimpleNamespace(organisation=organisation, user=lena, actor=actor, team=team)
    add_people(made)
    add_budgets(made, now)
    add_money(made, now)
    add_prices(made, now)
    add_arrivals(made, now)
    add_requests(made, now)
    add_channel(made)
    add_alerts(made, now)
    add_gateways(made, now)
    add_policy(made)
    add_replays(made, now)
    add_outcomes(made, now)
    add_snippets(made)
    add_views(made)
    add_findings(made, now)
    add_reports(made)
    add_forecasts(made, now)
    add_savings(made, now)
    return made


def add_people(made: SimpleNamespace) -> None:
    """A colleague with roles, and an invitation that waits."""
    made.colleague = User.objects.create_user("priya", "priya@example.com", first_name="Priya", last_name="Shah")
    give_role(made.actor, made.colleague, "approver", made.team)
    give_role(made.actor, made.colleague, "viewer", None)
    made.invitation, made.invitation_token = invite(made.actor, "sam@example.com", "viewer")


def add_budgets(made: SimpleNamespace, now: datetime) -> None:
    """A pool with a child, an archived budget, a plan, activities, a change in the history."""
    today = made.organisation.local(now).date()
    made.pool = budget_with(
        "Marketing pool", 9000 * NANO, {today: 120 * NANO}, now, sharing="demand", scope={"environment": "staging"}
    )
    made.child = budget_with(
        "Pool child", 900 * NANO, {today: 20 * NANO}, now, pool=made.pool, scope={"environment": "staging"}
    )
    budget_with(
        "Hard limit", 500 * NANO, {today: 20 * NANO}, now, on_exhausted="block", action_settings={"hard": True},
        scope={"environment": "staging"},
    )  # fmt: skip
    for gateway, amount in (("gateway-7", 5), ("gateway-8", 12)):
        take(Wish("money", "hard-limit", amount=amount * NANO, client=gateway), now=now)
    made.archived = Budget.objects.create(slug="old", name="Old one", amount=NANO, status="archived")
    month = today.replace(day=1)
    for n in range(-2, 4):
        at = (month + timedelta(days=31 * n + 15)).replace(day=1)
        PlanLine.objects.get_or_create(month=at, team=made.team, defaults={"amount": (4000 + n) * NANO})
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    made.activity = PlannedActivity.objects.create(
        name="Spring launch", kind="launch", team=made.team, starts_at=noon, ends_at=noon + timedelta(days=2)
    )
    PlannedActivity.objects.create(
        name="Batch night", kind="batch", starts_at=noon - timedelta(days=10), ends_at=noon - timedelta(days=9.5),
        is_all_day=False, recurrence="FREQ=WEEKLY;BYDAY=FR", expects="more", factor=Decimal(2),
    )  # fmt: skip
    record(made.actor, "changed", made.child, {"amount": 800 * NANO}, {"amount": 900 * NANO}, "Q4 launch")


def add_money(made: SimpleNamespace, now: datetime) -> None:
    """Rates and other costs."""
    today = made.organisation.local(now).date()
    made.rate = CurrencyRate.objects.create(
        currency="EUR", day=today - timedelta(days=3), per_dollar=Decimal("0.92"), origin="ECB"
    )
    made.cost = OtherCost.objects.create(
        name="Assistant seats", kind="seats", vendor="Acme", team=made.team, amount=600 * NANO, cost=600 * NANO,
        first_day=today.replace(day=1), last_day=today,
    )  # fmt: skip
    OtherCost.objects.create(
        name="Goodwill", kind="credit", amount=-50 * NANO, cost=-50 * NANO, first_day=today, last_day=today
    )


def add_prices(made: SimpleNamespace, now: datetime) -> None:
    """A published price and one of our own, a refresh that waits, a re-price run that is previewed."""
    began = now - timedelta(days=90)
    if not PriceEntry.objects.filter(provider="openai", model="gpt-4.1").exists():  # a flush takes the seeded ones
        PriceEntry.objects.create(
            provider="openai", model="gpt-4.1", valid_from=began, origin="genai-prices", input=2, output=8
        )
    made.price = PriceEntry.objects.create(
        provider="openai", model="gpt-4.1", valid_from=now - timedelta(days=20), origin="override",
        input=Decimal("1.6"), output=Decimal("6.4"), origin_note="20 % off",
    )  # fmt: skip
    values = {"provider": "openai", "model": "gpt-4.1-mini", "service_tier": "standard", "valid_to": None}
    values |= {"valid_from": began.isoformat(), "before": {"input": "0.4"}, "after": {"input": "0.3"}}
    made.refresh = PriceRefresh.objects.create(package="genai-prices 0.0.99", digest="x", changed=[values])
    made.reprice = RepriceRun.objects.create(
        starts_at=began, ends_at=now, calls=12, corrected=10, still_unpriced=2, before=0, after=3 * NANO,
        preview=[{"workflow": "ad-copy", "calls": 10, "unpriced": 10, "before": 0, "after": 3 * NANO}],
        requested_by="lena",
    )  # fmt: skip


def add_arrivals(made: SimpleNamespace, now: datetime) -> None:
    """A key, a refused event, a file with errors."""
    made.key, _ = make_key("Gateway", ["ingest", "bundle"], source="gateway", created_by=made.user)
    source = Source.objects.get(slug="gateway")
    made.item = QuarantinedItem.objects.create(
        source_id=source.pk, event_id="e-1", code="invalid", body='{"id": "e-1", "time": "2026-11-18T09:30:00Z"}',
        problem={"title": "Event refused", "detail": "Say which model served the call.", "field": "model"},
        body_digest=b"0" * 16,
    )  # fmt: skip
    lines = "id,time,model,input_tokens\na,2026-11-01T10:00:00Z,gpt-4.1,12\nb,yesterday,gpt-4.1,12\n"
    made.imported = checked(lines)


def add_requests(made: SimpleNamespace, now: datetime) -> None:
    """One that waits, one that was approved and is used."""
    colleague = Actor(made.colleague, "priya", "web")
    workflow = Workflow.objects.filter(status="production").order_by("slug").first()
    wish = Asked("premium", "The launch needs the strictest tone check.", workflow.slug, tier=3, runs=620)
    facts = Facts(
        runs=620, cost_per_run=NANO // 2, premium_per_run=NANO, extra_cost=310 * NANO, based_on_runs=80,
        budget="ad-copy", budget_name="Ad copy", budget_limit=2000 * NANO, budget_spent=412 * NANO,
        budget_after=722 * NANO, landing=1900 * NANO, landing_after=2210 * NANO, landing_on="2026-11-30",
        cheaper_tier=2, cheaper_name="Standard", cheaper_per_run=NANO * 3 // 4, cheaper_extra=155 * NANO,
    )  # fmt: skip
    made.request = open_request(colleague, wish, facts, now)
    given = open_request(colleague, replace(wish, ceiling=50 * NANO, runs=None), Facts(extra_cost=40 * NANO), now)
    made.approved = approve(made.actor, given.pk, "For the launch", now).request
    made.rule = ApprovalRule.objects.order_by("position").first() or ApprovalRule.objects.create(position=1, name="All")


def add_channel(made: SimpleNamespace) -> None:
    """Where messages go, and one that went."""
    values = ChannelValues("Marketing alerts", "email", {"to": "marketing@example.com"})
    made.channel = create_channel(made.actor, values)
    made.delivery = test_channel(made.actor, made.channel)


def add_alerts(made: SimpleNamespace, now: datetime) -> None:
    """A rule that tells the channel, and one alert in each state, the first open; a rule that is muted."""
    values = RuleValues(options={"amount": "5"}, channel_ids=(made.channel.pk,), owner_id=made.user.pk)
    made.alert_rule = create_rule(made.actor, TRIGGERS["one_run"], values, now=now - timedelta(days=30))
    other = create_rule(made.actor, TRIGGERS["discovered_workflow"], RuleValues("New workflows"))
    mute(made.actor, other, reason="A launch")
    found = [
        Finding(
            f"run:{n}", f"${n} for one run of Ad copy: more than $5.", now - timedelta(hours=n), "/workflows/ad-copy/",
            n * NANO, made.team.pk, {"Workflow": "Ad copy", "Cost": f"${n}"},
        )
        for n in (6, 7, 8, 9)
    ]  # fmt: skip
    over, known, asleep, made.alert = tell(made.alert_rule, found, now)
    resolve(made.alert_rule, [Over(over.cause, "The run made no call for an hour.")], now)
    handle.acknowledge(made.actor, known, now)
    handle.snooze(made.actor, asleep, now + timedelta(days=3), now)
    handle.own(made.actor, made.alert, made.user)


def add_gateways(made: SimpleNamespace, now: datetime) -> None:
    """One that goes by a policy, one that refused it, one that is not heard of any more."""
    gone = now - timedelta(hours=2)
    take_report(made.key.pk, Report("eu-1", "ack", "gateway 1.80", 1, 1), now)
    take_report(made.key.pk, Report("us-1", "nack", "gateway 1.80", 1, 1, 1, 2, "The signature does not hold."), now)
    take_report(made.key.pk, Report("asia-1", "ack", "gateway 1.80", 1, 1), gone)


def add_policy(made: SimpleNamespace) -> None:
    """Two versions, a draft with a problem and a remark, one that was discarded."""
    ensure_first_policy()
    first = live_version()
    policy = policy_of(first)
    less = msgspec.structs.replace(policy, daily_tokens={"*": 500_000})
    made.version = publish(made.actor, begin_draft(made.actor, "Less a day outside production", policy=less))
    made.draft = begin_draft(made.actor, "Cheaper drafts", note="Drafts cost more than the final copy.")
    everything = Rule("every-call", "Every call of ad copy", Conditions(workflow=["ad-copy"]), Outcome(tier=1))
    hidden = Rule(
        "final-copy", "Final copy of ads", Conditions(workflow=["ad-copy"], stage=["publish"]), Outcome(tier=9)
    )
    typed = [msgspec.structs.replace(one, latency_ms=900, quality="0.7") for one in policy.tiers[0].models]
    tiers = [
        msgspec.structs.replace(policy.tiers[0], models=typed),
        *policy.tiers[1:],
        PolicyTier(4, "Research", [], review_note="Only for the yearly report."),
    ]
    rules = [everything, hidden, *(one for one in policy.rules if one.id != "final-copy")]
    changed = msgspec.structs.replace(policy, tiers=tiers, rules=rules)
    made.draft = save_draft(made.actor, made.draft, changed, made.draft.edit_version)
    made.discarded = discard_draft(made.actor, begin_draft(made.actor, "Given up"))
    compile_if_changed()


def add_replays(made: SimpleNamespace, now: datetime) -> None:
    """The draft tried on some calls, and a version that waits for its turn."""
    calls = [
        sent.an_event(
            f"past-{n}", time=(now - timedelta(days=3, minutes=n)).isoformat(), provider="openai", workflow=workflow,
            model=("gpt-4.1", "gpt-4.1-mini", "gpt-4o")[n % 3], run_id=f"run-{n // 4}", step=1 + n % 4,
            stage=("draft", "publish")[n % 2], input_tokens=100_000 * n, output_tokens=20_000,
        )
        for workflow in ("ad-copy", "newsletter-test") for n in range(30)
    ]  # fmt: skip
    forget()  # a test that was rolled back took its partitions with it
    sent.take([{**call, "id": f"{call['id']}-{call['workflow']}"} for call in calls], sent.a_sender("past"), now)
    made.replay, _ = ask(made.actor, made.draft.pk, now - timedelta(days=30), now)
    replay_waiting()
    made.waiting, _ = ask(made.actor, made.version.pk, now - timedelta(days=60), now - timedelta(days=30))


def add_outcomes(made: SimpleNamespace, now: datetime) -> None:
    """Runs with and without an outcome, one that was reviewed twice, an outcome that waits for its run."""
    fold_all()
    said = [
        {"run_id": run, "workflow": "ad-copy", "outcome": outcome, "reviewer": "priya", "review_minutes": n + 1,
         "satisfaction": 4, "id": f"said-{n}", "time": (now - timedelta(days=2, minutes=-n)).isoformat()}
        for n, (run, outcome) in enumerate(
            [("run-1", "reworked"), ("run-1", "approved"), ("run-1", "approved"), ("run-2", "shipped"), ("?", "failed")]
        )
    ]  # fmt: skip
    Taking(sent.a_sender("past"), decode_many(json.dumps(said).encode()), now).take()
    apply_outcomes()
    made.run = Run.objects.get(run_id="run-1", workflow_id=Workflow.objects.get(slug="ad-copy").pk)
    made.outcome = OutcomeMessage.objects.filter(run_id="run-1").latest("pk")


def add_snippets(made: SimpleNamespace) -> None:
    """An approved text of the team with two versions, and one of the company that is archived."""
    workflow = Workflow.objects.get(slug="ad-copy")
    voice = "Write as we speak.\nShort sentences.\nNo jargon."
    values = SnippetValues("tone", "Tone of voice", "brand", voice, made.team.pk, made.user.pk, (workflow.pk,))
    made.snippet = make_snippet(made.actor, values)
    calmer = replace(values_of(made.snippet), text=f"{voice}\nNo exclamation marks.")
    made.snippet = save_snippet(made.actor, made.snippet, calmer, note="Calmer")
    old = make_snippet(made.actor, SnippetValues("old-facts", "Old facts", "facts", "Made in 2024."))
    archive_snippet(made.actor, old)


def pages(made: SimpleNamespace, today: date) -> list[str]:
    """The address of every page there is, with something on it."""
    return [
        "/", "/?chart=total", "/?period=7d", "/welcome/", "/welcome/?step=usage", "/menu/", "/api/", "/budgets/",
        "/budgets/?status=archived", "/budgets/?q=nothing-is-called-so", "/budgets/new/", "/budgets/ad-copy/",
        "/budgets/ad-copy/edit/", "/budgets/ad-copy/archive/", "/budgets/ad-copy/models/", "/overview/live/",
        "/budgets/marketing-pool/", "/budgets/pool-child/", "/budgets/hard-limit/", "/pools/", "/pools/new/",
        "/pools/marketing-pool/",
        "/pools/marketing-pool/share-out/", "/plan/", "/plan/budgets/", f"/plan/{today.year}/teams/{made.team.slug}/",
        f"/plan/{today.year}/copy/", f"/plan/{today.year}/no-team/", "/calendar/", "/calendar/?view=list",
        "/calendar/new/", "/calendar/import/", f"/calendar/{made.activity.pk}/", "/workflows/",
        "/outcomes/", "/outcomes/?outcome=twice", "/outcomes/?q=nothing-is-called-so", f"/outcomes/{made.run.pk}/",
        "/workflows/?q=nothing-is-called-so", "/workflows/new/", "/workflows/unassigned/", "/workflows/ad-copy/",
        "/workflows/newsletter-test/", "/workflows/ad-copy/edit/", "/workflows/newsletter-test/merge/",
        "/workflows/newsletter-test/merge/?into=ad-copy", "/data/", "/data/gateways/",
        "/data/gateways/?q=nothing-is-called-so", "/data/quarantine/",
        f"/data/quarantine/{made.item.pk}/", "/history/", "/history/?origin=web", "/settings/",
        f"/settings/close/?before={today.replace(day=1)}", "/settings/open/", "/settings/people/",
        "/settings/people/?q=nobody-is-called-so", "/settings/people/invite/",
        f"/settings/people/{made.colleague.pk}/", "/profile/", "/profile/emails/", "/profile/password/",
        "/profile/second-factor/", "/profile/passkeys/", "/profile/sessions/", "/profile/company/",
        "/profile/confirm/", "/profile/emails/sent/", "/profile/emails/confirm/no-such-link/", "/password/",
        "/password/sent/", "/password/done/", "/password/1/no-such-link/", "/sign-in/closed/", "/sign-in/cancelled/",
        f"/invitation/{made.invitation_token}/", "/settings/teams/",
        "/settings/teams/new/", f"/settings/teams/-/{made.team.slug}/", "/settings/sources/",
        "/settings/sources/gateway/", "/settings/keys/", "/settings/keys/new/", f"/settings/keys/{made.key.pk}/",
        f"/settings/keys/{made.key.pk}/edit/", f"/settings/keys/{made.key.pk}/rotate/",
        f"/settings/keys/{made.key.pk}/revoke/", "/settings/prices/", "/settings/prices/new/",
        "/settings/prices/model/?provider=openai&model=gpt-4.1", f"/settings/prices/{made.price.pk}/edit/",
        "/settings/prices/discount/", "/settings/prices/refresh/", "/settings/prices/reprice/",
        f"/settings/prices/reprice/{made.reprice.pk}/", "/settings/costs/", "/settings/costs/new/",
        f"/settings/costs/{made.cost.pk}/", "/settings/rates/", f"/settings/rates/{made.rate.pk}/",
        "/settings/imports/", f"/settings/imports/{made.imported.pk}/", "/approvals/", "/approvals/?tab=decided",
        "/approvals/?q=nobody-asks-so", "/approvals/new/", "/approvals/new/?kind=budget",
        f"/approvals/{made.request.pk}/", f"/approvals/{made.approved.pk}/", "/approvals/rules/",
        "/approvals/rules/new/", f"/approvals/rules/{made.rule.pk}/", "/settings/channels/", "/settings/channels/new/",
        "/settings/channels/new/?transport=webhook", f"/settings/channels/{made.channel.pk}/",
        "/settings/deliveries/", "/settings/deliveries/?q=nothing-is-called-so",
        "/alerts/", "/alerts/?state=resolved", "/alerts/?q=nothing-is-called-so", f"/alerts/{made.alert.pk}/",
        "/alerts/rules/", "/alerts/rules/?state=muted", "/alerts/rules/?state=archived", "/alerts/new/",
        "/alerts/new/?trigger=spend_above&amount=900000", f"/alerts/rules/{made.alert_rule.pk}/edit/",
        "/routing/", "/routing/versions/1/", f"/routing/versions/{made.version.number}/",
        f"/routing/drafts/{made.draft.pk}/", f"/routing/drafts/{made.discarded.pk}/",
        f"/routing/drafts/{made.draft.pk}/name/", f"/routing/drafts/{made.draft.pk}/compare/",
        f"/routing/drafts/{made.draft.pk}/tiers/new/", f"/routing/drafts/{made.draft.pk}/tiers/1/",
        f"/routing/drafts/{made.draft.pk}/rules/new/", f"/routing/drafts/{made.draft.pk}/rule/final-copy/",
        f"/routing/drafts/{made.draft.pk}/default/", "/routing/try/", f"/routing/try/?draft={made.draft.pk}",
        "/routing/try/?workflow=ad-copy&stage=publish&asked=tier%3A3&input_tokens=3000&output_tokens=800",
        f"/routing/drafts/{made.draft.pk}/preview/", f"/routing/drafts/{made.draft.pk}/preview/{made.replay.pk}/",
        f"/routing/drafts/{made.draft.pk}/preview/{made.replay.pk}/calls/?figure=changed",
        f"/routing/drafts/{made.draft.pk}/preview/{made.replay.pk}/calls/?workflow=nothing-is-called-so",
        f"/routing/drafts/{made.version.pk}/preview/{made.waiting.pk}/",
        f"/routing/drafts/{made.discarded.pk}/preview/", "/routing/snippets/",
        "/routing/snippets/?q=nothing-is-called-so", "/routing/snippets/?state=archived", "/routing/snippets/new/",
        "/routing/snippets/tone/", "/routing/snippets/tone/edit/", "/routing/snippets/tone/versions/1/",
        "/routing/snippets/tone/versions/2/", "/routing/snippets/old-facts/",
        *pages_of_spend(made), *pages_of_meaning(made), *pages_of_savings(made), *pages_of_forecasts(made),
        *pages_of_what_is_sent(made),
    ]  # fmt: skip
