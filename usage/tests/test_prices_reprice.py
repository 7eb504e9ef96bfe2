"""Re-pricing on PostgreSQL: exact, once, in the right month, whatever happens in between."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.models import AuditEntry, Budget, BudgetCharge, Organisation
from budgets.organisation.configuration import changing_configuration
from usage.ledger import append as append_module
from usage.ledger.check import check_ledger
from usage.models import LedgerEntry, PriceEntry, QuarterHour, RepriceRun, Run
from usage.prices import reprice
from usage.prices.overrides import create_override, end_override
from usage.rollups.fold import fold_all
from usage.tests.events import MODEL, NOW, an_event, take

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor.command("test")
WINDOW = (NOW - timedelta(days=60), NOW + timedelta(days=1))


@pytest.fixture(autouse=True)
def now_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reprice.timezone, "now", lambda: NOW)


def rerun(**options: Any) -> RepriceRun:
    run = reprice.preview(ACTOR, *WINDOW, **options)
    reprice.confirm(run.pk, ACTOR)
    return reprice.carry_out(run.pk, ACTOR)


def price(**values: Any) -> PriceEntry:
    return create_override(
        ACTOR,
        {
            "provider": "acme",
            "model": MODEL,
            "service_tier": "standard",
            "valid_from": NOW - timedelta(days=400),
            "valid_to": None,
            "input": Decimal(2),
            "output": Decimal(10),
            **values,
        },
    )


def totals() -> tuple[int | None, int | None]:
    sums = LedgerEntry.objects.aggregate(cost=Sum("cost"), unpriced=Sum("unpriced"))
    return sums["cost"], sums["unpriced"]


def test_unpriced_calls_get_their_full_cost_once() -> None:
    take([an_event("a", workflow="seo"), an_event("b", workflow="seo", run_id="r1"), an_event("c", workflow="ads")])
    fold_all()
    assert totals() == (None, 3)
    entry = price()

    run = reprice.preview(ACTOR, *WINDOW)
    # 1,000 × 2,000 + 100 × 10,000 nano-dollars
    assert run.preview == [
        {"workflow": "seo", "calls": 2, "unpriced": 2, "before": 0, "after": 6_000_000},
        {"workflow": "ads", "calls": 1, "unpriced": 1, "before": 0, "after": 3_000_000},
    ]
    assert (run.calls, run.before, run.after, run.still_unpriced) == (3, 0, 9_000_000, 0)
    assert totals() == (None, 3)

    reprice.confirm(run.pk, ACTOR)
    done = reprice.carry_out(run.pk, ACTOR)
    assert (done.status, done.corrected) == ("done", 3)
    assert totals() == (9_000_000, 0)
    correction = LedgerEntry.objects.filter(kind=1).first()
    assert correction is not None
    corrected = LedgerEntry.objects.get(id=correction.corrects)
    assert (correction.price_id, correction.posted_at) == (entry.pk, corrected.posted_at)
    assert correction.input_tokens is None

    fold_all()
    cells = QuarterHour.objects.aggregate(Sum("calls"), Sum("cost"), Sum("unpriced"), Sum("input_tokens"))
    assert list(cells.values()) == [3, 9_000_000, 0, 3_000]
    summary = Run.objects.get(run_id="r1")
    assert (summary.calls, summary.cost, summary.unpriced) == (1, 3_000_000, 0)

    assert check_ledger() == []
    assert rerun().corrected == 0
    assert rerun(only_unpriced=False).corrected == 0
    acts = AuditEntry.objects.filter(object_type="usage.repricerun", object_id=str(run.pk)).values_list(
        "act", flat=True
    )
    assert list(acts) == ["finished", "confirmed", "previewed"]


def test_a_run_over_everything_follows_the_book_to_the_nano_dollar() -> None:
    first = price()
    take([an_event(str(n), cached_input_tokens=400, units={"web_search": 2} if n % 2 else {}) for n in range(4)])
    # Two priced at 1,000 × 2,000 + 100 × 10,000; two with a search that nobody prices.
    assert totals() == (2 * 3_000_000, 2)
    end_override(ACTOR, first.pk, first.valid_from)
    second = price(input=Decimal("0.33333333"), cached_input=Decimal("0.1"), units={"web_search": "0.005"})
    run = rerun(only_unpriced=False)
    # 600 × 333.33333 = 199,999.998; 400 × 100 = 40,000; 100 × 10,000: 1,239,999.998 → 1,240,000, and 2 × 5,000,000
    assert totals() == (4 * 1_240_000 + 2 * 10_000_000, 0)
    assert (run.corrected, run.before, run.after) == (4, 6_000_000, 24_960_000)
    assert set(LedgerEntry.objects.filter(kind=1).values_list("price_id", flat=True)) == {second.pk}
    assert rerun(only_unpriced=False).corrected == 0
    for row in LedgerEntry.objects.all():
        parts = [row.cost_input, row.cost_cached, row.cost_cache_write, row.cost_output, row.cost_units]
        assert row.cost is None or row.cost == sum(part or 0 for part in parts)


def test_what_has_no_price_today_either_is_counted_and_left() -> None:
    take([an_event("a", model="nobody-knows"), an_event("b", output_tokens=None)])
    run = rerun()
    assert (run.still_unpriced, run.calls, run.corrected) == (1, 0, 0)
    assert totals() == (None, 1)


def test_a_closed_month_never_changes_and_the_correction_counts_now() -> None:
    take(an_event("old", time=(NOW - timedelta(days=30)).isoformat()))
    with changing_configuration():
        Organisation.objects.update(closed_before=date(2026, 11, 1))
    price()
    assert rerun().corrected == 1
    correction = LedgerEntry.objects.get(kind=1)
    assert correction.posted_at == NOW
    assert correction.time == NOW - timedelta(days=30)
    assert not LedgerEntry.objects.filter(kind=1, posted_at__lt=NOW - timedelta(days=18)).exists()
    fold_all()
    assert check_ledger() == []
    assert rerun(only_unpriced=False).corrected == 0


def test_a_run_that_was_killed_is_run_again_and_nothing_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reprice, "CHUNK", 4)
    for batch in range(5):
        take([an_event(f"{batch}-{n}") for n in range(4)])
    price()
    run = reprice.preview(ACTOR, *WINDOW)
    reprice.confirm(run.pk, ACTOR)
    appended: list[int] = []
    real: Callable[..., None] = append_module.append

    def dies_in_the_third(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        appended.append(len(kwargs["rows"]))
        if len(appended) == 3:
            raise ConnectionError("killed")

    monkeypatch.setattr(reprice, "append", dies_in_the_third)
    with pytest.raises(ConnectionError):
        reprice.carry_out(run.pk, ACTOR)
    run.refresh_from_db()
    assert (run.status, run.corrected) == ("failed", 8)
    assert "log says what" in run.problem and "killed" not in run.problem
    assert totals() == (8 * 3_000_000, 12)

    monkeypatch.setattr(reprice, "append", real)
    reprice.confirm(run.pk, ACTOR)
    assert reprice.carry_out(run.pk, ACTOR).corrected == 20
    assert totals() == (20 * 3_000_000, 0)
    assert LedgerEntry.objects.filter(kind=1).count() == 20


def test_two_workers_and_a_sender_at_once_count_each_call_once() -> None:
    for batch in range(6):
        take([an_event(f"{batch}-{n}") for n in range(10)])
    price()
    run = reprice.preview(ACTOR, *WINDOW)
    reprice.confirm(run.pk, ACTOR)
    failures: list[BaseException] = []
    together = threading.Barrier(3)

    def guarded(work: Callable[[], Any]) -> None:
        try:
            together.wait(10)
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    jobs: list[Callable[[], Any]] = [lambda: reprice.carry_out(run.pk, ACTOR)] * 2
    jobs.append(lambda: [take([an_event(f"late-{n}")]) for n in range(10)])
    threads = [threading.Thread(target=guarded, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    fold_all()
    assert totals() == (70 * 3_000_000, 0)
    assert LedgerEntry.objects.filter(kind=1).count() == 60
    assert check_ledger() == []


def test_budgets_are_charged_the_difference_and_no_call() -> None:
    take([an_event("a"), an_event("b")])
    with changing_configuration():
        budget = Budget.objects.create(slug="all", name="All", amount=10**12)
    price()
    rerun()
    charges = BudgetCharge.objects.filter(budget=budget).aggregate(Sum("amount"), Sum("calls"))
    assert list(charges.values()) == [6_000_000, 0]


def test_one_model_under_all_its_names() -> None:
    take([an_event("a", provider="openai", model="gpt-4o-2024-08-06", service_tier="flex"), an_event("b")])
    fold_all()
    price()
    price(provider="openai", model="gpt-4o", service_tier="flex")
    run = rerun(model="gpt-4o")
    assert (run.calls, run.corrected) == (1, 1)
    assert totals() == (3_000_000, 1)


def test_only_a_preview_is_decided() -> None:
    run = reprice.preview(ACTOR, *WINDOW)
    reprice.discard(run.pk, ACTOR)
    with pytest.raises(Problem, match="discarded"):
        reprice.confirm(run.pk, ACTOR)
    assert reprice.carry_out(run.pk, ACTOR).status == "discarded"
    with pytest.raises(Problem, match="not valid"):
        reprice.preview(ACTOR, WINDOW[1], WINDOW[0])
