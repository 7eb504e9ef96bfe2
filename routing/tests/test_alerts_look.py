"""Looking: every rule in its turn, a faulty one by itself, and everything once however many look."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connection

from budgets.access.keys import make_key
from budgets.alerts.rules import RuleValues, archive, create_rule, mute
from budgets.alerts.tell import resolve, tell
from budgets.currency.shown import shown
from budgets.limits.evaluate import evaluate_due
from budgets.models import Alert, AlertRule, ApiKey, Budget, Channel, Crossing, Notice, Organisation, Workflow
from budgets.tests.made import ACTOR, a_budget, at_once, charge
from routing.alerts.gateways import StaleGateway
from routing.alerts.history import DAYS, TOO_MUCH, replay_rule
from routing.alerts.look import look, look_at_crossings
from routing.alerts.triggers import TRIGGERS
from routing.fleet.report import Report, take_report
from routing.models import PolicyBundle

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


def now():
    return datetime.now(UTC)


@pytest.fixture
def only_mine(request):
    """Without the rules of a fresh installation."""
    AlertRule.objects.all().delete()


def a_rule(key, channels=(), **options):
    made = [
        Channel.objects.get_or_create(name=name, transport="email", address=f"{name}@example.com")[0].pk
        for name in channels
    ]
    return create_rule(ACTOR, TRIGGERS[key], RuleValues(options=options, channel_ids=tuple(made)))


def test_a_fresh_installation_has_rules_whose_options_are_clean():
    rules = list(AlertRule.objects.all())
    assert len(rules) >= 7
    assert {rule.trigger for rule in rules} <= TRIGGERS.keys()
    for rule in rules:
        assert TRIGGERS[rule.trigger].clean(rule.options) == rule.options
        assert TRIGGERS[rule.trigger].sentence(rule.options).startswith("Tell me ")
    done = look()
    assert (done.rules, done.failed) == (len(rules), 0)
    assert not AlertRule.objects.exclude(problem="").exists()


def test_every_trigger_says_what_it_is():
    assert len({one.words for one in TRIGGERS.values()}) == len(TRIGGERS)
    for key, trigger in TRIGGERS.items():
        assert key == trigger.key
        assert len(key) <= 32
        assert [one.name for one in trigger.fields] == list(dict.fromkeys(one.name for one in trigger.fields))


@pytest.mark.parametrize("key", TRIGGERS)
@pytest.mark.parametrize("value", ["\0", "x" * 9999, 10**30, -1, None, [], {}, True, 1.5, "NaN", "½"])
def test_hostile_options_are_refused_or_clean(key, value):
    from budgets.alerts.trigger import InvalidOptions

    trigger = TRIGGERS[key]
    for name in [one.name for one in trigger.fields] + ["other\0"]:
        try:
            clean = trigger.clean({name: value})
        except InvalidOptions as refused:
            assert all(sentence.endswith((".", "?")) for sentence in refused.problems.values())
        else:
            assert trigger.clean(clean) == clean
            assert trigger.sentence(clean)


def test_a_faulty_rule_says_so_and_stops_no_other(only_mine, monkeypatch):
    faulty, whole = a_rule("discovered_workflow"), a_rule("discovered_workflow")
    Workflow.objects.create(slug="new", name="New", status="discovered")
    find = TRIGGERS["discovered_workflow"].find

    def fault(rule, now):
        if rule.pk == faulty.pk:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return find(rule, now)

    monkeypatch.setattr(TRIGGERS["discovered_workflow"], "find", fault)
    done = look()
    assert (done.rules, done.raised, done.failed) == (2, 1, 1)
    faulty.refresh_from_db()
    whole.refresh_from_db()
    assert faulty.problem.startswith("It could not be looked at. Something went wrong in TokenOps.")
    assert "division" not in faulty.problem
    assert (whole.problem, Alert.objects.get().rule) == ("", whole)
    monkeypatch.undo()
    assert look(now() + MINUTE).failed == 0
    faulty.refresh_from_db()
    assert faulty.problem == ""
    assert Alert.objects.filter(rule=faulty).count() == 1


def test_a_rule_whose_trigger_is_gone_says_so(only_mine):
    AlertRule.objects.create(name="Old", trigger="no_more")
    assert look().failed == 1
    assert AlertRule.objects.get().problem


def test_a_rule_looks_in_its_turn(only_mine):
    a_rule("spend_above")
    at = now()
    assert look(at).rules == 1
    assert look(at + 15 * timedelta(seconds=1)).rules == 0
    assert look(at + MINUTE).rules == 1


def test_an_archived_rule_only_closes_what_it_told(only_mine):
    rule = a_rule("discovered_workflow", ["growth"])
    row = Workflow.objects.create(slug="new", name="New", status="discovered")
    look()
    archive(ACTOR, rule)
    Workflow.objects.create(slug="newer", name="Newer", status="discovered")
    assert look(now() + MINUTE).raised == 0
    Workflow.objects.filter(pk=row.pk).update(status="ignored")
    assert look(now() + 2 * MINUTE).resolved == 1
    assert look(now() + 3 * MINUTE).rules == 0
    assert Notice.objects.filter(kind="resolved").count() == 0


def test_money_is_written_in_the_organisations_currency(only_mine):
    from budgets.models import CurrencyRate

    CurrencyRate.objects.create(currency="EUR", day=NOW.date() - DAY, per_dollar="0.5")
    Organisation.objects.update(currency="EUR")
    rule = a_rule("budget_threshold", percent=80)
    AlertRule.objects.update(since=now() - DAY)
    budget = a_budget(100_000_000_000, now=now())
    charge(budget, 90_000_000_000, now())
    evaluate_due()
    look_at_crossings()
    assert Alert.objects.filter(rule=rule).values_list("title", flat=True)[0].startswith("€45 of €50: ")
    assert shown().code == "USD"


def test_a_crossing_is_told_at_once_and_marked(only_mine):
    a_rule("budget_threshold", ["growth"], percent=80)
    mute(ACTOR, a_rule("budget_threshold", ["growth"], percent=100))
    budget = a_budget(100, now=now())
    charge(budget, 80, now())
    evaluate_due()
    assert look_at_crossings().raised == 1
    assert not Crossing.objects.filter(told_at=None).exists()
    assert look_at_crossings().rules == 0
    Budget.objects.filter(pk=budget.pk).update(amount=1000, due_at=now())
    evaluate_due()
    assert look_at_crossings().resolved == 1
    assert sorted(Notice.objects.values_list("kind", flat=True)) == ["raised", "resolved"]


def test_a_crossing_waits_for_a_faulty_rule_and_no_longer_than_a_day(only_mine, monkeypatch):
    rule = a_rule("budget_threshold", percent=80)
    budget = a_budget(100, now=now())
    charge(budget, 80, now())
    evaluate_due()
    AlertRule.objects.filter(pk=rule.pk).update(options={})  # written by another version
    assert look_at_crossings().failed == 1
    assert Crossing.objects.filter(told_at=None).exists()
    AlertRule.objects.filter(pk=rule.pk).update(options={"budget": "", "percent": 80})
    assert look_at_crossings().raised == 1
    Crossing.objects.update(told_at=None)
    AlertRule.objects.filter(pk=rule.pk).update(options={})
    assert look_at_crossings(now() + 2 * DAY).failed == 1
    assert not Crossing.objects.filter(told_at=None).exists()


def test_a_crossing_of_a_clock_that_is_ahead_is_not_lost(only_mine):
    a_rule("budget_threshold", percent=80)
    budget = a_budget(100, now=now())
    charge(budget, 80, now())
    evaluate_due()
    Crossing.objects.update(raised_at=now() + MINUTE)
    assert look_at_crossings().raised == 1


@pytest.mark.django_db(transaction=True)
def test_eight_who_charge_across_a_threshold_and_three_who_look_make_one_alert(only_mine):
    a_rule("budget_threshold", ["growth", "finance"], percent=80)
    budgets = [a_budget(600, name=f"B{n}", thresholds=(80,), now=now()) for n in range(3)]
    finished = []

    def spend():
        try:
            for _ in range(8):
                for budget in budgets:
                    charge(budget, 10, now())
                evaluate_due()
                look_at_crossings()
        finally:
            finished.append(True)

    def watch():
        while len(finished) < 8:
            look()
            look_at_crossings()

    at_once(*[spend] * 8, *[watch] * 3)
    evaluate_due()
    look()
    assert Crossing.objects.count() == 3
    assert sorted(Alert.objects.values_list("facts__subject__budget_id", flat=True)) == [one.pk for one in budgets]
    assert sorted(Notice.objects.values_list("alert__facts__subject__budget_id", "channel__name", "kind")) == sorted(
        (one.pk, name, "raised") for one in budgets for name in ("finance", "growth")
    )
    assert not AlertRule.objects.exclude(problem="").exists()


@pytest.mark.django_db(transaction=True)
def test_several_who_look_at_once_tell_each_cause_once(only_mine):
    for key in ("discovered_workflow", "unpriced_model", "silent_source"):
        a_rule(key, ["growth"])
    Workflow.objects.bulk_create(Workflow(slug=f"new-{n}", name=f"New {n}", status="discovered") for n in range(20))
    at = now() + MINUTE
    results = at_once(*[partial(look, at)] * 6)
    assert sum(one.raised for one in results) == Alert.objects.count() == Notice.objects.count() == 20
    assert sum(one.failed for one in results) == 0


def a_gateway(name="gateway", used=NOW, scopes=("bundle",)):
    key, _ = make_key(name, list(scopes))
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=used, created_at=NOW - 30 * DAY)
    return key


def test_a_gateway_that_stops_asking_is_told_until_it_asks_again(only_mine):
    trigger = StaleGateway()
    rule = AlertRule.objects.create(
        name="Gateways", trigger=trigger.key, options=trigger.clean({"minutes": 30}), since=NOW - DAY
    )
    key = a_gateway()
    a_gateway("sender", scopes=("ingest",))
    a_gateway("never", used=None)
    a_gateway("long ago", used=NOW - 2 * DAY)
    assert tell(rule, trigger.find(rule, NOW + 29 * MINUTE), NOW) == []
    (alert,) = tell(rule, trigger.find(rule, NOW + 30 * MINUTE), NOW)
    assert alert.title == "30 minutes without the policy: the gateway gateway may go by an old one."
    assert tell(rule, trigger.find(rule, NOW + HOUR), NOW) == []
    assert [one.cause for one in trigger.replay(rule, NOW, NOW + HOUR)] == [alert.cause]
    assert trigger.replay(rule, NOW, NOW + 30 * MINUTE) == []
    assert trigger.over(rule, [alert], NOW + HOUR) == []
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=NOW + HOUR)
    assert [one.resolution for one in resolve(rule, trigger.over(rule, [alert], NOW + HOUR), NOW)] == [
        "The gateway gateway asks for the policy again."
    ]
    (again,) = tell(rule, trigger.find(rule, NOW + 2 * HOUR), NOW)
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=NOW)
    assert len(trigger.over(rule, [again], NOW + 2 * HOUR)) == 1


def a_bundle(revision, at):
    row = PolicyBundle.objects.create(epoch=1, revision=revision, body=b"{}")
    PolicyBundle.objects.filter(pk=row.pk).update(created_at=at)


def test_a_gateway_that_says_it_obeys_an_older_policy_is_told_until_it_moves_on(only_mine):
    PolicyBundle.objects.all().delete()
    key, trigger = a_gateway(), StaleGateway()
    a_bundle(1, NOW - 3 * HOUR)
    a_bundle(2, NOW - 2 * HOUR)
    for client, revision, since in (("old", 1, 3), ("new", 2, 2), ("just came to it", 1, 0)):
        for at in (NOW - since * HOUR, NOW):
            take_report(key.pk, Report(client, "ack", epoch=1, revision=revision), at)
    for at in (NOW - 40 * MINUTE, NOW):
        take_report(key.pk, Report("none", "nack", error="No key fits."), at)
    rule = AlertRule.objects.create(
        name="Gateways", trigger=trigger.key, options=trigger.clean({"minutes": 30}), since=NOW - DAY
    )
    told = {one.title: one for one in tell(rule, trigger.find(rule, NOW), NOW)}
    old = told.pop("30 minutes behind: the gateway old goes by revision 1.")
    none = told.pop("30 minutes behind: the gateway none goes by no policy at all.")
    assert told == {}
    assert none.facts["facts"]["It says"] == "No key fits."
    assert tell(rule, trigger.find(rule, NOW + MINUTE), NOW) == []
    assert trigger.over(rule, [old, none], NOW) == []
    take_report(key.pk, Report("old", "ack", epoch=1, revision=2), NOW + MINUTE)
    assert [one.said for one in trigger.over(rule, [old, none], NOW)] == [
        "The gateway old goes by the newest policy again."
    ]
    a_bundle(3, NOW + MINUTE)
    assert trigger.find(rule, NOW + 2 * MINUTE)[0].cause == none.cause  # nobody else is late yet


def test_a_preview_is_bounded_in_days_and_in_time(only_mine, monkeypatch):
    for n, name in enumerate(("old", "new")):
        row = Workflow.objects.create(slug=name, name=name, status="discovered")
        Workflow.objects.filter(pk=row.pk).update(created_at=NOW - (100 - n * 60) * DAY)
    rule = AlertRule(trigger="discovered_workflow", options={})
    replayed = replay_rule(rule, NOW, days=4000)
    assert [one.facts["Workflow"] for one in replayed.findings] == ["new"]
    assert replayed.since == NOW - DAYS * DAY

    def slow(rule, since, until):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr("routing.alerts.history.LONGEST", "20ms")
    monkeypatch.setattr(TRIGGERS["discovered_workflow"], "replay", slow)
    assert replay_rule(rule, NOW).problem == TOO_MUCH
    assert Workflow.objects.filter(slug="new").exists()  # the connection goes on
