"""Rules: made, changed, muted, archived and undone, each with its history; keys and requests as triggers."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from budgets.access.keys import make_key
from budgets.alerts.keys import ExpiringKey
from budgets.alerts.rules import (
    InvalidRule,
    RefusedRule,
    RuleValues,
    StaleRule,
    archive,
    change_rule,
    create_rule,
    mute,
    undo_rule,
    unmute,
)
from budgets.alerts.tell import resolve, tell
from budgets.alerts.thresholds import Thresholds
from budgets.alerts.waiting import WaitingRequest
from budgets.audit.record import record
from budgets.models import (
    Alert,
    AlertRule,
    ApiKey,
    ApprovalRequest,
    AuditEntry,
    Channel,
    Team,
    Workflow,
)
from budgets.tests.made import ACTOR, NOW

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRIGGER = Thresholds()


def a_channel(name, **values):
    return Channel.objects.create(name=name, transport="email", address=f"{name}@example.com", **values)


def a_rule(**values):
    return create_rule(ACTOR, TRIGGER, RuleValues(**values), now=NOW)


def last(rule):
    return AuditEntry.objects.filter(object_type="budgets.alertrule", object_id=str(rule.pk)).order_by("-position")[0]


def test_a_rule_is_named_by_its_sentence_and_tells_of_what_comes():
    growth = Team.objects.create(slug="growth", name="Growth")
    rule = a_rule(options={"percent": "90"}, team_id=growth.pk, channel_ids=(a_channel("growth").pk,))
    assert rule.name == "Tell me when any budget of Growth reaches 90% of its limit."
    assert (rule.options, rule.since, rule.urgent) == ({"budget": "", "percent": 90}, NOW, True)
    assert (last(rule).act, last(rule).after["options"]) == ("created", rule.options)
    assert a_rule(name="  Mine \n too ").name == "Mine too"


def test_what_cannot_be_is_refused_in_sentences():
    gone = a_channel("gone", archived_at=NOW)
    with pytest.raises(InvalidRule) as refused:
        a_rule(name="x\0", options={"percent": 0}, team_id=9**9, channel_ids=(gone.pk,), owner_id=9**9)
    assert set(refused.value.problems) == {"name", "percent", "team_id", "channel_ids", "owner_id"}
    assert all(sentence.endswith(".") for sentence in refused.value.problems.values())


def test_a_change_that_means_something_else_tells_of_what_comes_from_then_on():
    rule = a_rule()
    later = NOW + HOUR
    same = change_rule(ACTOR, rule, TRIGGER, RuleValues.of_row(rule), now=later)
    assert (same.edit_version, last(rule).act) == (1, "created")
    renamed = change_rule(ACTOR, rule, TRIGGER, RuleValues(name="Renamed", options=rule.options), now=later)
    assert (renamed.since, renamed.edit_version) == (NOW, 2)
    other = change_rule(ACTOR, rule, TRIGGER, RuleValues(options={"percent": 50}), now=later, expected_version=2)
    assert other.since == later
    with pytest.raises(StaleRule):
        change_rule(ACTOR, rule, TRIGGER, RuleValues(), expected_version=2)
    with pytest.raises(InvalidRule):
        change_rule(ACTOR, rule, ExpiringKey(), RuleValues())
    archive(ACTOR, rule)
    with pytest.raises(RefusedRule):
        change_rule(ACTOR, rule, TRIGGER, RuleValues())


def test_muting_ends_by_itself_or_by_hand():
    rule = a_rule()
    with pytest.raises(InvalidRule):
        mute(ACTOR, rule, NOW, now=NOW)
    muted = mute(ACTOR, rule, NOW + HOUR, "Launch\0 week", now=NOW)
    assert (muted.is_muted(NOW), muted.is_muted(NOW + HOUR), muted.mute_reason) == (True, False, "Launch week")
    assert mute(ACTOR, rule, now=NOW).is_muted(NOW + 999 * DAY)
    assert not unmute(ACTOR, rule).is_muted(NOW)
    assert last(rule).act == "unmuted"
    unmute(ACTOR, rule)
    assert AuditEntry.objects.filter(object_type="budgets.alertrule").count() == 4


def test_each_act_is_undone_by_restoring_what_was_before():
    growth, owner = Team.objects.create(slug="growth", name="Growth"), User.objects.create_user("maya")
    channels = (a_channel("one").pk, a_channel("two").pk)
    rule = a_rule(name="First", options={"percent": 70}, team_id=growth.pk, channel_ids=channels, owner_id=owner.pk)
    first = RuleValues.of_row(rule)
    change_rule(ACTOR, rule, TRIGGER, RuleValues(name="Second", urgent=False), now=NOW)
    changed = last(rule)
    undone = undo_rule(ACTOR, changed, NOW + HOUR)
    assert RuleValues.of_row(undone) == first
    assert undone.since == NOW + HOUR
    with pytest.raises(RefusedRule):
        undo_rule(ACTOR, changed)
    mute(ACTOR, rule, NOW + HOUR, "Why", now=NOW)
    unmute(ACTOR, rule)
    again = undo_rule(ACTOR, last(rule))
    assert (again.muted_at, again.muted_until, again.mute_reason) == (NOW, NOW + HOUR, "Why")
    archive(ACTOR, rule)
    archived, tested = last(rule), record(ACTOR, "tested", rule, None, None)
    with pytest.raises(RefusedRule):
        undo_rule(ACTOR, tested)
    assert undo_rule(ACTOR, archived, NOW + DAY).archived_at is None
    other = a_rule()
    assert undo_rule(ACTOR, last(other)).archived_at is not None
    assert "Undo of “created” by" in last(other).reason


def look(trigger, rule, now):
    told = tell(rule, trigger.find(rule, now), now)
    over = resolve(rule, trigger.over(rule, list(Alert.objects.filter(rule=rule, resolved_at=None)), now), now)
    return [one.cause for one in told], [one.resolution for one in over]


def bare_rule(trigger, since, team=None, **options):
    return AlertRule.objects.create(
        name="Rule", trigger=trigger.key, options=trigger.clean(options), since=since, team=team
    )


def a_key(name, expires_at, created_at=NOW - 300 * DAY, **values):
    key, _ = make_key(name, ["ingest"], expires_at=expires_at)
    ApiKey.objects.filter(pk=key.pk).update(created_at=created_at, **values)
    return key


def test_a_key_is_told_before_it_expires_and_until_it_is_replaced():
    trigger = ExpiringKey()
    rule = bare_rule(trigger, NOW)
    growth = Team.objects.create(slug="growth", name="Growth")
    soon, later = a_key("soon", NOW + 3 * DAY), a_key("later", NOW + 20 * DAY)
    later.teams.add(growth)
    a_key("revoked", NOW + 4 * DAY, revoked_at=NOW - DAY)
    a_key("gone", NOW - DAY)
    a_key("endless", None)
    replaced = a_key("replaced", NOW + 5 * DAY)
    a_key("newer", None, created_at=NOW - DAY, replaces=replaced)
    assert look(trigger, rule, NOW) == ([f"key:{soon.pk}:{(NOW + 3 * DAY).isoformat().replace(':', '%3A')}:14"], [])
    title = "The key soon expires on 25 Nov 2026. Replace it before, or what it sends is refused."
    assert Alert.objects.get().title == title
    assert look(trigger, rule, NOW + 5 * DAY) == ([], ["The key soon: it has expired."])
    assert len(look(trigger, rule, NOW + 6 * DAY)[0]) == 1
    assert Alert.objects.latest("pk").team == growth
    a_key("newest", None, created_at=NOW + 7 * DAY, replaces=later)
    assert look(trigger, rule, NOW + 8 * DAY) == ([], ["The key later: it was replaced."])
    assert sorted(one.cause for one in trigger.replay(rule, NOW, NOW + 8 * DAY)) == sorted(
        Alert.objects.values_list("cause", flat=True)
    )
    assert len(trigger.find(bare_rule(trigger, NOW, team=growth), NOW + 6 * DAY)) == 1


def a_request(created_at, state="waiting", decided_at=None, **values):
    workflow, _ = Workflow.objects.get_or_create(slug="briefs", name="Briefs")
    return ApprovalRequest.objects.create(
        kind="premium",
        state=state,
        workflow=workflow,
        tier=3,
        reason="Launch",
        requested_text="maya",
        origin="web",
        created_at=created_at,
        lapses_at=created_at + 9 * DAY,
        decided_at=decided_at,
        **values,
    )


def test_a_request_that_waits_is_told_until_it_is_decided():
    trigger = WaitingRequest()
    growth = Team.objects.create(slug="growth", name="Growth")
    rule = bare_rule(trigger, NOW, hours="10")
    one = a_request(NOW, extra_cost=40_000_000_000, team=growth)
    a_request(NOW - 11 * HOUR)  # waited for so long before the rule was made
    late = a_request(NOW + HOUR, "declined", NOW + 12 * HOUR, decided_text="ben")
    a_request(NOW + HOUR, "approved", NOW + 10 * HOUR)
    assert look(trigger, rule, NOW + 9 * HOUR) == ([], [])
    assert look(trigger, rule, NOW + 10 * HOUR) == ([f"request:{one.pk}:10"], [])
    alert = Alert.objects.get()
    assert alert.title == "$40 more: maya asked for premium models for Briefs and has been waiting for 10 hours."
    assert (alert.team, alert.amount) == (growth, 40_000_000_000)
    assert look(trigger, rule, NOW + 20 * HOUR) == ([], [])
    assert [found.cause for found in trigger.replay(rule, NOW, NOW + 20 * HOUR)] == [
        f"request:{one.pk}:10",
        f"request:{late.pk}:10",
    ]
    assert [found.cause for found in trigger.find(bare_rule(trigger, NOW, growth, hours=1), NOW + 5 * HOUR)] == [
        f"request:{one.pk}:1"
    ]
    ApprovalRequest.objects.filter(pk=one.pk).update(state="approved", decided_at=NOW, decided_text="ben")
    assert look(trigger, rule, NOW + 21 * HOUR) == ([], ["Premium models for Briefs: approved by ben."])
