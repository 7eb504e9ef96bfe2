"""Data health: each figure equals a slow plain computation over the ledger, in four zones, across a clock change."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from budgets.models import ApiKey, Organisation, Source, Workflow
from budgets.organisation.configuration import changing_configuration
from tests.people import viewer
from usage.coverage.cards import cards_of, percent
from usage.coverage.figures import health
from usage.coverage.sources import source_rates
from usage.coverage.window import window_of
from usage.ledger.check import check_ledger
from usage.models import IngestBatch, LedgerEntry, QuarantinedItem, Run, SourceHour
from usage.rollups.days import make_days_anew
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, a_sender, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)
NEVER_MISSING = {
    "prices",
    "sources",
    "quarantine",
    "source",
    "api-reference",
    "workflows-unassigned",
    "budgets",
    "outcomes",
}


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("ada", password="x"))
    return client


def fill(now: datetime, days: int, minutes: int = 97) -> None:
    """Calls every 97 minutes for so many days before `now`, in batches; varied in what is missing of them."""
    with changing_configuration():
        price_the_model()
        Workflow.objects.create(slug="mine", name="Mine", status="production")
        mine = Workflow.objects.get(slug="mine")
        Workflow.objects.create(slug="alias", name="Alias", status="merged", merged_into=mine)
        Workflow.objects.create(slug="ignored", name="Ignored", status="ignored")
    count = days * 1440 // minutes
    for start in range(0, count, 60):
        events = [
            an_event(
                f"e{n}",
                time=(now - timedelta(minutes=minutes * n + 3)).isoformat(),
                workflow=[None, "mine", "alias", "found-one", "ignored"][n % 5],
                run_id=f"r{n % 13}" if n % 3 else None,
                model=["test-model", "test-model", "nobody-knows"][n % 3 if n % 4 else 0],
                output_tokens=None if n % 11 == 0 else 10 + n,
            )
            for n in range(start, min(count, start + 60))
        ]
        take(events, a_sender(["gateway", "crm"][start // 60 % 2]), now=now - timedelta(minutes=minutes * start))
    fold_all()
    Run.objects.filter(run_id__in=["r1", "r4", "r8"]).update(outcome="approved")
    Run.objects.filter(run_id="r5").update(outcome="failed")
    make_days_anew("UTC")


def plainly(window) -> dict[str, int]:
    """One loop over the ledger for each figure."""
    zone = window.zone
    slugs = {flow.pk: flow for flow in Workflow.objects.select_related("merged_into")}
    sums: dict[str, int] = dict.fromkeys(
        ["calls", "unmeasured", "unpriced", "unpriced_tokens", "cost", "calls_in_runs", "cost_in_runs",
         "unclaimed_calls", "unclaimed_cost", "events", "late", "elsewhere"], 0,
    )  # fmt: skip
    received = dict(IngestBatch.objects.values_list("pk", "received_at"))
    runs: dict[tuple[int, str], list] = {}
    for row in LedgerEntry.objects.all():
        if row.run_id:
            run = runs.setdefault((row.workflow_id, row.run_id), [row.time, 0])
            run[0], run[1] = max(run[0], row.time), run[1] + (row.cost or 0)
        hour = received[row.batch_id].replace(minute=0, second=0, microsecond=0)
        if window.starts_at <= hour < window.stops_at:
            sums["events"] += 1
            sums["late"] += row.time < received[row.batch_id] - timedelta(hours=24)
            sums["elsewhere"] += row.posted_at != row.time
        if not window.first <= row.posted_at.astimezone(zone).date() <= window.last:
            continue
        flow = slugs[row.workflow_id]
        nobodys = (flow.merged_into or flow).status in ("reserved", "discovered")
        sums["calls"] += 1
        sums["unmeasured"] += not row.measured
        sums["cost"] += row.cost or 0
        if row.measured and row.cost is None:
            sums["unpriced"] += 1
            sums["unpriced_tokens"] += row.input_tokens + row.output_tokens
        if row.run_id:
            sums["calls_in_runs"] += 1
            sums["cost_in_runs"] += row.cost or 0
        if nobodys:
            sums["unclaimed_calls"] += 1
            sums["unclaimed_cost"] += row.cost or 0
    outcomes = {(run.workflow_id, run.run_id): run.outcome for run in Run.objects.all()}
    ended = {
        key: cost for key, (last, cost) in runs.items() if window.first <= last.astimezone(zone).date() <= window.last
    }
    judged = {key: cost for key, cost in ended.items() if outcomes[key] != "open"}
    return sums | {
        "runs": len(ended), "run_cost": sum(ended.values()), "judged": len(judged), "judged_cost": sum(judged.values()),
    }  # fmt: skip


def summed(window, now: datetime) -> dict[str, int]:
    found = health(window, now)
    names = ("calls", "unmeasured", "unpriced", "unpriced_tokens", "cost", "calls_in_runs", "cost_in_runs",
             "unclaimed_calls", "unclaimed_cost")  # fmt: skip
    return {name: getattr(found.calls, name) for name in names} | {
        "events": found.arrivals.events, "late": found.arrivals.late, "elsewhere": found.arrivals.elsewhere,
        "runs": found.runs.runs, "run_cost": found.runs.cost, "judged": found.runs.judged,
        "judged_cost": found.runs.judged_cost,
    }  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"])
def test_every_figure_equals_the_ledger(zone):
    # New York leaves daylight-saving time on 1 November 2026.
    with changing_configuration():
        Organisation.objects.update(time_zone=zone, closed_before=date(2026, 10, 29))
    now = datetime(2026, 11, 6, 14, 20, tzinfo=UTC)
    fill(now, 14)
    asked = (
        {"period": "this-month"},
        {"period": "7d"},
        {"period": "last-month"},
        {"period": "custom", "from": "2026-10-31", "to": "2026-11-01"},
    )
    for query in asked:
        window = window_of(query, now, ZoneInfo(zone))
        assert not window.note
        expected = plainly(window)
        assert expected["cost"] and expected["unpriced"] and expected["unclaimed_cost"]
        found = summed(window, now)
        # "Up to": a call whose counts are not all known may lie in the same cell.
        assert found.pop("unpriced_tokens") - expected.pop("unpriced_tokens") in range(0, 5_000)
        assert found == expected
    assert check_ledger() == []


def test_the_page_says_each_figure_and_its_file_the_same(browser):
    now = datetime.now(UTC)
    fill(now, 3)
    take(an_event("bad", time=now.isoformat(), cached_input_tokens=9_999), now=now)
    window = window_of({"period": "custom", "from": str(now.date() - timedelta(days=3)), "to": str(now.date())}, now,
                       ZoneInfo("UTC"))  # fmt: skip
    query = f"?period=custom&from={window.first}&to={window.last}"
    shown = browser.get(f"/data/{query}").content.decode()
    found = health(window, now)
    calls = found.calls
    for words in (
        "To look at", "nobody-knows", "found-one", "More cached than sent in all",
        percent(calls.measured - calls.unpriced, calls.measured), percent(calls.measured, calls.calls),
        percent(calls.cost - calls.unclaimed_cost, calls.cost), percent(calls.cost_in_runs, calls.cost),
    ):  # fmt: skip
        assert words in shown
    answer = browser.get(f"/export/data-health.csv{query}")
    rows = {row["figure"]: row for row in csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))}
    assert rows["priced"]["part"] == str(calls.measured - calls.unpriced)
    assert Decimal(rows["claimed"]["total"]) == Decimal(calls.cost) / 10**9
    assert rows["with-run"]["percent"] + "%" == percent(calls.cost_in_runs, calls.cost)
    assert rows["refused: cached-above-input"]["part"] == rows["quarantine"]["part"] == "1"
    assert {card.key for card in cards_of(found, Organisation.get(), NEVER_MISSING.__contains__)} <= set(rows)


def test_statements_do_not_grow(browser, django_assert_num_queries):
    now = datetime.now(UTC)
    fill(now, 2)
    browser.get("/data/")
    with django_assert_num_queries(11) as few:
        browser.get("/data/")
    for n in range(20):
        take(an_event(f"more{n}", workflow=f"w{n}", model=f"m{n}", time=now.isoformat()), a_sender(f"s{n}"), now=now)
    fold_all()
    with django_assert_num_queries(len(few)):
        assert browser.get("/data/").status_code == 200


def test_an_empty_installation_and_empty_days_are_told_apart(browser):
    assert "No usage yet" in browser.get("/data/").content.decode()
    fill(datetime.now(UTC), 1)
    shown = browser.get("/data/?period=custom&from=2020-01-01&to=2020-01-02").content.decode()
    assert "Nothing to judge" in shown and "No run ended in these days" in shown


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("period=ages", "is no period that TokenOps knows"),
        ("period=custom", "Choose the first and the last day"),
        ("period=custom&from=2026-02-30&to=2026-03-01", "Choose the first and the last day"),
        ("period=custom&from=2026-03-02&to=2026-03-01", "turn the two days around"),
        ("period=custom&from=2999-01-01&to=2999-01-02", "still to come"),
        ("period=custom&from=0001-01-01&to=2026-01-02", "choose fewer"),
    ],
)
def test_days_that_make_no_sense_get_a_sentence(browser, query, words):
    fill(datetime.now(UTC), 1)
    answer = browser.get(f"/data/?{query}")
    assert answer.status_code == 200 and words in answer.content.decode()


def test_shares_are_rounded_down_so_that_all_means_all():
    assert [percent(*pair) for pair in ((0, 0), (0, 9), (9, 9), (9999, 10000), (1, 10000), (1, 3), (1, 2))] == [
        "–", "0%", "100%", "99.9%", "0.1%", "33.3%", "50%",
    ]  # fmt: skip


def hours(source: Source, *events: int, until: datetime = NOW) -> None:
    """So many events in each hour up to the one of `until`, the newest last."""
    this_hour = until.replace(minute=0, second=0, microsecond=0)
    for n, count in enumerate(reversed(events)):
        hour = this_hour - timedelta(hours=n)
        if count:
            SourceHour.objects.create(source_id=source.pk, hour=hour, events=count, last_at=hour + timedelta(minutes=9))


def test_a_source_says_its_rate_and_when_it_went_silent():
    now = NOW + timedelta(minutes=30)
    steady, silent, old = (Source.objects.create(slug=name, name=name) for name in ("steady", "silent", "old"))
    hours(steady, *[60] * 50, 30)
    hours(silent, *[60] * 40, *[0] * 8)
    hours(old, 60, until=NOW - timedelta(days=30))
    Source.objects.create(slug="new", name="new")
    ApiKey.objects.create(name="k", source=steady, prefix="tok_", digest=b"1", scopes=["ingest"], last_used_at=now)
    rates = {one.slug: one for one in source_rates(now)}
    assert [one.slug for one in source_rates(now)] == ["steady", "silent", "old", "new"]
    assert (rates["steady"].now, rates["steady"].usual, rates["steady"].keys_used) == (60, 60, 1)
    assert rates["steady"].silent_since(now) is None
    assert rates["silent"].silent_since(now) == rates["silent"].last_at
    assert rates["old"].silent_since(now) is None and rates["new"].silent_since(now) is None
    assert [one.slug for one in source_rates(now, "old")] == ["old"]


def test_what_is_late_to_be_added_up_is_said(browser):
    fill(datetime.now(UTC), 1)
    take(an_event("waiting", time=datetime.now(UTC).isoformat()), now=datetime.now(UTC))
    shown = browser.get("/data/").content.decode()
    assert "1 call still being added up" in shown
    IngestBatch.objects.filter(folded_at=None).update(received_at=datetime.now(UTC) - timedelta(minutes=10))
    assert "see that a worker runs" in browser.get("/data/").content.decode()


def test_sources_are_listed_found_renamed_and_taken_back(browser, django_assert_num_queries):
    now = datetime.now(UTC)
    fill(now, 6)
    shown = browser.get("/settings/sources/").content.decode()
    assert "2 sources" in shown and "gateway" in shown and "Sends" in shown
    assert "No source matches" in browser.get("/settings/sources/?q=100%25_").content.decode()
    assert "crm" not in browser.get("/settings/sources/?q=GATE").content.decode().partition("<caption")[2]
    answer = browser.get("/export/sources.csv?q=gate")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["source"] for row in rows] == ["gateway"]
    url = "/settings/sources/gateway/"
    assert browser.post(url, {"name": " "}).status_code == 422
    shown = browser.post(url, {"name": "Production gateway"}, follow=True).content.decode()
    assert "is called Production gateway now" in shown
    undo = shown.partition('action="/settings/sources/gateway/undo/')[2].partition('"')[0]
    shown = browser.post(f"{url}undo/{undo}", follow=True).content.decode()
    assert "is called gateway again" in shown
    assert Source.objects.get(slug="gateway").name == "gateway"
    browser.get("/settings/sources/")
    with django_assert_num_queries(5):
        browser.get("/settings/sources/")
    assert browser.get("/settings/sources/nobody/").status_code == 404


def test_whoever_may_not_change_keys_cannot_rename_a_source(client):
    Source.objects.create(slug="gateway", name="gateway")
    client.force_login(viewer("bob"))
    assert client.post("/settings/sources/gateway/", {"name": "Mine"}).status_code == 403
    assert "administrator" in client.get("/settings/sources/gateway/").content.decode()
    assert Source.objects.get().name == "gateway"


def test_an_open_item_keeps_the_page_from_being_empty(browser):
    source = Source.objects.create(slug="s", name="s")
    QuarantinedItem.objects.create(source_id=source.pk, code="odd-code", problem={}, body="{", body_digest=b"1")
    assert "Odd code" in browser.get("/data/").content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM usage_ledger")
        assert cursor.fetchone() == (0,)
