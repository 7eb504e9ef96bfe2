"""Telling: each cause once, each channel once, and over once."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User

from budgets.alerts.findings import LONGEST_CAUSE, Finding, Over, cause_of, in_order
from budgets.alerts.handle import (
    InvalidSnooze,
    RefusedHandling,
    acknowledge,
    own,
    snooze,
    undo_handling,
    unsnooze,
)
from budgets.alerts.tell import resolve, tell, tell_again
from budgets.models import Alert, AlertRule, AuditEntry, Channel, Notice, Team
from budgets.tests.made import ACTOR, NOW, at_once

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def a_channel(name="growth", **values):
    return Channel.objects.create(name=name, transport="email", address=f"{name}@example.com", **values)


def a_rule(*channels, **values):
    rule = AlertRule.objects.create(
        **{"name": "Runs", "trigger": "one_run", "since": NOW - timedelta(days=1), **values}
    )
    rule.channels.set(channels)
    return rule


def found(cause="run:1", **values):
    return Finding(**{"cause": cause, "title": "$5 for one run.", "happened_at": NOW, "amount": 5, **values})


def notices(kind=None):
    rows = Notice.objects.filter(kind=kind) if kind else Notice.objects.all()
    return sorted(rows.values_list("channel__name", "kind", "round"))


def test_a_cause_is_told_once_to_each_channel():
    rule = a_rule(a_channel("growth"), a_channel("finance"), a_channel("gone", archived_at=NOW))
    told = tell(rule, [found(facts={"Run": "7"}, path="/runs/7/"), found("run:2")], NOW)
    assert [one.cause for one in told] == ["run:1", "run:2"]
    assert tell(rule, [found(), found("run:3"), found("run:3")], NOW) == [Alert.objects.get(cause="run:3")]
    assert notices() == [("finance", "raised", 0)] * 3 + [("growth", "raised", 0)] * 3
    assert Finding.of_json(Alert.objects.get(cause="run:1").facts) == found(facts={"Run": "7"}, path="/runs/7/")
    other = a_rule(name="Another")
    assert len(tell(other, [found()], NOW)) == 1


def test_what_is_too_early_or_anothers_is_not_told():
    team, other = Team.objects.create(slug="growth", name="Growth"), Team.objects.create(slug="ops", name="Ops")
    rule = a_rule(a_channel(), team=team, since=NOW)
    told = tell(
        rule,
        [
            found("early", happened_at=NOW - timedelta(seconds=1), team_id=team.pk),
            found("theirs", team_id=other.pk),
            found("nobodys"),
            found("ours", team_id=team.pk),
        ],
        NOW,
    )
    assert [one.cause for one in told] == ["ours"]
    assert told[0].team == team


def test_a_muted_rule_writes_and_is_silent_until_its_end():
    rule = a_rule(a_channel(), muted_at=NOW, muted_until=NOW + HOUR)
    assert [one.muted for one in tell(rule, [found()], NOW)] == [True]
    assert notices() == []
    assert [one.muted for one in tell(rule, [found("run:2")], NOW + HOUR)] == [False]
    assert notices() == [("growth", "raised", 0)]
    resolve(rule, [Over("run:1", "Over.")], NOW + HOUR)  # nobody heard that it began
    assert notices("resolved") == []


def test_an_archived_rule_tells_of_nothing_and_closes_what_it_told():
    rule = a_rule(a_channel())
    tell(rule, [found()], NOW)
    AlertRule.objects.update(archived_at=NOW)
    assert tell(rule, [found("run:2")], NOW) == []
    assert len(resolve(rule, [Over("run:1", "Over.")], NOW)) == 1
    assert notices("resolved") == []


def test_over_is_told_once_to_those_who_heard():
    growth = a_channel()
    rule = a_rule(growth)
    tell(rule, [found(), found("run:2")], NOW)
    rule.channels.add(a_channel("later"))
    assert [one.resolution for one in resolve(rule, [Over("run:1", "It is\nover."), Over("run:9", "?")], NOW)] == [
        "It is over."
    ]
    assert resolve(rule, [Over("run:1", "Over again.")], NOW) == []
    assert notices("resolved") == [("growth", "resolved", 0)]
    assert Alert.objects.get(cause="run:2").resolved_at is None
    assert tell(rule, [found()], NOW) == []  # told and over: not told again


def test_a_snooze_tells_again_once_if_it_stands():
    rule = a_rule(a_channel())
    one, two = tell(rule, [found(), found("run:2")], NOW)
    snooze(ACTOR, one, NOW + HOUR, NOW)
    snooze(ACTOR, two, NOW + HOUR, NOW)
    resolve(rule, [Over("run:2", "Over.")], NOW)
    assert tell_again(rule, NOW + HOUR / 2) == []
    assert tell_again(rule, NOW + HOUR) == [one]
    assert tell_again(rule, NOW + HOUR) == []
    snooze(ACTOR, one, NOW + 2 * HOUR, NOW + HOUR)
    assert tell_again(rule, NOW + 3 * HOUR) == [one]
    assert notices("again") == [("growth", "again", 0), ("growth", "again", 1)]
    snooze(ACTOR, one, NOW + 9 * HOUR, NOW)
    unsnooze(ACTOR, one)
    assert tell_again(rule, NOW + 9 * HOUR) == []


def test_a_snooze_has_an_end_that_makes_sense():
    rule = a_rule()
    (alert,) = tell(rule, [found()], NOW)
    for until in (NOW, NOW - HOUR, NOW + timedelta(days=91)):
        with pytest.raises(InvalidSnooze):
            snooze(ACTOR, alert, until, NOW)
    resolve(rule, [Over("run:1", "Over.")], NOW)
    with pytest.raises(RefusedHandling):
        snooze(ACTOR, alert, NOW + HOUR, NOW)


def test_handling_is_recorded_and_undone():
    maya = User.objects.create_user("maya")
    actor = replace(ACTOR, user=maya)
    (alert,) = tell(a_rule(owner=maya), [found()], NOW)
    assert alert.owner == maya
    own(actor, alert, None)
    acknowledge(actor, alert, NOW)
    acknowledge(replace(ACTOR, user=User.objects.create_user("ben")), alert, NOW + HOUR)
    alert.refresh_from_db()
    assert (alert.owner, alert.acknowledged_by, alert.acknowledged_at) == (None, maya, NOW)
    entries = AuditEntry.objects.filter(object_type="budgets.alert").order_by("position")
    assert [one.act for one in entries] == ["assigned", "acknowledged"]
    with pytest.raises(RefusedHandling):
        undo_handling(actor, entries[0])
    undo_handling(actor, entries[1])
    alert.refresh_from_db()
    assert (alert.acknowledged_at, alert.acknowledged_by) == (None, None)


def test_parts_make_one_cause_that_fits():
    assert cause_of("spend", "tag", "a:b", 5) == "spend:tag:a%3Ab:5"
    assert cause_of("a", "b:c") != cause_of("a:b", "c")
    long = [cause_of("run", "x" * 400, n) for n in range(2)]
    assert len(set(long)) == 2
    assert all(len(one) == LONGEST_CAUSE for one in long)
    early = found(happened_at=NOW - HOUR)
    assert in_order([found(), early]) == [early]


@pytest.mark.django_db(transaction=True)
def test_many_who_tell_the_same_make_one_alert_and_one_notice():
    rule = a_rule(a_channel("growth"), a_channel("finance"))
    batches = [[found(f"run:{n}") for n in order] for order in (range(20), reversed(range(20)))]
    results = at_once(*[partial(tell, rule, batches[n % 2], NOW) for n in range(8)])
    assert sum(len(one) for one in results) == Alert.objects.count() == 20
    assert Notice.objects.count() == 40
    overs = [Over(f"run:{n}", "Over.") for n in range(20)]
    assert sum(len(one) for one in at_once(*[partial(resolve, rule, overs, NOW)] * 6)) == 20
    assert Notice.objects.filter(kind="resolved").count() == 40
