"""Runs, models without a price, discovered workflows, silent sources: told once, over once, replayed as told."""

from datetime import UTC, datetime, timedelta

import pytest

from budgets.access.keys import make_key
from budgets.alerts.findings import cause_of
from budgets.alerts.tell import resolve, tell
from budgets.alerts.trigger import InvalidOptions
from budgets.audit.record import Actor
from budgets.models import Alert, AlertRule, ApiKey, Organisation, PlannedActivity, Source, Team, Workflow
from budgets.workflows.edit import WorkflowValues, create_workflow
from usage.alerts.discovered import DiscoveredWorkflow
from usage.alerts.runs import OneRun
from usage.alerts.silent import SilentSource
from usage.alerts.unpriced import UnpricedModel
from usage.models import PriceEntry, Run, SourceHour
from usage.prices import book
from usage.tests.events import price_the_model
from usage.tests.rows import usage_row

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
NANO = 1_000_000_000
ACTOR = Actor.command("test")


def a_rule(trigger, team=None, since=NOW - 100 * DAY, **options):
    return AlertRule.objects.create(
        name="Rule", trigger=trigger.key, options=trigger.clean(options), team=team, since=since
    )


def look(trigger, rule, now):
    """As the task does it; the causes that are new and the sentences of what is over."""
    told = tell(rule, trigger.find(rule, now), now)
    over = resolve(rule, trigger.over(rule, list(Alert.objects.filter(rule=rule, resolved_at=None)), now), now)
    AlertRule.objects.filter(pk=rule.pk).update(looked_at=now)
    rule.refresh_from_db()
    return [one.cause for one in told], [one.resolution for one in over]


def a_run(name, dollars, steps=0, last_call=NOW, workflow=None, **values):
    return Run.objects.create(
        workflow_id=workflow.pk if workflow else 1,
        run_id=name,
        first_call=last_call - HOUR,
        last_call=last_call,
        calls=values.pop("calls", 3),
        cost=int(dollars * NANO),
        max_step=steps,
    )


def test_a_dear_or_long_run_is_told_once_and_closed_when_it_is_quiet():
    growth = Team.objects.create(slug="growth", name="Growth")
    briefs = Workflow.objects.create(slug="briefs", name="Briefs", team=growth)
    rule, trigger = a_rule(OneRun(), amount="5", steps="20"), OneRun()
    a_run("cheap", 5, 20, workflow=briefs)
    a_run("old", 9, last_call=NOW - 101 * DAY)
    dear, long = a_run("dear", 7.2, 3, workflow=briefs), a_run("long", 1, 21, workflow=briefs)
    a_run("withdrawn", 8, calls=0)
    causes, _ = look(trigger, rule, NOW)
    assert len(causes) == 2
    assert Alert.objects.get(cause=f"run:{briefs.pk}:dear:{5 * NANO}:20").team == growth
    assert [one.title for one in Alert.objects.order_by("-amount")] == [
        "$7.20 for one run of Briefs: more than $5.00.",
        "$1.00 for one run of Briefs: 21 steps, more than 20.",
    ]
    Run.objects.filter(pk=dear.pk).update(cost=9 * NANO, last_call=NOW + 30 * MINUTE)
    Run.objects.filter(pk=long.pk).update(max_step=20)
    assert look(trigger, rule, NOW + HOUR) == ([], ["$1.00 after a correction: no longer above."])
    assert look(trigger, rule, NOW + 2 * HOUR) == ([], ["$9.00, 3 steps in all: the run made no call for an hour."])
    assert look(trigger, rule, NOW + 3 * HOUR) == ([], [])
    assert {one.cause for one in trigger.replay(rule, NOW - 90 * DAY, NOW + DAY)} == {
        f"run:{briefs.pk}:dear:{5 * NANO}:20"
    }


def test_a_rule_about_runs_needs_a_bound_and_may_name_a_workflow():
    with pytest.raises(InvalidOptions):
        OneRun().clean({})
    briefs = Workflow.objects.create(slug="briefs", name="Briefs")
    old = Workflow.objects.create(slug="old", name="Old", status="merged", merged_into=briefs)
    a_run("1", 9, workflow=old)
    a_run("2", 9)
    (found,) = OneRun().find(a_rule(OneRun(), workflow="briefs", amount="5"), NOW)
    assert found.title == "$9.00 for one run of Briefs: more than $5.00."
    assert OneRun().sentence(OneRun().clean({"workflow": "briefs", "amount": 5, "steps": 1200})) == (
        "Tell me when one run of briefs costs more than $5.00 or takes more than 1,200 steps."
    )


