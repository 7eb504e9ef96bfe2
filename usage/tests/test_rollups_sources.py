"""What each source sent hour by hour, and what ran within runs: folded exactly once, checked, rebuilt, backfilled."""

import threading
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.db.models import Sum

from budgets.models import Organisation
from budgets.organisation.configuration import changing_configuration
from usage.ledger.check import check_ledger
from usage.ledger.retention import expire
from usage.models import IngestBatch, LedgerEntry, QuarterHour, SourceHour, WideDay
from usage.rollups.fold import fold_all, fold_batches
from usage.rollups.rebuild import rebuild_rollups
from usage.tests.events import NOW, a_sender, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def priced():
    with changing_configuration():
        price_the_model()


def send(count: int, prefix: str, slug: str = "gateway", now: datetime = NOW, **values: object) -> None:
    """`count` calls made one hour apart, the newest five minutes ago; every second one in a run."""
    events = [
        an_event(
            f"{prefix}{n}",
            time=(now - timedelta(hours=n, minutes=5)).isoformat(),
            run_id=f"r{n % 5}" if n % 2 else None,
            user=f"u{n % 3}",
            tags={"brand": "a"} if n % 4 == 1 else None,
            **values,
        )
        for n in range(count)
    ]
    take(events, a_sender(slug), now=now)


def plain_hours() -> dict:
    """The slowest way: one loop over the ledger's calls and their batches."""
    batches = {batch.pk: batch for batch in IngestBatch.objects.exclude(folded_at=None)}
    hours: dict = defaultdict(lambda: [0, 0, 0, datetime(1970, 1, 1, tzinfo=UTC)])
    for row in LedgerEntry.objects.filter(kind=0, batch_id__in=batches):
        received = batches[row.batch_id].received_at
        minute = received.minute - received.minute % 15
        cell = hours[row.source_id, received.replace(minute=minute, second=0, microsecond=0)]
        cell[0] += 1
        cell[1] += row.time < received - timedelta(hours=24)
        cell[2] += row.posted_at != row.time
        cell[3] = max(cell[3], received)
    return dict(hours)


def summed_hours() -> dict:
    return {
        (one.source_id, one.hour): [one.events, one.late, one.elsewhere, one.last_at]
        for one in SourceHour.objects.all()
    }


def test_hours_of_sources_equal_a_plain_count_with_late_events_and_those_of_a_closed_month():
    with changing_configuration():
        Organisation.objects.update(closed_before=date(2026, 11, 17))
    for hour in range(4):
        send(60, f"a{hour}-", now=NOW + timedelta(hours=hour, minutes=hour))
        send(5, f"b{hour}-", "crm", now=NOW + timedelta(hours=hour, minutes=30))
        fold_all()
    assert summed_hours() == plain_hours()
    total = SourceHour.objects.aggregate(events=Sum("events"), late=Sum("late"), elsewhere=Sum("elsewhere"))
    assert total["events"] == 260
    assert 0 < total["elsewhere"] < total["late"] < 260
    assert check_ledger() == []


def test_a_source_that_a_key_may_send_for_has_the_events_that_name_it():
    sender = a_sender("gateway", others=("crm",))
    take([an_event("a"), an_event("b", source="crm"), an_event("c", source="crm")], sender)
    fold_all()
    named = {one.source_id: one.events for one in SourceHour.objects.all()}
    assert named == {sender.allowed["gateway"]: 1, sender.allowed["crm"]: 2}


def test_four_folders_at_once_count_each_event_once():
    for n in range(30):
        send(10, f"x{n}-")

    def fold() -> None:
        try:
            for _ in range(20):
                fold_batches(max_events=30)
        finally:
            connection.close()

    threads = [threading.Thread(target=fold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fold_all()
    assert summed_hours() == plain_hours()
    assert SourceHour.objects.get().events == 300


def test_calls_and_cost_in_runs_equal_the_ledger():
    send(80, "a")
    fold_all()
    rows = LedgerEntry.objects.exclude(run_id=None)
    expected = {"calls": 40, "cost": rows.aggregate(cost=Sum("cost"))["cost"]}
    for model, filters in ((QuarterHour, {}), (WideDay, {"dimension": "user"})):
        found = model.objects.filter(**filters).aggregate(calls=Sum("calls_in_runs"), cost=Sum("cost_in_runs"))
        assert found == expected


def test_damage_is_noticed_and_mended():
    send(40, "a")
    fold_all()
    SourceHour.objects.update(late=7, last_at=NOW - timedelta(days=1))
    QuarterHour.objects.filter(pk=QuarterHour.objects.first().pk).update(cost_in_runs=7)
    found = {difference.table: difference.problem for difference in check_ledger()}
    assert set(found) == {"usage_sourcehour", "usage_quarterhour", "usage_coreday"}
    assert "late is off by" in found["usage_sourcehour"] and "last_microsecond" in found["usage_sourcehour"]
    rebuild_rollups()
    assert summed_hours() == plain_hours()
    assert check_ledger() == []


def test_the_migration_fills_in_what_was_folded_before():
    send(90, "a")
    fold_all()
    send(7, "waiting-", now=NOW + timedelta(minutes=1))
    hours = summed_hours()
    SourceHour.objects.all().delete()
    for model in (QuarterHour, WideDay):
        model.objects.update(calls_in_runs=0, cost_in_runs=0)
    migration = import_module("usage.migrations.0009_runs_in_sums")
    with connection.cursor() as cursor:
        for statement in (migration.QUARTER_HOURS, migration.WIDE_DAYS, migration.SOURCE_HOURS):
            cursor.execute(statement)
    assert summed_hours() == hours
    assert check_ledger() == []
    fold_all()
    assert summed_hours() == plain_hours()
    assert check_ledger() == []


def test_a_late_event_whose_month_is_detached_leaves_its_hour_as_it_was(settings):
    settings.LEDGER_RETENTION_DAYS = 365
    take([an_event("old", time="2026-01-15T10:00:00Z"), an_event("new")])
    fold_all()
    before = summed_hours()
    detached = expire(datetime(2027, 3, 15, tzinfo=UTC))  # months that other tests made too
    try:
        assert date(2026, 1, 1) in detached
        assert check_ledger() == []
        rebuild_rollups()
        assert summed_hours() == before
        assert check_ledger() == []
    finally:
        with connection.cursor() as cursor:
            for month in detached:
                cursor.execute(f"DROP TABLE usage_ledger_{month:%Y_%m}")
