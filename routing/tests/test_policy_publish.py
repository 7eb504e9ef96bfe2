"""Drafts, publishing and going back."""

import threading

import msgspec
import pytest
from django.db import DatabaseError, connection, transaction

from budgets.models import AuditEntry, Organisation, Workflow
from routing.bundle.compile import compile_if_changed
from routing.models import PolicyBundle, PolicyVersion, Tier
from routing.policy.edit import (
    RefusedEdit,
    StaleEdit,
    begin_draft,
    discard_draft,
    live_version,
    restore_draft,
    save_draft,
)
from routing.policy.publish import LiveMoved, publish, roll_back
from routing.policy.shape import InvalidPolicy
from routing.tests.policies import ACTOR, a_draft, a_policy, a_rule, a_tier, acts, live, published
from usage.models import ModelTier

pytestmark = pytest.mark.django_db


def test_a_fresh_installation_has_a_policy_in_force_that_has_its_tiers():
    first = live_version()
    assert first is not None and first.number == 1
    said = live()
    assert [tier.name for tier in said.tiers] == ["Economy", "Standard", "Premium"]
    assert [[one.model for one in tier.models] for tier in said.tiers] == [
        [one["model"] for one in tier.models] for tier in Tier.objects.all()
    ]
    assert {rule.id for rule in said.rules} >= {"drafts", "tagging", "rewrites-and-variants", "final-copy"}
    assert said.daily_tokens["*"] > 0 and said.unlisted_models == "allow"


def test_a_draft_is_a_copy_that_is_saved_once_for_each_edit():
    draft = begin_draft(ACTOR, "  Cheaper   drafts ")
    assert (draft.title, draft.document, draft.based_on) == ("Cheaper drafts", live_version().document, live_version())
    saved = save_draft(ACTOR, draft, a_policy(), 1, note="why")
    assert (saved.edit_version, saved.note) == (2, "why")
    same = save_draft(ACTOR, draft, a_policy(), 2)
    assert same.edit_version == 2, "what changes nothing is no edit"
    with pytest.raises(StaleEdit) as stale:
        save_draft(ACTOR, draft, a_policy(a_rule("x", tier=1)), 1)
    assert stale.value.version.edit_version == 2
    assert acts(draft) == ["began", "changed"]


def test_history_tells_just_what_differs():
    draft = a_draft(a_policy(a_rule("x", {"stage": ["draft"]}, tier=1)))
    save_draft(ACTOR, draft, a_policy(a_rule("x", {"stage": ["draft"]}, tier=2)), draft.edit_version)
    entry = AuditEntry.objects.latest("position")
    assert entry.before == {"rule x": "X: If the stage is draft → Economy"}
    assert entry.after == {"rule x": "X: If the stage is draft → Standard"}


def test_a_discarded_draft_comes_back():
    draft = a_draft()
    discard_draft(ACTOR, draft)
    with pytest.raises(RefusedEdit, match="Bring it back"):
        save_draft(ACTOR, draft, a_policy(), 1)
    with pytest.raises(RefusedEdit):
        publish(ACTOR, draft)
    assert restore_draft(ACTOR, draft).state == "draft"
    assert acts(draft) == ["began", "discarded", "brought back"]


def test_publishing_writes_tiers_catalogue_and_bundle_at_once():
    generation = Organisation.get().generation
    compile_if_changed()
    tiers = [a_tier(1, "openai/gpt-4.1-nano", review_note="ask Kim"), a_tier(2, "openai/gpt-5", name="Best")]
    tiers[0] = msgspec.structs.replace(
        tiers[0], models=[msgspec.structs.replace(tiers[0].models[0], latency_ms=400, quality="0.8")]
    )
    version = published(a_policy(a_rule("x", tier=2), tiers=tiers))
    assert (version.number, version.live, version.state, version.published_text) == (
        2,
        True,
        "published",
        "command test",
    )
    assert list(PolicyVersion.objects.filter(live=True)) == [version]
    assert [(row.number, row.name, row.review_note) for row in Tier.objects.all()] == [
        (1, "Economy", "ask Kim"),
        (2, "Best", ""),
    ]
    assert Tier.objects.get(number=1).models == [
        {"provider": "openai", "model": "gpt-4.1-nano", "latency_ms": 400, "quality": "0.8"}
    ]
    newest = dict(ModelTier.objects.order_by("valid_from").values_list("model", "tier"))
    assert (newest["gpt-4.1-nano"], newest["gpt-5"], newest["gpt-4.1"]) == (1, 2, 0)
    assert Organisation.get().generation > generation
    assert compile_if_changed() is not None, "half a second has not passed, and a policy does not wait"
    said = msgspec.json.decode(bytes(PolicyBundle.objects.latest("revision").body))
    assert said["policy"]["version"] == 2
    assert [rule["id"] for rule in said["policy"]["rules"]] == ["x"]


