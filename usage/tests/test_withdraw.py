"""Taking imported calls back: everything derived equals the ledger, once, whatever runs beside it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from budgets.audit.record import Actor
from budgets.limits.edit import BudgetValues, create_budget
from budgets.limits.evaluate import evaluate_due
from budgets.models import BudgetState, Crossing, Organisation, Team, Workflow
from budgets.tests.made import at_once
from usage.ledger import retention
from usage.ledger.check import check_ledger
from usage.ledger.opening import open_due
from usage.ledger.withdraw import ensure_open_month, withdraw
from usage.models import Claim, CoreDay, IngestBatch, LedgerEntry, PriceEntry, QuarterHour, Run, ValueDay, WideDay
from usage.prices import book as price_book
from usage.prices.reprice import carry_out, confirm, preview
from usage.rollups.fold import fold_all
from usage.rollups.rebuild import rebuild_rollups
from usage.tests.events import MODEL, NOW, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)
ME = Actor.command("test")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def first_rows():
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Asia/Kathmandu"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})


def batches():
    return list(IngestBatch.objects.order_by("id").values_list("pk", flat=True))


def take_back(ids, size=1000):
    ensure_open_month()
    with transaction.atomic():
        return withdraw(ids, size)


def rich_calls(many=20):
    return [
        an_event(
            f"call-{n}",
            time=(NOW - timedelta(hours=n)).isoformat(),
            workflow="briefs",
            run_id=f"run-{n % 3}",
            step=n + 1,
            attempt=1 + n % 2,
            default_tier=1,
            tier=1 + n % 3,
            team="growth",
            user="ada",
            customer="acme",
            tags={"campaign": "spring", "n": str(n % 4)},
            cached_input_tokens=10,
            cost_usd="0.01",
            model=MODEL if n % 5 else "no-price",
            **({"output_tokens": None} if n == 7 else {"reasoning_tokens": 5}),
            **({"units": {"web_search": "2"}} if n == 8 else {}),
        )
        for n in range(many)
    ]


def test_all_sums_fall_to_zero_and_the_ledger_is_proven():
    price_the_model()
    take(rich_calls())
    fold_all()
    assert take_back(batches()).calls == 20
    assert check_ledger() == []  # before folding
    fold_all()
    assert check_ledger() == []
    sums = ("calls", "unmeasured", "unpriced", "input_tokens", "cost", "retries", "escalated")
    for table in (QuarterHour, CoreDay, ValueDay, WideDay):
        for row in table.objects.values(*sums, "calls_in_runs", "cost_in_runs"):
            assert set(row.values()) == {0}, row
    assert set(Run.objects.values_list("calls", "cost", "unpriced")) == {(0, 0, 0)}
    assert not Claim.objects.exists()


def test_nothing_is_taken_back_twice_and_what_came_again_stands():
    price_the_model()
    take(rich_calls(5))
    old = batches()
    assert take_back(old).calls == 5
    assert take_back(old).calls == 0
    assert take(rich_calls(5)).accepted == 5
    assert take_back(old).calls == 0
    fold_all()
    assert check_ledger() == []
    assert sum(QuarterHour.objects.values_list("calls", flat=True)) == 5


def test_it_goes_on_in_chunks_and_the_rest_of_the_ledger_stays():
    price_the_model()
    take(rich_calls(9))
    ours = batches()
    take([an_event("other")])
    done = [take_back(ours, 4) for _ in range(4)]
    assert [(one.calls, one.more) for one in done] == [(4, True), (4, True), (1, False), (0, False)]
    fold_all()
    assert check_ledger() == []
    assert sum(QuarterHour.objects.values_list("calls", flat=True)) == 1


def test_two_who_take_back_at_once_do_it_once():
    price_the_model()
    take(rich_calls(30))
    ours = batches()
    counts = at_once(*[lambda: sum(take_back(ours, 5).calls for _ in range(8)) for _ in range(2)])
    assert sum(counts) == 30
    assert LedgerEntry.objects.filter(kind=2).count() == 30
    fold_all()
    assert check_ledger() == []


def test_corrections_are_taken_back_with_their_call_and_it_is_not_priced_again():
    take(rich_calls(10))
    price_the_model()
    PriceEntry.objects.create(
        provider="acme", model="no-price", valid_from=datetime(2020, 1, 1, tzinfo=UTC), input=Decimal(1),
        cached_input=Decimal(1), output=Decimal(1),
    )  # fmt: skip
    reprice()
    assert LedgerEntry.objects.filter(kind=1).exists()
    take_back(batches())
    fold_all()
    assert check_ledger() == []
    assert sum(QuarterHour.objects.values_list("cost", flat=True)) == 0
    PriceEntry.objects.filter(model=MODEL).update(output=Decimal(99))
    assert reprice().corrected == 0
    fold_all()
    assert check_ledger() == []


def reprice():
    price_book.forget()  # prices were changed behind its back
    run = preview(ME, NOW - 90 * DAY, NOW + DAY, only_unpriced=False)
    confirm(run.pk, ME)
    return carry_out(run.pk, ME)


def test_a_withdrawal_of_a_closed_month_counts_in_the_open_one():
    price_the_model()
    take([an_event("old", time="2026-09-10T10:00:00Z")])
    Organisation.objects.update(closed_before=date(2026, 11, 1))
    take_back(batches())
    fold_all()
    months = dict(QuarterHour.objects.values_list("bucket__month", "calls"))
    assert months[9] == 1
    assert sum(months.values()) == 0
    assert check_ledger() == []


def test_rebuilding_gives_the_same():
    price_the_model()
    take(rich_calls())
    take([an_event("other", run_id="run-1", workflow="briefs")])
    take_back(batches()[:1])
    fold_all()
    before = sorted(QuarterHour.objects.exclude(calls=0).values_list("bucket", "model", "calls", "cost"))
    rebuild_rollups()
    assert sorted(QuarterHour.objects.exclude(calls=0).values_list("bucket", "model", "calls", "cost")) == before
    assert check_ledger() == []


@pytest.mark.parametrize("metric", ["money", "tokens", "calls"])
def test_a_budget_used_up_is_free_again_and_says_so(metric):
    price_the_model()
    Team.objects.create(slug="growth", name="Growth")
    budget = create_budget(ME, BudgetValues(name="All", amount=3, metric=metric, scope={"team": "growth"}))
    open_due(NOW)
    budget.refresh_from_db()
    take(rich_calls(8))
    evaluate_due(now=NOW)
    state = BudgetState.objects.get(budget=budget, starts_at__lte=NOW, ends_at__gt=NOW)
    assert state.status == "exhausted"
    take_back(batches())
    evaluate_due(now=NOW)
    state.refresh_from_db()
    assert (state.spent, state.calls, state.status) == (0, 0, "under")
    assert Crossing.objects.filter(budget=budget, kind="resolved").exists()
    fold_all()
    assert check_ledger() == []
    later = create_budget(ME, BudgetValues(name="Later", amount=3, metric=metric, scope={"tag": "campaign=spring"}))
    open_due(NOW)
    later.refresh_from_db()
    assert later.opened_generation == later.generation
    assert check_ledger() == []


def test_the_database_lets_only_withdrawals_and_corrections_be_negative():
    price_the_model()
    take([an_event("one")])
    with connection.cursor() as cursor, pytest.raises(Exception, match="ledger_cost"), transaction.atomic():
        cursor.execute(
            "INSERT INTO usage_ledger (posted_at, time, batch_id, generation, source_id, workflow_id, event_id,"
            " environment, model, measured, cost, cost_input, cost_cached, cost_cache_write, cost_output, cost_units)"
            " SELECT posted_at, time, batch_id, generation, source_id, workflow_id, 'x', environment, model, true,"
            " -1, -1, 0, 0, 0, 0 FROM usage_ledger"
        )


def test_an_identity_given_back_while_it_is_claimed_counts(monkeypatch):
    """Sent again in the very moment it is taken back: seen as claimed, and gone when its content is read."""
    from usage.ingest.write import Intake

    price_the_model()
    event = an_event("again")
    take(event)
    told_apart, taken = Intake.told_apart, []

    def late(self, cursor, pending, sources, keys):
        if not taken:
            taken.append(at_once(lambda: take_back(batches())))
        return told_apart(self, cursor, pending, sources, keys)

    monkeypatch.setattr(Intake, "told_apart", late)
    assert take(event).accepted == 1
    assert taken and LedgerEntry.objects.count() == 3
    fold_all()
    assert check_ledger() == []


def test_a_month_with_withdrawals_is_proven_and_detached():
    """With a call that stands, and one of a closed day whose withdrawal outlasts its month."""
    price_the_model()
    last_month = NOW.replace(day=1) - timedelta(days=3)
    for name in ("stays", "goes", "goes-late"):
        take([an_event(name, time=last_month.isoformat(), run_id=name, user="ada")])
    _, goes, late = batches()
    assert take_back([goes]).calls == 1
    fold_all()
    Organisation.objects.update(closed_before=NOW.replace(day=1).date())
    assert take_back([late]).calls == 1
    fold_all()
    with transaction.atomic():
        assert retention.detach(last_month.date().replace(day=1))
        assert take_back([goes, late]).calls == 0, "what is detached is no longer taken back"
        transaction.set_rollback(True)
