"""Budget triggers: warnings, forecasts; found once, over once, and replayed as they were found."""

from dataclasses import replace
from datetime import timedelta

import pytest

from budgets.alerts.forecast import Forecast
from budgets.alerts.tell import resolve, tell
from budgets.alerts.thresholds import Thresholds
from budgets.alerts.trigger import InvalidOptions
from budgets.limits.calendar import quarter_hour
from budgets.limits.edit import change_budget, values_of
from budgets.limits.evaluate import evaluate_due
from budgets.models import Alert, AlertRule, Budget, BudgetState, Crossing, Team, Workflow
from budgets.tests.made import ACTOR, NOW, a_budget, spend

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONG_AGO = NOW - timedelta(days=3650)
NANO = 1_000_000_000


def a_rule(trigger, team=None, since=LONG_AGO, **options):
    return AlertRule.objects.create(
        name=trigger.words, trigger=trigger.key, options=trigger.clean(options), team=team, since=since
    )


def look(trigger, rule, now):
    """As the task does it; what is new and what is over."""
    told = tell(rule, trigger.find(rule, now), now)
    standing = list(Alert.objects.filter(rule=rule, resolved_at=None))
    over = resolve(rule, trigger.over(rule, standing, now), now)
    AlertRule.objects.filter(pk=rule.pk).update(looked_at=now)
    rule.refresh_from_db()
    return [one.cause for one in told], [one.resolution for one in over]


def dated(crossing_time):
    """Crossings are written at the database's own time; tests live at theirs."""
    Crossing.objects.filter(told_at=None).update(raised_at=crossing_time, told_at=crossing_time)


def test_each_warning_from_the_chosen_one_on_is_told_once():
    trigger, budget = Thresholds(), a_budget(100 * NANO, thresholds=(50, 80, 100))
    rule = a_rule(trigger)
    spend(budget, 60 * NANO)
    dated(NOW)
    assert look(trigger, rule, NOW) == ([], [])
    spend(budget, 41 * NANO)
    dated(NOW)
    first = f"{budget.pk}:2026-11-01"
    assert look(trigger, rule, NOW)[0] == [f"budget:{first}:100:1", f"budget:{first}:80:1"]
    assert look(trigger, rule, NOW) == ([], [])
    alert = Alert.objects.get(cause=f"budget:{first}:80:1")
    assert alert.title == "$101 of $100: the budget Briefs reached 80% of its limit."
    assert (alert.amount, alert.facts["path"]) == (101 * NANO, "/budgets/briefs/")


def test_a_top_up_resolves_and_the_next_crossing_is_told_anew():
    trigger, budget = Thresholds(), a_budget(100 * NANO, thresholds=(80,))
    rule = a_rule(trigger)
    spend(budget, 90 * NANO)
    dated(NOW)
    look(trigger, rule, NOW)
    change_budget(ACTOR, Budget.objects.get(), replace(values_of(Budget.objects.get()), amount=200 * NANO))
    assert look(trigger, rule, NOW) == ([], ["$90 of $200: the budget Briefs is back under 80%."])
    spend(budget, 80 * NANO)
    dated(NOW)
    assert len(look(trigger, rule, NOW)[0]) == 1
    assert Alert.objects.filter(resolved_at=None).count() == 1


def test_what_was_crossed_before_the_rule_is_not_told_and_the_end_of_a_period_closes_it():
    trigger, budget = Thresholds(), a_budget(100, metric="calls", period="day", thresholds=(80,))
    new, old = a_rule(trigger, since=NOW + timedelta(minutes=1)), a_rule(trigger)
    spend(budget, 80)
    dated(NOW)
    assert look(trigger, new, NOW) == ([], [])
    assert len(look(trigger, old, NOW)[0]) == 1
    evaluate_due(now=NOW + DAY)
    assert look(trigger, old, NOW + DAY) == ([], ["80 calls of 100 calls: Briefs, 22 Nov 2026, is over."])


def test_a_rule_with_a_team_tells_of_its_budgets_only():
    growth, other = Team.objects.create(slug="growth", name="Growth"), Team.objects.create(slug="ops", name="Ops")
    Workflow.objects.create(slug="briefs", name="Briefs", team=growth)
    Workflow.objects.create(slug="logs", name="Logs", team=other)
    scopes = {"T": {"team": "growth"}, "W": {"workflow": "briefs"}, "O": {"workflow": "logs"}, "All": {}}
    budgets = {name: a_budget(100, name=name, scope=scope, thresholds=(80,)) for name, scope in scopes.items()}
    for budget in budgets.values():
        spend(budget, 90)
    dated(NOW)
    trigger = Thresholds()
    found = trigger.find(a_rule(trigger, team=growth), NOW)
    assert {one.subject["budget_id"] for one in found} == {budgets["T"].pk, budgets["W"].pk}
    assert {one.team_id for one in found} == {growth.pk}
    one = trigger.find(a_rule(trigger, budget="w"), NOW)
    assert [finding.subject["budget_id"] for finding in one] == [budgets["W"].pk]


