"""Making, changing, pausing, archiving and undoing: validated, audited, judged at once, never over somebody else."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from hypothesis import given
from hypothesis import strategies as st

from budgets.limits.edit import (
    BudgetValues,
    InvalidBudget,
    RefusedEdit,
    StaleEdit,
    archive_budget,
    change_budget,
    create_budget,
    last_change,
    pause_budget,
    resume_budget,
    undo_change,
    validate,
    values_of,
)
from budgets.limits.evaluate import evaluate_due
from budgets.models import AuditEntry, Budget, BudgetCharge, BudgetSeries, Organisation, Team, Workflow
from budgets.tests.made import ACTOR, NOW, a_budget, charge, spend, state, told

pytestmark = pytest.mark.django_db
FINE = BudgetValues(name="Briefs", amount=1000)


@pytest.fixture(autouse=True)
def today():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"name": "  "}, "name", "name that its readers know"),
        ({"name": "x" * 129}, "name", "too long"),
        ({"name": "a\0"}, "name", "cannot be stored"),
        ({"slug": "No Slug"}, "slug", "small letters"),
        ({"amount": 0}, "amount", "above zero"),
        ({"amount": 10**18 + 1}, "amount", "larger"),
        ({"scope": {"planet": "mars"}}, "scope", "cannot cover"),
        ({"scope": {"team": "nobody"}}, "scope", "no team “nobody”"),
        ({"scope": {"workflow": "nothing"}}, "scope", "no workflow “nothing”"),
        ({"metric": "gold"}, "metric", "money, tokens, calls"),
        ({"period": "decade"}, "period", "Choose a period"),
        ({"pace": "fast"}, "pace", "Choose a pace"),
        ({"on_exhausted": "explode"}, "on_exhausted", "Choose what happens"),
        ({"on_exhausted": "downgrade"}, "action_settings", "which models"),
        ({"on_exhausted": "downgrade", "action_settings": {"tier": 0}}, "action_settings", "which models"),
        ({"on_exhausted": "throttle", "action_settings": {"per_minute": 0}}, "action_settings", "calls a minute"),
        ({"thresholds": ()}, "thresholds", "want to be told"),
        ({"thresholds": (0,)}, "thresholds", "1 to 1000"),
        ({"thresholds": tuple(range(1, 14))}, "thresholds", "at most 12"),
        ({"carry_over": Decimal("1.1")}, "carry_over", "0 to 100 percent"),
        ({"carry_over": Decimal("NaN")}, "carry_over", "0 to 100 percent"),
        ({"carry_over": Decimal("0.0001")}, "carry_over", "steps of 0.1"),
        ({"period": "fixed"}, "starts_on", "first day"),
        ({"period": "fixed", "starts_on": date(2026, 1, 1)}, "ends_on", "last day"),
        (
            {"period": "fixed", "starts_on": date(2026, 1, 2), "ends_on": date(2026, 1, 1)},
            "ends_on",
            "before the first",
        ),
        ({"period": "fixed", "starts_on": date(2026, 1, 2), "ends_on": date(2096, 1, 1)}, "ends_on", "ten years"),
        ({"owner_id": 4711}, "owner_id", "not known here"),
    ],
)
def test_what_cannot_be_saved_is_said_in_a_sentence(change, field, says):
    problems = validate(replace(FINE, **change))
    assert says in problems[field]
    with pytest.raises(InvalidBudget) as refused:
        create_budget(ACTOR, replace(FINE, **change))
    assert refused.value.problems == problems
    assert not Budget.objects.exists()


def test_fixed_dates_carry_nothing_over():
    dates = {"period": "fixed", "starts_on": date(2026, 1, 1), "ends_on": date(2026, 1, 9)}
    assert validate(replace(FINE, **dates)) == {}
    assert "no next period" in validate(replace(FINE, **dates, carry_over=Decimal("0.1")))["carry_over"]


values = st.builds(
    BudgetValues,
    name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40),
    amount=st.integers(1, 10**18),
    scope=st.dictionaries(st.sampled_from(["model", "user", "tag"]), st.sampled_from(["a=b", "c=d"])),
    period=st.sampled_from(Budget.Period.values),
    starts_on=st.none() | st.dates(date(2020, 1, 1), date(2022, 1, 1)),
    ends_on=st.none() | st.dates(date(2022, 1, 2), date(2024, 1, 1)),
    carry_over=st.decimals(0, 1, places=3),
    thresholds=st.lists(st.integers(1, 1000), min_size=1, max_size=12).map(tuple),
    on_exhausted=st.sampled_from(Budget.Action.values),
    action_settings=st.dictionaries(st.sampled_from(["tier", "per_minute", "other"]), st.integers(1, 9)),
)


@given(values)
def test_values_survive_the_history(stated):
    tidy = stated.tidied()
    assert tidy.tidied() == tidy
    assert BudgetValues.of_json(tidy.as_json()) == tidy


def test_values_survive_the_database():
    Team.objects.create(slug="growth", name="Growth")
    stated = BudgetValues(
        name="  Growth,  spring ",
        amount=10**18,
        scope={"tier": "3", "team": "growth", "tag": "campaign=spring", "user": ""},
        metric="tokens",
        carry_over=Decimal("0.25"),
        thresholds=(100, 50, 50),
        on_exhausted="throttle",
        action_settings={"per_minute": 60, "tier": 2},
        pace="working_days",
    )
    made = create_budget(ACTOR, stated)
    read = Budget.objects.get()
    assert values_of(read) == replace(stated.tidied(), slug="growth-spring")
    assert read.name == "Growth, spring" and read.thresholds == [50, 100] and read.action_settings == {"per_minute": 60}
    assert list(read.scope) == ["tag", "team", "tier"] or list(read.scope) == ["team", "tier", "tag"]
    assert made.generation == Organisation.get().generation and made.opened_generation == 0


def test_short_names_are_made_and_kept_apart():
    assert [create_budget(ACTOR, replace(FINE, name="Ünï 日本")).slug for _ in range(3)] == ["uni", "uni-2", "uni-3"]
    assert create_budget(ACTOR, replace(FINE, name="日本")).slug == "budget"
    with pytest.raises(InvalidBudget, match="already a budget"):
        create_budget(ACTOR, replace(FINE, slug="uni-2"))


def test_every_act_leaves_a_row_of_history_and_a_generation():
    who = get_user_model().objects.create_user("ada")
    actor = replace(ACTOR, user=who, text="ada")
    before = Organisation.get().generation
    budget = create_budget(actor, FINE, "Why not")
    change_budget(actor, budget, replace(FINE, amount=2000, owner_id=who.pk), "More")
    pause_budget(actor, budget)
    resume_budget(actor, budget)
    archive_budget(actor, budget, "Over")
    rows = list(AuditEntry.objects.order_by("id"))
    assert [(row.act, row.reason) for row in rows] == [
        ("created", "Why not"),
        ("changed", "More"),
        ("paused", ""),
        ("resumed", ""),
        ("archived", "Over"),
    ]
    assert {row.who_id for row in rows} == {who.pk}
    assert rows[0].before is None and rows[0].after["amount"] == 1000
    assert (rows[1].before["amount"], rows[1].after["amount"]) == (1000, 2000)
    assert rows[4].before == {"status": "active"} and rows[4].after == {"status": "archived"}
    assert Organisation.get().generation == before + 5
    with pytest.raises(RefusedEdit, match="archived"):
        change_budget(actor, budget, FINE)
    with pytest.raises(RefusedEdit, match="archived"):
        resume_budget(actor, budget)


def test_an_edit_never_overwrites_one_that_its_author_did_not_see():
    budget = create_budget(ACTOR, FINE)
    seen = budget.edit_version
    change_budget(ACTOR, budget, replace(FINE, name="Other"), expected_version=seen)
    with pytest.raises(StaleEdit) as stale:
        change_budget(ACTOR, budget, replace(FINE, amount=5), expected_version=seen)
    assert stale.value.budget.name == "Other"
    for act in (pause_budget, archive_budget):
        with pytest.raises(StaleEdit):
            act(ACTOR, budget, expected_version=seen)
    budget.refresh_from_db()
    assert (budget.name, budget.amount, budget.status, budget.edit_version) == ("Other", 1000, "active", seen + 1)


def test_saving_the_same_again_changes_nothing():
    budget = create_budget(ACTOR, FINE)
    again = change_budget(ACTOR, budget, replace(FINE, name=" Briefs "))
    assert again.edit_version == 1 and AuditEntry.objects.count() == 1


def test_a_name_leaves_the_limit_and_an_amount_leaves_the_series():
    budget = a_budget(1000)
    spend(budget, 10)
    renamed = change_budget(ACTOR, budget, replace(values_of(budget), name="New", on_exhausted="block"))
    assert (renamed.limit_version, renamed.opened_generation) == (1, budget.generation)
    larger = change_budget(ACTOR, budget, replace(values_of(renamed), amount=2000, thresholds=(90,)))
    assert larger.limit_version == 2 and larger.generation == budget.generation
    assert (state(budget).limit, state(budget).spent, state(budget).limit_version) == (2000, 10, 2)


@pytest.mark.parametrize(
    "change", [{"scope": {"model": "m"}}, {"metric": "tokens"}, {"period": "week"}], ids=["scope", "metric", "period"]
)
def test_another_scope_metric_or_period_is_read_from_the_ledger_anew(change):
    budget = a_budget(1000)
    spend(budget, 10)
    charge(budget, 5)
    changed = change_budget(ACTOR, budget, replace(values_of(budget), **change))
    assert changed.generation == Organisation.get().generation > changed.opened_generation
    assert not BudgetCharge.objects.exists() and not BudgetSeries.objects.exists() and not budget.states.exists()
    charge(budget, 7)
    assert evaluate_due(now=NOW).budget_ids == ()
    assert BudgetCharge.objects.count() == 1


def test_a_top_up_resolves_and_the_next_crossing_is_told_again():
    budget = a_budget(100, thresholds=(50, 100))
    spend(budget, 120)
    assert [row[1:] for row in told(budget)] == [("crossed", 50, 1), ("crossed", 100, 1)]
    change_budget(ACTOR, budget, replace(values_of(budget), amount=200))
    # Judged within the edit; half of it is still spent, which people know.
    assert [row[1:] for row in told(budget)][2:] == [("resolved", 100, 1)]
    assert state(budget).status == "warning"
    spend(budget, 80)
    assert [row[1:] for row in told(budget)][3:] == [("crossed", 100, 2)]
    change_budget(ACTOR, budget, replace(values_of(Budget.objects.get()), amount=201))
    spend(budget, 1)
    assert [row[1:] for row in told(budget)][4:] == [("resolved", 100, 2), ("crossed", 100, 3)]


def test_a_top_up_is_judged_at_the_spend_of_its_own_moment():
    """A charge that waits when the amount is raised counts before it, one that comes later after it."""
    budget = a_budget(100, thresholds=(100,))
    spend(budget, 100)
    charge(budget, 60)
    change_budget(ACTOR, budget, replace(values_of(budget), amount=150))
    assert [row[1:] for row in told(budget)] == [("crossed", 100, 1)]
    assert state(budget).spent == 160
    change_budget(ACTOR, budget, replace(values_of(budget), amount=170))
    charge(budget, 10)
    evaluate_due(now=NOW)
    assert [row[1:] for row in told(budget)][1:] == [("resolved", 100, 1), ("crossed", 100, 3)]


def test_an_archived_budget_keeps_what_was_charged_and_counts_no_more():
    budget = a_budget(100)
    charge(budget, 40)
    archived = archive_budget(ACTOR, budget)
    assert state(budget).spent == 40 and archived.due_at is None
    assert not BudgetCharge.objects.exists()
    from budgets.limits import book

    assert book.load(1).match({}) == ()


def test_undo_restores_what_was_there_before():
    budget = a_budget(100, thresholds=(100,))
    spend(budget, 150)
    change_budget(ACTOR, budget, replace(values_of(budget), amount=200, name="Raised"), "Fair")
    entry = last_change(budget)
    back = undo_change(ACTOR, budget, entry)
    assert (back.amount, back.name, back.limit_version) == (100, "Briefs", 3)
    assert state(budget).status == "exhausted"
    assert last_change(budget).reason == "Undo of “changed” by command test"
    with pytest.raises(StaleEdit):
        undo_change(ACTOR, budget, entry)
    assert undo_change(ACTOR, budget).amount == 200
    pause_budget(ACTOR, budget)
    assert undo_change(ACTOR, budget).status == "active"
    assert undo_change(ACTOR, budget).status == "paused"


def test_undo_of_making_archives_and_undo_of_archiving_reads_the_ledger_anew():
    budget = create_budget(ACTOR, FINE)
    assert undo_change(ACTOR, budget).status == "archived"
    restored = undo_change(ACTOR, budget)
    assert (
        restored.status == "active"
        and restored.opened_generation < restored.generation == Organisation.get().generation
    )
    assert undo_change(ACTOR, budget).status == "archived"
    ancient = Budget.objects.create(slug="ancient", name="Ancient", amount=1)
    with pytest.raises(RefusedEdit, match="no earlier version"):
        undo_change(ACTOR, ancient)


def test_a_budget_may_cover_a_workflow_that_exists():
    Workflow.objects.create(slug="seo", name="SEO")
    assert validate(replace(FINE, scope={"workflow": "seo"})) == {}
