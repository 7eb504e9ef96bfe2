"""Prices in the background and on the command line."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from budgets.audit.record import Actor
from budgets.notices import hint
from budgets.organisation.configuration import changing_configuration
from usage.models import LedgerEntry, PriceEntry, PriceRefresh, RepriceRun
from usage.prices import begin, reprice, tasks
from usage.tests.events import NOW, an_event, price_the_model, take
from usage.tests.price_cases import the_seed

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor.command("test")


def said(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def a_confirmed_run() -> RepriceRun:
    run = reprice.preview(ACTOR, NOW - timedelta(days=1), NOW + timedelta(days=1))
    return reprice.confirm(run.pk, ACTOR)


def test_a_worker_carries_out_what_was_confirmed_and_the_sweep_what_was_left() -> None:
    take([an_event("a"), an_event("b")])
    with changing_configuration():
        price_the_model()
    left, fresh = a_confirmed_run(), a_confirmed_run()
    waiting = reprice.preview(ACTOR, NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert tasks.carry_out_reprices() == 2
    assert [RepriceRun.objects.get(pk=run.pk).status for run in (left, fresh, waiting)] == ["done", "done", "preview"]
    assert LedgerEntry.objects.filter(kind=1).count() == 2
    assert tasks.carry_out_reprices() == 0


def test_one_broken_run_does_not_stop_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = a_confirmed_run(), a_confirmed_run()
    real = reprice.carry_out

    def breaks(run_id: int, actor: Actor) -> RepriceRun:
        if run_id == first.pk:
            raise RuntimeError("broken")
        return real(run_id, actor)

    monkeypatch.setattr(reprice, "carry_out", breaks)
    tasks.carry_out_reprices()
    assert RepriceRun.objects.get(pk=second.pk).status == "done"


def test_a_worker_leaves_when_another_is_at_it() -> None:
    run = a_confirmed_run()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [tasks.WORKER_LOCK])
        assert tasks.carry_out_reprices() == 0
        assert RepriceRun.objects.get(pk=run.pk).status == "running"
    finally:
        with other.cursor() as cursor:  # closing would release it too, but only some time later
            cursor.execute("SELECT pg_advisory_unlock(%s)", [tasks.WORKER_LOCK])
        other.close()
    assert tasks.carry_out_reprices() == 1


def test_a_broker_that_is_down_does_not_stop_a_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise OSError("no broker")

    monkeypatch.setattr(hint.current_app, "send_task", refuses)
    run = reprice.preview(ACTOR, NOW - timedelta(days=1), NOW)
    assert begin.begin_reprice(run.pk, ACTOR).status == "running"


def test_the_daily_check_stays_offline_and_previews(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr("genai_prices.UpdatePrices.fetch", lambda _: called.append("online"))
    PriceEntry.objects.all().delete()
    made = tasks.check_prices()
    assert called == []
    refresh = PriceRefresh.objects.get(pk=made)
    assert len(refresh.added) == len(the_seed().entries)
    settings.PRICE_UPDATES_ONLINE = True
    assert tasks.check_prices() == made
    assert called == ["online"]


def test_the_reprice_command_shows_first_and_writes_when_confirmed() -> None:
    take([an_event("a", workflow="seo")])
    with changing_configuration():
        price_the_model()
    shown = said("reprice", "2026-11-18", "2026-11-19")
    assert "seo: 1 calls (1 unpriced), $0.000000 becomes $0.003000" in shown
    assert "Nothing is written yet" in shown
    assert not LedgerEntry.objects.filter(kind=1).exists()
    assert "1 corrections written" in said("reprice", "2026-11-18", "2026-11-19", "--confirm")
    assert LedgerEntry.objects.get(kind=1).cost == 3_000_000
    with pytest.raises(CommandError, match="end must come after"):
        said("reprice", "2026-11-19", "2026-11-18")
    with pytest.raises(CommandError, match="neither a day"):
        said("reprice", "last-week", "2026-11-18")


def test_an_empty_book_is_seeded_once_and_a_seeded_one_left_alone() -> None:
    PriceEntry.objects.all().delete()
    assert f"{len(the_seed().entries):,} prices from genai-prices" in said("seed_prices")
    before = set(PriceEntry.objects.values_list("id", flat=True))
    assert "seeded already" in said("seed_prices")
    assert set(PriceEntry.objects.values_list("id", flat=True)) == before
