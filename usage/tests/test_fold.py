"""Folding: exactly once, equal to a slow plain sum, rebuildable; and the check that would notice."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from budgets.models import Budget, Organisation
from budgets.organisation.configuration import changing_configuration
from usage.ledger.check import check_ledger
from usage.ledger.retention import attached_months, expire
from usage.models import CoreDay, IngestBatch, LedgerEntry, QuarterHour, Run, TokenDay, ValueDay, WideDay
from usage.rollups.days import models_and_tiers, models_by_day, tiers_by_day
from usage.rollups.fold import fold_all, fold_batches
from usage.rollups.rebuild import rebuild_rollups
from usage.rollups.zone import follow_time_zone
from usage.tests.events import NOW, a_sender, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def priced():
    with changing_configuration():
        price_the_model()


def varied(count: int, start: int = 0) -> list[dict[str, object]]:
    """Calls that differ in every dimension that a rollup knows."""
    return [
        an_event(
            f"v{n}",
            time=(NOW - timedelta(minutes=7 * n)).isoformat(),
            workflow=f"w{n % 3}",
            run_id=f"r{n % 11}" if n % 4 else None,
            step=n % 5 + 1,
            attempt=1 + (n % 6 == 0),
            tier=1 + n % 3,
            default_tier=1,
            model=["test-model", "nobody-knows"][n % 7 == 0],
            output_tokens=None if n % 9 == 0 else n,
            user=f"u{n % 4}" if n % 2 else None,
            campaign="autumn" if n % 3 else "",
            tags={"brand": f"b{n % 2}", "market": "de"} if n % 5 == 0 else None,
            environment=["production", "test"][n % 2],
            stage=["draft", ""][n % 3 == 0],
            cached_input_tokens=n if n % 4 == 0 else None,
            cache=["none", "prompt", "semantic"][n % 3],
            avoided_input_tokens=n if n % 3 == 2 else None,
            avoided_output_tokens=2 * n if n % 3 == 2 else None,
            retrieved_chunks=n % 5 or None,
            tool_tokens=n % 7,
            context={"system": 100, "user": 900 - n, "retrieval": n} if n % 5 == 1 else None,
        )
        for n in range(start, start + count)
    ]


def plain_sums(zone: str) -> tuple[dict, dict, dict, dict]:
    """The same figures by the slowest, plainest means: one loop over the ledger."""
    models: dict = defaultdict(lambda: [0, 0, 0, 0, 0])
    quarters: dict = defaultdict(lambda: [0, 0, 0, 0])
    days: dict = defaultdict(lambda: [0, 0])
    runs: dict = defaultdict(lambda: [0, 0])
    for row in LedgerEntry.objects.all():
        bucket = row.posted_at.replace(minute=row.posted_at.minute // 15 * 15, second=0, microsecond=0)
        cell = quarters[bucket, row.workflow_id, row.model, row.tier]
        cell[0] += 1
        cell[1] += row.cost or 0
        cell[2] += row.measured and row.cost is None
        cell[3] += not row.measured
        day = row.posted_at.astimezone(ZoneInfo(zone)).date()
        of_day = models[day, row.model, row.tier]
        sums = (1, row.cost or 0, row.measured and row.cost is None, not row.measured, row.output_tokens or 0)
        for n, value in enumerate(sums):
            of_day[n] += value
        values = [("user", row.user), ("campaign", row.campaign)]
        values += [("tag", f"{key}={value}") for key, value in (row.tags or {}).items()]
        for dimension, value in values:
            if value:
                days[dimension, day, value, row.workflow_id, row.model][0] += 1
                days[dimension, day, value, row.workflow_id, row.model][1] += row.cost or 0
        if row.run_id:
            runs[row.workflow_id, row.run_id][0] += 1
            runs[row.workflow_id, row.run_id][1] += row.cost or 0
    return dict(quarters), dict(days), dict(runs), dict(models)


CELL = ("day", "workflow_id", "team", "provider", "model", "tier")
CORE = ("environment", "service_tier", "stage", "task_type", "status")
TOKENS = ("input_tokens", "cached_input_tokens", "avoided_input_tokens", "avoided_output_tokens", "saved")
MORE = (*TOKENS, "tool_tokens", "retrieved_chunks")
LAYERS = ("system", "history", "retrieval", "tools", "memory", "user", "output_format")


def plain_days(zone: str) -> tuple[dict, dict]:
    """Days by all core dimensions and by what input was made of, call by call; no call was taken back here."""
    core: dict = defaultdict(lambda: [0, 0, 0, 0, 0])
    made_of: dict = defaultdict(lambda: [0] * (3 + len(MORE) + len(LAYERS)))
    for row in LedgerEntry.objects.all():
        row.day = row.posted_at.astimezone(ZoneInfo(zone)).date()
        is_call = int(row.kind == 0)
        cell = core[tuple(getattr(row, name) for name in (*CELL, *CORE))]
        more = (
            is_call,
            row.cost or 0,
            row.input_tokens or 0,
            row.cached_input_tokens or 0,
            is_call and row.attempt > 1,
        )
        for n, value in enumerate(more):
            cell[n] += value
        layers = row.context or {}
        values = [is_call, is_call and row.context is not None, (row.context is not None) * (row.input_tokens or 0)]
        values += [getattr(row, name) or 0 for name in MORE] + [layers.get(name, 0) for name in LAYERS]
        cell = made_of[tuple(getattr(row, name) for name in (*CELL, "cache"))]
        for n, value in enumerate(values):
            cell[n] += value
    return dict(core), dict(made_of)


def folded_days() -> tuple[dict, dict]:
    """The same as CoreDay and TokenDay hold it."""
    sums = ("calls", "cost", "input_tokens", "cached_input_tokens", "retries")
    made_of = ("calls", "context_calls", "context_input", *MORE, *(f"context_{name}" for name in LAYERS))
    core = CoreDay.objects.values_list(*CELL, *CORE, *sums)
    tokens = TokenDay.objects.values_list(*CELL, "cache", *made_of)
    return {row[:11]: list(row[11:]) for row in core}, {row[:7]: list(row[7:]) for row in tokens}


SUMS = ("calls", "cost", "unpriced", "unmeasured", "output_tokens")


def tier_sums(rows: Iterable[Sequence[Any]]) -> dict:
    """Rows that begin with day, model and tier, summed by those."""
    found: dict = defaultdict(lambda: [0] * len(SUMS))
    for day, model, tier, *sums in rows:
        for n, value in enumerate(sums):
            found[day, model, tier][n] += value
    return dict(found)


def folded_sums() -> tuple[dict, dict, dict, dict]:
    quarters: dict = defaultdict(lambda: [0, 0, 0, 0])
    for cell in QuarterHour.objects.all():
        total = quarters[cell.bucket, cell.workflow_id, cell.model, cell.tier]
        for n, value in enumerate((cell.calls, cell.cost, cell.unpriced, cell.unmeasured)):
            total[n] += value
    days = {
        (cell.dimension, cell.day, cell.value, cell.workflow_id, cell.model): [cell.calls, cell.cost]
        for cell in WideDay.objects.all()
    }
    runs = {(run.workflow_id, run.run_id): [run.calls, run.cost] for run in Run.objects.all()}
    models = tier_sums(CoreDay.objects.values_list("day", "model", "tier", *SUMS))
    return dict(quarters), days, runs, models


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_rollups_equal_a_plain_sum_over_the_ledger(zone):
    with changing_configuration():
        Organisation.objects.update(time_zone=zone)
    follow_time_zone()
    for start in range(0, 600, 150):
        take(varied(150, start))
        fold_all()
    assert folded_sums() == plain_sums(zone)
    assert folded_days() == plain_days(zone)
    assert sum(row.saved for row in TokenDay.objects.all()) > 0
    assert check_ledger() == []


def test_a_change_of_the_time_zone_makes_days_anew():
    take(varied(200))
    fold_all()
    with changing_configuration():
        Organisation.objects.update(time_zone="Pacific/Kiritimati")
    for table in (1, 3):
        assert folded_sums()[table] != plain_sums("Pacific/Kiritimati")[table]
    assert follow_time_zone() is True
    assert folded_sums() == plain_sums("Pacific/Kiritimati")
    assert folded_days() == plain_days("Pacific/Kiritimati")
    assert follow_time_zone() is False
    with changing_configuration():
        Organisation.objects.update(time_zone="UTC")
    assert follow_time_zone() is True


def test_until_the_change_is_followed_days_are_summed_and_read_in_one_zone():
    """There and back before a sweep leaves no day of the other zone, and pages are right at each moment."""
    zones = [ZoneInfo("UTC"), ZoneInfo("Pacific/Kiritimati"), ZoneInfo("UTC")]
    for n, zone in enumerate(zones):
        with changing_configuration():
            Organisation.objects.update(time_zone=zone.key)
        take(varied(60, n * 60))
        fold_all()
        assert read_in(zone) == plain_sums(zone.key)[3]
        assert check_ledger() == []
    assert folded_sums() == plain_sums("UTC")


def read_in(zone: ZoneInfo) -> dict:
    """What pages read, as `plain_sums` states it; output tokens apart, which they do not."""
    span = (date(2026, 1, 1), date(2027, 1, 1), zone)
    tokens = plain_sums(zone.key)[3]
    found = {
        (day, model, tier): [calls, cost, unpriced, unmeasured, tokens[day, model, tier][4]]
        for day, model, tier, cost, calls, unpriced, unmeasured in tiers_by_day(*span)
    }
    in_all: dict = defaultdict(lambda: [0, 0, 0])
    by_day: dict = defaultdict(lambda: [0, 0, 0])
    for (day, model, tier), (calls, cost, unpriced, unmeasured, _) in found.items():
        for key in (("model", model), ("tier", str(tier))):
            in_all[key] = [a + b for a, b in zip(in_all[key], (cost, calls, unpriced), strict=True)]
        key = (day, model if model == "test-model" else None)
        by_day[key] = [a + b for a, b in zip(by_day[key], (cost, calls, unmeasured), strict=True)]
    assert {(of, value): [cost, *more] for of, value, cost, _, *more in models_and_tiers(*span)} == in_all
    assert {(of, value) for of, value, _, priced, *_ in models_and_tiers(*span) if priced} == {
        key for key, sums in in_all.items() if sums[0]
    }
    assert {(day, model): sums for day, model, *sums in models_by_day(*span, ["test-model"])} == by_day
    return found


def test_pages_read_days_and_no_quarter_hour_once_they_are_of_the_zone():
    take(varied(60))
    fold_all()
    expected = read_in(ZoneInfo("UTC"))
    QuarterHour.objects.all().delete()
    assert read_in(ZoneInfo("UTC")) == expected


def test_folding_twice_changes_nothing_and_takes_bounded_chunks():
    for start in range(0, 100, 20):
        take(varied(20, start))
    first = fold_batches(max_events=50)
    assert (first.batches, first.events, first.more) == (2, 40, True)
    assert fold_all() == 60
    before = folded_sums()
    assert fold_all() == 0
    assert folded_sums() == before == plain_sums("UTC")


def test_four_folders_at_once_count_each_batch_once():
    sender = a_sender()
    for start in range(0, 600, 10):
        take(varied(10, start), sender)

    def fold() -> None:
        try:
            for _ in range(40):
                fold_batches(max_events=30)
        finally:
            connection.close()

    threads = [threading.Thread(target=fold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fold_all()
    assert folded_sums() == plain_sums("UTC")
    assert not IngestBatch.objects.filter(folded_at=None).exists()


def test_a_folder_that_dies_before_commit_leaves_its_batches_to_the_next():
    take(varied(30))
    with pytest.raises(ZeroDivisionError), connection.execute_wrapper(die_after_the_fold):
        fold_batches()
    assert not QuarterHour.objects.exists()
    assert fold_all() == 30
    assert folded_sums() == plain_sums("UTC")


def die_after_the_fold(execute, sql, params, many, context):
    result = execute(sql, params, many, context)
    if "folded_at = clock_timestamp()" in sql:
        raise ZeroDivisionError
    return result


def test_folding_takes_a_fixed_number_of_statements(django_assert_num_queries):
    for start in range(0, 100, 10):
        take(varied(10, start))
    with django_assert_num_queries(6):  # begin, lock, claim, zone, fold, commit
        fold_batches()


def test_check_ledger_notices_each_kind_of_damage_and_rebuild_mends_it():
    with changing_configuration() as generation:
        Budget.objects.create(slug="all", name="All", amount=10**12, generation=generation)
    take(varied(60))
    fold_all()
    assert check_ledger() == []
    QuarterHour.objects.filter(pk=QuarterHour.objects.first().pk).update(cost=7)
    WideDay.objects.filter(dimension="tag").delete()
    ValueDay.objects.filter(dimension="model", value="test-model").delete()
    Run.objects.filter(pk=Run.objects.first().pk).delete()
    TokenDay.objects.update(calls=F("calls") + 1)
    damaged = {
        "usage_quarterhour",
        "usage_wide_day",
        "usage_valueday",
        "usage_coreday",
        "usage_tokenday",
        "usage_run",
        "usage_runday",
    }
    assert {difference.table for difference in check_ledger()} == damaged
    with pytest.raises(CommandError):
        call_command("check_ledger", stderr=StringIO())
    assert rebuild_rollups() == 60
    assert folded_sums() == plain_sums("UTC")
    out = StringIO()
    call_command("check_ledger", stdout=out)
    assert "agree" in out.getvalue()


def test_rebuilding_keeps_outcomes_and_folds_what_waited():
    take(varied(30))
    fold_all()
    Run.objects.update(outcome="approved", reworks=2)
    take(varied(30, 30))
    rebuild_rollups()
    assert fold_all() == 0
    assert folded_sums() == plain_sums("UTC")
    assert set(Run.objects.filter(reworks=2).values_list("outcome", flat=True)) == {"approved"}


def test_damage_to_claims_and_to_the_ledger_is_noticed():
    take(varied(5))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM usage_claim WHERE key = (SELECT min(key::text)::uuid FROM usage_claim)")
    take(varied(5))  # the unclaimed one comes in again
    assert {difference.table for difference in check_ledger()} >= {"usage_ledger", "usage_claim"}


def test_the_ledger_is_append_only():
    take(varied(2))
    with pytest.raises(Exception, match="append-only"):
        LedgerEntry.objects.update(cost=1)
    with connection.cursor() as cursor, pytest.raises(Exception, match="append-only"):
        cursor.execute("DELETE FROM usage_ledger")


def test_retention_detaches_a_month_only_when_its_rollups_are_proven(settings):
    settings.LEDGER_RETENTION_DAYS = 365
    long_ago = datetime(2026, 1, 15, 10, tzinfo=UTC)
    take([an_event("old", time=long_ago.isoformat(), run_id="r")])
    take([an_event("new")])
    later = long_ago + timedelta(days=420)
    assert expire(later) == [], "not folded yet"
    fold_all()
    QuarterHour.objects.filter(bucket__lt=NOW - timedelta(days=30)).update(calls=9)
    assert expire(later) == [], "rollups differ"
    rebuild_rollups()
    assert expire(later) == [date(2026, 1, 1)]
    try:
        assert date(2026, 1, 1) not in attached_months()
        assert list(LedgerEntry.objects.values_list("event_id", flat=True)) == ["new"]
        assert sum(QuarterHour.objects.values_list("calls", flat=True)) == 2, "its rollups stay"
        rebuild_rollups()
        assert sum(QuarterHour.objects.values_list("calls", flat=True)) == 2
        assert Run.objects.get(run_id="r").calls == 1
        assert check_ledger() == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE usage_ledger_2026_01")