def test_options_are_refused_in_sentences():
    for options, field in (({"percent": 0}, "percent"), ({"percent": "many"}, "percent"), ({"budget": "no"}, "budget")):
        with pytest.raises(InvalidOptions) as refused:
            Thresholds().clean(options)
        assert list(refused.value.problems) == [field]
    with pytest.raises(InvalidOptions):
        Thresholds().clean({"surprise": 1})
    clean = Thresholds().clean({"percent": "90"})
    assert clean == Thresholds().clean(clean) == {"budget": "", "percent": 90}
    assert Thresholds().sentence(clean, "Growth") == "Tell me when any budget of Growth reaches 90% of its limit."


def test_a_forecast_is_told_once_and_over_when_the_pace_is_slower():
    trigger, budget = Forecast(), a_budget(300 * NANO)
    rule = a_rule(trigger, over_by="10")
    at = NOW.replace(day=3, hour=0, minute=0)
    spend(budget, 30 * NANO, NOW.replace(day=1, hour=0, minute=0), at)  # two days: $450 by the end
    causes, _ = look(trigger, rule, at)
    assert causes == [f"forecast:{budget.pk}:2026-11-01:1"]
    alert = Alert.objects.get()
    assert alert.title == "$150 over by 30 Nov: the budget Briefs is likely to exceed its limit."
    assert look(trigger, rule, at + DAY) == ([], [])  # $300: not well under yet
    causes, said = look(trigger, rule, at + 3 * DAY)
    assert (causes, said) == ([], ["$180 of $300 by 30 Nov: Briefs is on pace again."])
    spend(budget, 200 * NANO, at + 3 * DAY, at + 3 * DAY)
    assert look(trigger, rule, at + 3 * DAY) == ([], [])  # once in a period


def test_a_forecast_comes_from_the_forecast_job_where_there_is_one():
    trigger, budget = Forecast(), a_budget(300 * NANO)
    rule = a_rule(trigger)
    spend(budget, 1 * NANO, NOW)
    assert look(trigger, rule, NOW) == ([], [])
    BudgetState.objects.update(projected=400 * NANO, projected_at=NOW - 4 * DAY)
    assert look(trigger, rule, NOW) == ([], []), "too old to go by"
    BudgetState.objects.update(projected=400 * NANO, projected_at=NOW)
    assert len(look(trigger, rule, NOW)[0]) == 1
    BudgetState.objects.update(projected=100 * NANO)
    assert look(trigger, rule, NOW)[1] == ["$100 of $300 by 30 Nov: Briefs is on pace again."]


@pytest.mark.parametrize("pattern", ["even", "working_days"])
def test_replaying_tells_what_was_told(pattern):
    """Three weeks, hour by hour where anything was used: what the looks told, a replay tells."""
    warnings, forecast = Thresholds(), Forecast()
    budgets = [
        a_budget(50 * NANO, name="Weekly", period="week", pace=pattern, thresholds=(50, 80, 100)),
        a_budget(180 * NANO, name="Monthly", pace=pattern, thresholds=(80,)),
    ]
    rules = {warnings: a_rule(warnings, percent=50), forecast: a_rule(forecast)}
    start = NOW.replace(day=1, hour=0, minute=0)
    told = {warnings: [], forecast: []}
    for n in range(21 * 2):
        at = start + n * 12 * HOUR
        for k, budget in enumerate(budgets):
            if (n * 7 + k * 3) % 5:
                spend(budget, (1 + (n * 13 + k) % 9) * NANO, at, at)
        dated(at)
        for trigger, rule in rules.items():
            told[trigger] += look(trigger, rule, at + HOUR)[0]
    until = start + 21 * DAY
    for trigger, rule in rules.items():
        replayed = trigger.replay(rule, start, until)
        assert sorted(one.cause for one in replayed) == sorted(told[trigger])
        assert told[trigger]
    half = start + 10 * DAY
    both = warnings.replay(rules[warnings], start, half) + warnings.replay(rules[warnings], half, until)
    assert sorted(one.cause for one in both) == sorted(told[warnings])


def test_a_preview_shows_what_a_new_budget_would_have_reached_in_the_period_before():
    trigger, rule = Thresholds(), AlertRule(trigger="budget_threshold", options={"budget": "", "percent": 80})
    budget = a_budget(100 * NANO, thresholds=(50, 80, 100))
    october = NOW - 30 * DAY
    for days, dollars in ((0, 60), (2, 25), (4, 10)):
        spend(budget, dollars * NANO, october + days * DAY)
    evaluate_due(now=NOW)
    Crossing.objects.all().delete()
    Budget.objects.update(opened_at=NOW)  # made today; its use in October was read from the ledger
    (found,) = trigger.replay(rule, NOW - 90 * DAY, NOW)
    assert found.title == "$85 of $100: the budget Briefs reached 80% of its limit."
    assert found.happened_at == quarter_hour(october + 2 * DAY) + timedelta(minutes=15)
    assert trigger.replay(rule, NOW - 20 * DAY, NOW) == []
    spend(budget, 90 * NANO, NOW)
    dated(NOW)
    assert len(trigger.replay(rule, NOW - 90 * DAY, NOW + DAY)) == 2