def test_runs_are_replayed_as_they_were_told():
    trigger, rule, told = OneRun(), a_rule(OneRun(), amount="5", since=NOW), []
    for n in range(30):
        at = NOW + n * 7 * HOUR
        a_run(f"run {n}", n % 4 * 2, last_call=at - MINUTE)
        told += look(trigger, rule, at)[0]
    assert sorted(one.cause for one in trigger.replay(rule, rule.since, at)) == sorted(told)
    assert len(told) == 7


def unpriced(when, model="mystery", calls=3, **more):
    usage_row(when, 0, model=model, unpriced=calls, calls=calls, provider="acme", **more).save()


def test_a_model_without_a_price_is_told_until_it_has_one_and_anew_when_it_loses_it():
    book.forget()
    trigger, rule = UnpricedModel(), a_rule(UnpricedModel(), since=NOW - DAY)
    unpriced(NOW - 2 * DAY, "ancient")
    unpriced(NOW - HOUR)
    unpriced(NOW - 2 * HOUR, service_tier="batch")
    assert look(trigger, rule, NOW) == (["unpriced:acme:mystery:0"], [])
    assert Alert.objects.get().title == "6 calls without a price: mystery is used, and nobody knows what it costs."
    assert look(trigger, rule, NOW + HOUR) == ([], [])
    price_the_model(model="mystery")
    book.forget()
    assert look(trigger, rule, NOW + HOUR) == ([], [])  # batch has none yet
    PriceEntry.objects.create(
        provider="acme", model="mystery", service_tier="batch", valid_from=NOW - DAY, input=1, output=1
    )
    book.forget()
    assert look(trigger, rule, NOW + HOUR)[1] == [
        "mystery has a price now. Price its past calls on the page of prices."
    ]
    assert look(trigger, rule, NOW + 2 * HOUR) == ([], [])
    PriceEntry.objects.filter(model="mystery", service_tier="batch").update(valid_to=NOW + 3 * HOUR)
    book.forget()
    assert look(trigger, rule, NOW + 4 * HOUR) == (["unpriced:acme:mystery:1"], [])
    assert look(trigger, rule, NOW + 5 * HOUR) == ([], [])


def test_models_without_a_price_are_replayed_as_they_were_told():
    book.forget()
    trigger, rule, told = UnpricedModel(), a_rule(UnpricedModel(), since=NOW), []
    for n in range(20):
        at = NOW + n * DAY
        unpriced(at - HOUR, f"model {n % 5}", stage=str(n))
        told += look(trigger, rule, at)[0]
    assert sorted(one.cause for one in trigger.replay(rule, rule.since, at)) == sorted(told)
    assert len(told) == 5


def test_a_discovered_workflow_is_told_until_somebody_deals_with_it():
    trigger, rule, told = DiscoveredWorkflow(), a_rule(DiscoveredWorkflow(), since=NOW), []
    for n, name in enumerate(("before", "one", "two", "three")):
        row = Workflow.objects.create(slug=name, name=name, status="discovered")
        Workflow.objects.filter(pk=row.pk).update(created_at=NOW + (n - 1) * DAY + MINUTE)
        told += look(trigger, rule, NOW + n * DAY)[0]
    made = create_workflow(ACTOR, WorkflowValues(slug="made", name="Made"))
    Workflow.objects.filter(pk=made.pk).update(created_at=NOW + DAY)
    pks = dict(Workflow.objects.values_list("slug", "pk"))
    assert told == [f"discovered:{pks[name]}" for name in ("one", "two", "three")]
    replayed = trigger.replay(rule, NOW, NOW + 4 * DAY)
    assert [one.cause for one in replayed] == told
    Workflow.objects.filter(slug="one").update(status="ignored")
    Workflow.objects.filter(slug="two").update(status="production")
    Workflow.objects.filter(slug="three").update(status="merged", merged_into=pks["two"])
    assert sorted(look(trigger, rule, NOW + 5 * DAY)[1]) == [
        "one: it is ignored now.",
        "three: it counts under two now.",
        "two: somebody answers for it now.",
    ]
    assert [one.cause for one in trigger.replay(rule, NOW, NOW + 4 * DAY)] == told
    assert trigger.find(a_rule(trigger, team=Team.objects.create(slug="t", name="T")), NOW) == []


