"""Known exports, budgets and workflows from CSV: what their lines become, what is told, what undo restores."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from budgets.limits.edit import BudgetValues, change_budget, create_budget, values_of
from budgets.models import NANO, Budget, Team, Workflow
from budgets.workflows.edit import change_workflow
from budgets.workflows.edit import values_of as workflow_values
from usage.imports.kinds import all_kinds
from usage.ledger.check import check_ledger
from usage.models import LedgerEntry, PriceEntry
from usage.prices import book
from usage.rollups.fold import fold_all
from usage.tests.imports_made import ME, SAMPLES, checked, counts, first_rows, imported, said, taken, undone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def rows():
    first_rows()


def sample(name):
    return (SAMPLES / f"{name}.csv").read_bytes()


def price(provider, model, **values):
    values = {"input": "3", "cached_input": "0.3", "cache_write": "3.75", "output": "15", **values}
    stated = {name: Decimal(one) if isinstance(one, str) else one for name, one in values.items()}
    PriceEntry.objects.create(provider=provider, model=model, valid_from=datetime(2020, 1, 1, tzinfo=UTC), **stated)
    book.forget()


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("claude_console_tokens", "claude_console_tokens", (4, 1, 0, 1)),
        ("claude_console_costs", "claude_console_costs", (3, 0, 0, 0)),
        ("openrouter_calls", "openrouter_calls", (2, 1, 0, 0)),
        ("openrouter_days", "openrouter_days", (1, 0, 0, 1)),
        ("cursor", "cursor", (2, 1, 0, 1)),
        ("cursor_new", "cursor", (1, 0, 0, 0)),
        ("bedrock", "bedrock", (6, 1, 0, 2)),
    ],
)
def test_a_known_export_needs_no_columns_and_counts_once(name, key, expected):
    assert taken(sample(name)).options["known"] == key
    run = imported(sample(name))
    assert counts(run) == expected, said(run)
    again = checked(sample(name))
    assert counts(again) == (0, expected[1], expected[0], expected[3])
    fold_all()
    assert check_ledger() == []
    assert not LedgerEntry.objects.filter(cost=0, measured=True).exclude(input_tokens=0).exists()
    undone(run)
    assert counts(imported(sample(name))) == expected
    fold_all()
    assert check_ledger() == []


def test_claude_console_counts_inclusively_and_long_calls_cost_more():
    price("anthropic", "claude-sonnet-4-5", steps=[{"from_input_tokens": 200_001, "input": "6", "output": "22.5"}])
    run = imported(sample("claude_console_tokens"), workflow_from="workspace")
    first, batch, long, *parts = LedgerEntry.objects.order_by("time", "service_tier", "id")
    if first.service_tier == "batch":
        first, batch = batch, first
    assert (first.input_tokens, first.cached_input_tokens, first.cache_write_tokens) == (200_000, 75_000, 5_000)
    # 120,000 × 3 + 75,000 × 0.3 + 5,000 × 3.75 + 30,000 × 15 dollars a million
    assert first.cost == 851_250_000
    assert (batch.service_tier, batch.cost, batch.unpriced) == ("batch", None, 1)
    assert long.cost == 300_000 * 6_000 + 5_000 * 22_500
    assert sum(part.input_tokens for part in parts) == 350_000_000
    assert sum(part.cost for part in parts) == 90_000_000 * 3_000 + 260_000_000 * 300 + 7_000_000 * 15_000
    assert len(parts) == 4
    assert set(Workflow.objects.values_list("slug", flat=True)) == {"unassigned", "blog", "ads"}
    assert dict(run.summary)["Lines that sum many calls"].endswith("how many calls is not stated")
    assert said(run)[0][1] == "usage_input_tokens_no_cache"


def test_a_cost_export_is_never_free_and_never_our_price():
    run = imported(sample("claude_console_costs"))
    assert set(LedgerEntry.objects.values_list("cost", "measured", "unpriced")) == {(None, False, 0)}
    assert dict(run.summary)["Cost as the file states it"] == "$0.83"
    assert dict(run.summary)["Cost at our prices"] == "No price yet"


def test_openrouter_calls_and_days():
    imported(sample("openrouter_calls"))
    one, two = LedgerEntry.objects.order_by("time")
    assert (one.event_id, one.input_tokens, one.cached_input_tokens, one.output_tokens) == ("gen-1", 1200, 200, 300)
    assert (one.reported_cost, one.application, one.latency_ms) == (2_100_000, "Blog writer", 2100)
    assert (two.status, two.model, two.reported_cost) == ("cancelled", "openai/gpt-4.1-mini:free", 4_000_000)
    run = imported(sample("openrouter_days"))
    day = LedgerEntry.objects.get(source_id=run.pk and LedgerEntry.objects.order_by("-id")[0].source_id)
    assert (day.tags["calls"], day.reported_cost, day.time.hour) == ("1204", 1_750_000_000, 12)


def test_cursor_columns_are_read_by_their_total():
    run = imported(sample("cursor"))
    one, two = LedgerEntry.objects.order_by("time")
    assert (one.input_tokens, one.cache_write_tokens, one.cached_input_tokens, one.reported_cost) == (
        5500, 1000, 4000, None
    )  # fmt: skip
    assert (two.input_tokens, two.cache_write_tokens, two.reported_cost) == (5000, 600, 40_000_000)
    assert said(run)[0][:2] == (5, "Total Tokens")
    undone(run)
    forced = imported(sample("cursor"), cursor_input="apart")
    assert forced.good == 3


def test_bedrock_usage_types():
    imported(sample("bedrock"))
    found = set(LedgerEntry.objects.values_list("model", "service_tier", "input_tokens", "output_tokens"))
    assert found == {
        ("global.anthropic.claude-opus-4-6", "standard", 120_500, 0),
        ("anthropic.claude-opus-4-6", "standard", 1_000_000, 0),
        ("anthropic.claude-opus-4-6", "standard", 10_000, 0),
        ("global.anthropic.claude-opus-4-8", "standard", 10_000, 0),
        ("anthropic.claude-opus-4-6", "batch", 10_000, 0),
        ("anthropic.claude-opus-4-6", "standard", 0, 20_000),
    }


def test_budgets_are_made_changed_and_taken_back():
    old = create_budget(ME, BudgetValues(name="Old one", amount=100 * NANO))
    before = values_of(old)
    text = (
        "name,slug,amount,period,team,thresholds,on_exhausted\n"
        'Brand,,1500.50,month,brand,"50, 90",block\n'
        "Old one,old-one,250,month,,,\n"
        "Nobody,,10,month,nowhere,,\n"
        "Zero,,0,month,,,\n"
        "Odd,,5,fortnight,,,\n"
    )
    Team.objects.create(slug="brand", name="Brand")
    run = checked(text, "budgets")
    assert counts(run) == (2, 3, 0, 0)
    assert [column for _, column, _ in said(run)] == ["team", "amount", "period"]
    assert dict(run.summary)["Changed: Old one"] == "amount $100 → $250"
    done = imported(text, "budgets")
    assert counts(done) == (2, 3, 0, 0)
    made = Budget.objects.get(slug="brand")
    assert (made.amount, made.thresholds, made.on_exhausted) == (1_500_500_000_000, [50, 90], "block")
    assert Budget.objects.get(pk=old.pk).amount == 250 * NANO
    assert counts(checked(text, "budgets")) == (0, 3, 2, 0)
    back = undone(done)
    assert back.problem == "2 changes taken back."
    assert values_of(Budget.objects.get(pk=old.pk)) == before
    assert Budget.objects.get(slug="brand").status == "archived"


def test_what_somebody_changed_since_stays():
    done = imported("name,amount\nOne,10\nTwo,20\n", "budgets")
    one = Budget.objects.get(slug="one")
    change_budget(ME, one, BudgetValues(name="One", amount=99 * NANO))
    back = undone(done)
    assert back.problem == "1 change taken back. Changed since by somebody and left as it is: One."
    assert Budget.objects.get(slug="one").amount == 99 * NANO
    assert Budget.objects.get(slug="two").status == "archived"


def test_workflows_are_made_claimed_changed_and_taken_back():
    User.objects.create_user("lena")
    Team.objects.create(slug="brand", name="Brand team")
    found = Workflow.objects.create(slug="posts", name="posts", status="discovered")
    draft = Workflow.objects.create(slug="briefs", name="Briefs")
    before = workflow_values(draft)
    text = (
        "slug,name,team,owner,cost_centre,value_weight,stages,status\n"
        "posts,Social posts,Brand team,lena,4711,2,,\n"
        'briefs,SEO briefs,brand,,,0.5,"draft, verify",\n'
        "ads,Ad copy,,,,,,draft\n"
        "reports,Reports,,,,,,production\n"
        "x,Too heavy,,,,9,,\n"
        "unassigned,No,,,,,,\n"
        "y,No such team,zebra,,,,,\n"
        "z,Odd,,,,,,paused\n"
    )
    run = checked(text, "workflows")
    assert counts(run) == (3, 5, 0, 0), said(run)
    assert [column for _, column, _ in said(run)] == ["status", "value_weight", "slug", "team", "status"]
    done = imported(text, "workflows")
    assert counts(done) == (3, 5, 0, 0), said(done)
    found.refresh_from_db()
    assert (found.status, found.team.slug, found.owner.username, found.value_weight) == ("draft", "brand", "lena", 2)
    draft.refresh_from_db()
    assert draft.stages == ["draft", "verify"]
    assert counts(checked(text, "workflows")) == (0, 5, 3, 0)
    assert undone(done).problem == "3 changes taken back."
    found.refresh_from_db()
    draft.refresh_from_db()
    assert (found.status, found.team) == ("discovered", None)
    assert workflow_values(draft) == before
    assert Workflow.objects.get(slug="ads").status == "ignored"


def test_a_workflow_goes_to_production_with_its_owner_and_both_are_taken_back():
    User.objects.create_user("lena")
    create_budget(ME, BudgetValues(name="All", amount=NANO))
    flow = Workflow.objects.create(slug="briefs", name="Briefs", status="discovered")
    caps = {"max_output_tokens": 1000, "max_run_money": "1", "max_run_steps": 5}
    import dataclasses

    change_workflow(ME, flow, dataclasses.replace(workflow_values(flow), guardrails=caps))
    text = "slug,owner,status\nbriefs,lena,production\n"
    done = imported(text, "workflows")
    flow.refresh_from_db()
    assert (counts(done), flow.status) == ((1, 0, 0, 0), "production"), said(done)
    assert undone(done).problem == "2 changes taken back."
    flow.refresh_from_db()
    assert (flow.status, flow.owner) == ("discovered", None)


@pytest.mark.parametrize("key", sorted(all_kinds()))
def test_the_example_of_every_kind_can_be_checked(key):
    Team.objects.create(slug="brand", name="Brand")
    run = checked(all_kinds()[key].example, key)
    assert run.status == "checked", run.problem
    assert run.good + run.bad + run.skipped + run.left_out == run.rows
