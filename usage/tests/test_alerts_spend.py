"""Spend above an amount or its usual: by scope and window, once each, and replayed as it was told."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from budgets.alerts.tell import resolve, tell
from budgets.alerts.trigger import InvalidOptions
from budgets.models import Alert, AlertRule, Organisation, Team, Workflow
from usage.alerts.spend import SpendAbove, SpendUnusual
from usage.models import WideDay
from usage.tests.rows import usage_row

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NANO = 1_000_000_000
ABOVE, UNUSUAL = SpendAbove(), SpendUnusual()


@pytest.fixture(autouse=True)
def berlin():
    Organisation.objects.update(time_zone="Europe/Berlin")


def a_rule(trigger, team=None, since=NOW - 400 * DAY, **options):
    return AlertRule.objects.create(
        name="Spend", trigger=trigger.key, options=trigger.clean(options), team=team, since=since
    )


def look(trigger, rule, now):
    """As the task does it; the causes that are new and the sentences of what is over."""
    told = tell(rule, trigger.find(rule, now), now)
    over = resolve(rule, trigger.over(rule, list(Alert.objects.filter(rule=rule, resolved_at=None)), now), now)
    AlertRule.objects.filter(pk=rule.pk).update(looked_at=now)
    rule.refresh_from_db()
    return [one.cause for one in told], [one.resolution for one in over]


def used(dollars, when, **more):
    usage_row(when, int(dollars * NANO), **more).save()


def test_the_company_above_an_amount_is_told_once_a_day_and_closed_when_it_is_over():
    rule = a_rule(ABOVE, amount="100")
    used(60, NOW - 2 * HOUR)
    assert look(ABOVE, rule, NOW) == ([], [])
    used(40, NOW - HOUR)
    assert look(ABOVE, rule, NOW) == ([], [])  # exactly that much is not above
    used(0.01, NOW - HOUR, model="other")
    assert look(ABOVE, rule, NOW) == (["spend_above:::day:2026-11-18:100"], [])
    alert = Alert.objects.get()
    assert alert.title == "$100 on Wed 18 Nov: the company spent more than $100 in a day."
    assert alert.happened_at == NOW - HOUR + timedelta(minutes=15)
    assert look(ABOVE, rule, NOW + HOUR) == ([], [])
    assert look(ABOVE, rule, datetime(2026, 11, 18, 23, 1, tzinfo=UTC)) == (
        [],
        ["$100 in all on Wed 18 Nov, which is over."],
    )


def test_what_was_exceeded_before_the_rule_was_made_is_not_told():
    used(200, NOW - 2 * HOUR)
    late = a_rule(ABOVE, amount="100", since=NOW - HOUR)
    assert look(ABOVE, late, NOW) == ([], [])
    next_amount = a_rule(ABOVE, amount="300", since=NOW - HOUR)
    used(150, NOW - timedelta(minutes=20))
    assert len(look(ABOVE, next_amount, NOW)[0]) == 1


def test_a_correction_closes_it_within_the_window():
    rule = a_rule(ABOVE, amount="100", window="month")
    used(120, NOW - HOUR)
    assert look(ABOVE, rule, NOW)[0] == ["spend_above:::month:2026-11-01:100"]
    used(-30, NOW - HOUR, model="corrected")
    assert look(ABOVE, rule, NOW)[1] == ["$90 in Nov 2026 after a correction: no longer above $100."]


def test_each_workflow_counts_with_what_was_merged_into_it_and_a_team_sees_its_own():
    growth, ops = Team.objects.create(slug="growth", name="Growth"), Team.objects.create(slug="ops", name="Ops")
    briefs = Workflow.objects.create(slug="briefs", name="Briefs", team=growth)
    old = Workflow.objects.create(slug="old", name="Old", status="merged", merged_into=briefs)
    logs = Workflow.objects.create(slug="logs", name="Logs", team=ops)
    for workflow, dollars in ((briefs, 6), (old, 5), (logs, 20)):
        used(dollars, NOW - HOUR, workflow_id=workflow.pk)
    each = a_rule(ABOVE, dimension="workflow", amount="10")
    assert look(ABOVE, each, NOW)[0] == [
        f"spend_above:workflow:{one.pk}:day:2026-11-18:10"
        for one in sorted((briefs, logs), key=lambda one: str(one.pk))
    ]
    alert = Alert.objects.get(cause__contains=f":{briefs.pk}:")
    assert (alert.team, alert.amount, alert.facts["path"]) == (growth, 11 * NANO, "/workflows/briefs/")
    assert look(ABOVE, a_rule(ABOVE, dimension="workflow", amount="10", team=growth), NOW)[0] == [alert.cause]
    company = a_rule(ABOVE, amount="10", team=growth)
    look(ABOVE, company, NOW)
    assert Alert.objects.get(rule=company).title.endswith("the team Growth spent more than $10 in a day.")
    one = a_rule(ABOVE, dimension="workflow", value="logs", amount="10", window="hour")
    now = NOW - timedelta(minutes=30)
    assert look(ABOVE, one, now) == ([f"spend_above:workflow:{logs.pk}:hour:2026-11-18T11:10"], [])
    assert look(ABOVE, one, NOW) == ([], ["$20 in all between 12:00 and 13:00 on 18 Nov, which is over."])


def test_wide_dimensions_are_read_by_day():
    for value, day, dollars in (("maya", NOW, 8), ("maya", NOW - DAY, 8), ("ben", NOW, 3)):
        WideDay.objects.create(
            dimension="user", day=day.date(), value=value, workflow_id=1, provider="p", model="m", cost=dollars * NANO
        )
    assert look(ABOVE, a_rule(ABOVE, dimension="user", amount="5"), NOW)[0] == [
        "spend_above:user:maya:day:2026-11-18:5"
    ]
    week = a_rule(ABOVE, dimension="user", value="maya", amount="10", window="week")
    assert look(ABOVE, week, NOW)[0] == ["spend_above:user:maya:week:2026-11-16:10"]


def test_far_above_its_usual_needs_a_usual_and_a_minimum():
    rule = a_rule(UNUSUAL, dimension="model", factor="3", minimum="20")
    for days in range(1, 15):
        used(10, NOW - days * DAY, model="steady")
        used(1, NOW - days * DAY, model="small")
    for days in range(1, 4):
        used(10, NOW - days * DAY, model="new")
    used(30, NOW - HOUR, model="steady")
    used(15, NOW - HOUR, model="small")  # fifteen times, but little
    used(99, NOW - HOUR, model="new")  # much, but nobody knows its usual
    assert look(UNUSUAL, rule, NOW) == ([], [])
    used(3, NOW - HOUR, model="steady", stage="more")
    assert look(UNUSUAL, rule, NOW)[0] == ["spend_unusual:model:steady:day:2026-11-18:3:20"]
    assert Alert.objects.get().title == "$33 on Wed 18 Nov: the model steady spent 3.3 times its usual $10 a day."


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"amount": "-1"}, "amount"),
        ({"amount": ""}, "amount"),
        ({"amount": 10**30}, "amount"),
        ({"amount": True}, "amount"),
        ({"window": "year"}, "window"),
        ({"dimension": "user", "window": "hour"}, "window"),
        ({"dimension": "moon"}, "dimension"),
        ({"dimension": ["user"]}, "dimension"),
        ({"value": "x"}, "value"),
        ({"dimension": "workflow", "value": "gone"}, "value"),
        ({"dimension": "team", "value": "gone"}, "value"),
        ({"dimension": "user", "value": "a\0"}, "value"),
    ],
)
def test_options_are_refused_in_sentences(options, field):
    with pytest.raises(InvalidOptions) as refused:
        ABOVE.clean(options)
    assert list(refused.value.problems) == [field]


@pytest.mark.parametrize("factor", ["0", "1001", "x", "NaN", "2.555", None, 1.5])
def test_a_factor_is_a_small_decimal(factor):
    with pytest.raises(InvalidOptions):
        UNUSUAL.clean({"factor": factor})


def test_clean_options_stay_as_they_are_and_read_as_a_sentence():
    clean = ABOVE.clean({"amount": " $1,500.5 ", "dimension": "user"})
    assert clean == ABOVE.clean(clean) == {"dimension": "user", "value": "", "amount": "1500.50", "window": "day"}
    assert ABOVE.sentence(clean) == "Tell me when any user spends more than $1,501 in a day."
    unusual = UNUSUAL.clean({"factor": "2.50"})
    assert unusual == UNUSUAL.clean(unusual)
    assert UNUSUAL.sentence(unusual, "Growth") == (
        "Tell me when the team Growth spends more than 2.5 times its usual and more than $50 in a day."
    )


@pytest.mark.parametrize(
    ("trigger", "options"),
    [
        (ABOVE, {"amount": "20"}),
        (ABOVE, {"amount": "45", "dimension": "model", "window": "week"}),
        (ABOVE, {"amount": "4", "dimension": "model", "window": "hour"}),
        (ABOVE, {"amount": "120", "window": "month"}),
        (UNUSUAL, {"factor": "2", "minimum": "5", "dimension": "model"}),
        (UNUSUAL, {"factor": "1.1", "minimum": "10", "window": "week"}),
    ],
)
def test_replaying_tells_what_was_told(trigger, options):
    """Day by day over eleven weeks and a clock change: each look sees what there is by then."""
    chance = random.Random(7)
    start = datetime(2026, 9, 1, 10, 30, tzinfo=UTC)
    rule, told = a_rule(trigger, since=start + 20 * DAY, **options), []
    for n in range(77):
        at = start + n * DAY
        for model in ("a", "b", "c"):
            for _ in range(2):
                dollars = chance.choice((1, 2, 3, 4)) * (5 if chance.random() < 0.06 else 1 + n // 30)
                used(
                    dollars,
                    at - chance.randint(0, 1400) * timedelta(minutes=1),
                    model=model,
                    stage=str(chance.random()),
                )
        if at >= rule.since:
            told += look(trigger, rule, at)[0]
    replayed = trigger.replay(rule, rule.since, at)
    assert sorted(one.cause for one in replayed) == sorted(told)
    assert len(told) > 1
    assert all(rule.since <= one.happened_at <= at for one in replayed)