def a_source(slug="gateway", team=None):
    key, _ = make_key(slug, ["ingest"], source=slug)
    ApiKey.objects.filter(pk=key.pk).update(created_at=NOW - 100 * DAY)
    if team:
        key.teams.add(team)
    return Source.objects.get(slug=slug)


def heard(source, when):
    hour = when.replace(minute=when.minute - when.minute % 15, second=0)
    SourceHour.objects.update_or_create(source_id=source.pk, hour=hour, defaults={"events": 1, "last_at": when})


def quiet(starts, ends, **values):
    values = {"name": "Quiet", "kind": "pause", "expects": "none", "is_all_day": False} | values
    PlannedActivity.objects.create(starts_at=starts, ends_at=ends, **values)


def test_a_silent_source_is_told_once_and_when_it_speaks_again():
    trigger, source = SilentSource(), a_source()
    rule = a_rule(trigger, hours="24")
    a_source("never-sent")
    heard(source, NOW)
    assert look(trigger, rule, NOW + 24 * HOUR - MINUTE) == ([], [])
    assert look(trigger, rule, NOW + 24 * HOUR) == (
        [cause_of("silent", source.pk, NOW.isoformat(), 24)],
        [],
    )
    assert Alert.objects.get().title == "24 hours of silence: gateway has sent nothing."
    assert look(trigger, rule, NOW + 30 * HOUR) == ([], [])
    heard(source, NOW + 31 * HOUR)
    assert look(trigger, rule, NOW + 31 * HOUR) == ([], ["gateway sends again, since 19:00."])
    assert len(look(trigger, rule, NOW + 56 * HOUR)[0]) == 1  # another silence
    ApiKey.objects.update(revoked_at=NOW)
    assert look(trigger, rule, NOW + 57 * HOUR) == (
        [],
        ["gateway has no key any more, so nothing is expected of it."],
    )


def test_what_was_silent_before_the_rule_is_not_told():
    source = a_source()
    heard(source, NOW - 3 * DAY)
    assert look(SilentSource(), a_rule(SilentSource(), since=NOW), NOW + HOUR) == ([], [])


def test_planned_silence_does_not_count():
    growth = Team.objects.create(slug="growth", name="Growth")
    trigger, ours, all_of_us = SilentSource(), a_source("ours", growth), a_source("everyone")
    rule = a_rule(trigger, hours="10")
    heard(ours, NOW)
    heard(all_of_us, NOW)
    quiet(NOW + 4 * HOUR, NOW + 20 * HOUR)  # everybody
    quiet(NOW + 22 * HOUR, NOW + 30 * HOUR, team=growth)
    quiet(NOW, NOW + 90 * HOUR, workflow=Workflow.objects.create(slug="w", name="W"))
    quiet(NOW, NOW + 90 * HOUR, expects="less", kind="other")
    assert look(trigger, rule, NOW + 26 * HOUR - MINUTE) == ([], [])
    (cause,) = look(trigger, rule, NOW + 26 * HOUR)[0]
    assert cause.startswith(f"silent:{all_of_us.pk}:")
    assert look(trigger, rule, NOW + 34 * HOUR - MINUTE) == ([], [])
    (cause,) = look(trigger, rule, NOW + 34 * HOUR)[0]
    assert cause.startswith(f"silent:{ours.pk}:")
    assert Alert.objects.get(cause=cause).team == growth


def test_silence_is_replayed_as_it_was_told():
    trigger, source, other = SilentSource(), a_source(), a_source("other")
    rule, told = a_rule(trigger, hours="8", since=NOW), []
    Organisation.objects.update(time_zone="Asia/Kathmandu")
    quiet(NOW + 2 * DAY, NOW + 3 * DAY, recurrence="FREQ=WEEKLY", is_all_day=True)
    heard(source, NOW - HOUR)
    for n in range(24 * 7):
        at = NOW + n * HOUR
        if n % 23 < 12 or n % 90 > 60:
            heard(source, at - 7 * MINUTE)
        if n % 31 < 20:
            heard(other, at - 20 * MINUTE)
        told += look(trigger, rule, at)[0]
    replayed = [one.cause for one in trigger.replay(rule, rule.since, at)]
    assert sorted(replayed) == sorted(told)
    assert len(told) > 4


@pytest.mark.parametrize("options", [{"hours": 0}, {"hours": 721}, {"hours": "1.5"}, {"source": "gone"}])
def test_options_of_silence_are_refused(options):
    with pytest.raises(InvalidOptions):
        SilentSource().clean(options)