def test_what_has_problems_is_refused_with_each():
    Workflow.objects.create(slug="w", name="Briefs", default_tier=3)
    with pytest.raises(InvalidPolicy) as refused:
        published(a_policy(a_rule("x", tier=9), tiers=[a_tier(1, "a/one"), a_tier(2)]))
    assert set(refused.value.problems) == {"tiers", "tiers.1.models", "rules.0.then.tier"}
    assert "Premium cannot go: it is what Briefs starts from" in refused.value.problems["tiers"]
    assert live_version().number == 1


def test_what_was_published_is_published_once():
    draft = a_draft()
    publish(ACTOR, draft)
    with pytest.raises(RefusedEdit, match="as version 2"):
        publish(ACTOR, draft)
    for change in (save_draft,):
        with pytest.raises(RefusedEdit, match="never changes"):
            change(ACTOR, draft, a_policy(), 1)


def test_who_did_not_see_what_is_in_force_now_does_not_take_it_back():
    mine, theirs = a_draft(a_policy(a_rule("mine", tier=1))), a_draft(a_policy(a_rule("theirs", tier=2)))
    publish(ACTOR, theirs)
    with pytest.raises(LiveMoved, match="Version 2 was published meanwhile") as moved:
        publish(ACTOR, mine)
    assert publish(ACTOR, mine, over=moved.value.live.number).number == 3


def test_an_edit_that_was_not_seen_is_not_published():
    draft = a_draft()
    save_draft(ACTOR, draft, a_policy(), 1)
    with pytest.raises(StaleEdit):
        publish(ACTOR, draft, edit_version=1)


def test_going_back_publishes_the_same_again_and_that_can_be_gone_back_from():
    first = live_version()
    second = published(a_policy())
    third = roll_back(ACTOR, first, "wrong")
    assert (third.number, third.document, third.based_on, third.live) == (3, first.document, first, True)
    assert [row.name for row in Tier.objects.all()] == ["Economy", "Standard", "Premium"]
    assert roll_back(ACTOR, second).number == 4
    assert live() == a_policy()
    with pytest.raises(RefusedEdit, match="says the same"):
        roll_back(ACTOR, second)
    with pytest.raises(RefusedEdit, match="never published"):
        roll_back(ACTOR, a_draft())
    assert acts(third) == ["rolled back to"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE routing_policyversion SET number = 7 WHERE number = 1",
        "UPDATE routing_policyversion SET document = '{}' WHERE number = 1",
        "UPDATE routing_policyversion SET title = 'x' WHERE number = 1",
        "UPDATE routing_policyversion SET note = 'x' WHERE number = 1",
        "UPDATE routing_policyversion SET published_at = now() WHERE number = 1",
        "UPDATE routing_policyversion SET published_text = 'x' WHERE number = 1",
        "UPDATE routing_policyversion SET published_by_id = 7 WHERE number = 1",
        "UPDATE routing_policyversion SET state = 'draft', number = NULL, published_at = NULL WHERE number = 1",
        "DELETE FROM routing_policyversion WHERE number = 1",
    ],
)
def test_the_database_keeps_what_is_published(change):
    with pytest.raises(DatabaseError, match="published policy"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    with connection.cursor() as cursor:  # these two may change
        cursor.execute("UPDATE routing_policyversion SET live = false, request_id = NULL WHERE number = 1")
        assert cursor.rowcount == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_publish_at_once_one_wins_and_the_other_is_told():
    drafts = [a_draft(a_policy(a_rule(name, tier=1))) for name in ("mine", "theirs")]
    ready, outcomes = threading.Barrier(3), []

    def go(draft: PolicyVersion) -> None:
        ready.wait()
        try:
            outcomes.append(publish(ACTOR, draft).number)
        except RefusedEdit as error:
            outcomes.append(str(error))
        finally:
            connection.close()

    # The third publishes the first one's draft too.
    threads = [threading.Thread(target=go, args=[draft]) for draft in (*drafts, drafts[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [one for one in outcomes if isinstance(one, int)]
    assert numbers == [2]
    assert all("published" in one for one in outcomes if isinstance(one, str))
    assert PolicyVersion.objects.filter(live=True).count() == 1
    assert len(PolicyVersion.objects.get(live=True).document["rules"]) == 1


def test_going_back_is_over_the_version_that_was_seen_in_force():
    """Whoever undoes what they published must not undo what somebody else published since."""
    first, second = live_version(), published(a_policy(a_rule("x", tier=1)))
    third = published(a_policy(a_rule("x", tier=2)))
    with pytest.raises(LiveMoved, match="Version 3 was put in force meanwhile") as moved:
        roll_back(ACTOR, first, over=second.number)
    assert moved.value.live == third
    assert live_version() == third
    assert roll_back(ACTOR, first, over=third.number).number == 4
