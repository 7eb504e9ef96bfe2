"""Runs and calls behind a figure: found whole, drawn in order, with what corrected them."""

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from budgets.models import Organisation, Workflow
from reports.asking.scope import Scope
from reports.asking.window import window_of
from reports.spend import entries, run_pages, sums, timeline
from reports.spend.addresses import csv_address, run_address
from reports.spend.entries import behind, read_call, read_run
from reports.spend.runs import find_runs
from reports.tests.spent import NOW, fill_ledger, ledger_rows, plain_used
from tests.clean import forget_caches
from usage.models import Run
from usage.rollups.fold import fold_all
from usage.tests.events import a_sender, an_event, take

pytestmark = pytest.mark.django_db
DAYS = "period=custom&from=2026-09-20&to=2026-11-05"
ODD = "a/b c?d=é&.."


@pytest.fixture(scope="module")
def filled(lasting, django_db_blocker):
    with django_db_blocker.unblock():
        forget_caches()
        fill_ledger("UTC", 200)
        at = NOW - timedelta(hours=3)
        context = {"system": 100, "history": 300, "retrieval": 500, "format": 7}
        calls = [
            an_event(
                f"odd-{n}", time=(at + timedelta(seconds=40 * n)).isoformat(), model="alpha", workflow="seo",
                run_id=ODD, step=n, latency_ms=20_000, input_tokens=1000 * n, context=context, agent="writer",
                step_kind="plan",                attempt=2 if n == 3 else 1, status="error" if n == 2 else "ok", tier=2,
            )
            for n in (1, 2, 3)
        ]  # fmt: skip
        take([*calls, an_event("odd-4", time=at.isoformat(), model="nobody-prices-this", workflow="seo", run_id=ODD)],
             a_sender(), NOW)  # fmt: skip
        fold_all()


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def lena(filled: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("lena"))
    return client


def window():
    return window_of({"period": "custom", "from": "2026-09-20", "to": "2026-11-05"}, NOW, Organisation.get().zone)


def csv_of(client: Client, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def plain_runs(rows: list[dict]) -> dict[tuple[str, str], list[dict]]:
    found: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        if row["run_id"]:
            found.setdefault((row["workflow"], row["run_id"]), []).append(row)
    return found


def test_runs_are_whole_under_all_names_of_their_workflow(filled: None) -> None:
    expected = plain_runs(ledger_rows())
    found = find_runs(Scope(), window())
    assert {(one.workflow, one.run_id) for one in found.lines} == set(expected)
    assert found.many == len(expected) > 40
    assert found.cost == sum(plain_used(rows).cost for rows in expected.values())
    for one in found.lines:
        used = plain_used(expected[one.workflow, one.run_id])
        assert (one.cost, one.calls, one.retries, one.unpriced) == (used.cost, used.calls, used.retries, used.unpriced)
    assert [one.cost for one in found.lines] == sorted((one.cost for one in found.lines), reverse=True)


@pytest.mark.parametrize("sort", ["steps", "-calls", "-retries", "outcome", "-ended", "run"])
def test_runs_are_sorted_and_paged_in_sql(filled: None, sort: str) -> None:
    whole = find_runs(Scope(), window(), sort)
    parts = [find_runs(Scope(), window(), sort, limit=20, offset=at) for at in range(0, whole.many, 20)]
    assert [one for part in parts for one in part.lines] == list(whole.lines)
    assert {(part.many, part.cost) for part in parts} == {(whole.many, whole.cost)}


def test_other_filters_find_runs_by_their_calls(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ledger_rows()
    asked = {(row["workflow"], row["run_id"]) for row in rows if row["customer"] == "acme" and row["stage"] == "draft"}
    scope = Scope(customer=("acme",), stage=("draft",))
    found = find_runs(scope, window())
    assert {(one.workflow, one.run_id) for one in found.lines} >= asked
    names = {run for _, run in asked}
    assert {one.run_id for one in found.lines} <= names
    assert found.how == "ledger" and not found.cut
    monkeypatch.setattr(sums, "READ_MOST", 20)
    assert find_runs(scope, window()).cut


def test_runs_of_an_outcome(filled: None) -> None:
    one = Run.objects.filter(workflow_id=Workflow.objects.get(slug="seo").pk).order_by("pk")[0]
    Run.objects.filter(pk=one.pk).update(outcome="approved")
    found = find_runs(Scope(), window(), outcome="approved")
    assert [(run.workflow, run.run_id, run.outcome_words) for run in found.lines] == [("seo", one.run_id, "Approved")]


def test_a_run_with_an_odd_id_is_drawn_step_by_step(lena: Client) -> None:
    address = run_address("seo", ODD)
    page = lena.get(address).content.decode()
    assert "Run a/b c?d=é&amp;.." in page
    assert re.findall(r">(Step \d(?:, try \d)?|Call)</a>", page) == ["Call", "Step 1", "Step 2", "Step 3, try 2"]
    assert "system" not in page and "Instructions" in page and "History" in page
    assert page.count('<svg class="lane') == 4
    assert "no price yet" in page
    lines = csv_of(lena, csv_address("seo", ODD))
    mine = [row for row in ledger_rows() if row["run_id"] == ODD]
    assert len(lines) == len(mine) == 4
    total = sum(Decimal(line["cost"] or 0) for line in lines)
    assert total * 10**9 == plain_used(mine).cost
    assert f"${total.quantize(Decimal('0.01'))}" in page


def test_what_is_not_known_is_no_zero(lena: Client) -> None:
    usual = {"time": (NOW - timedelta(hours=1)).isoformat(), "workflow": "seo", "user": "zoe"}
    take([
        an_event("bare", **usual, model="alpha", run_id="bare", input_tokens=None, output_tokens=None),
        an_event("free", **usual, model="nobody-prices-this", run_id="unpriced"),
    ], a_sender(), NOW)  # fmt: skip
    fold_all()
    for run_id, words in (("bare", "not known"), ("unpriced", "no price yet")):
        page = lena.get(run_address("seo", run_id)).content.decode()
        assert page.count(words) >= 3 and "$0" not in page, run_id  # the tile, the row, the sum
    listed = lena.get(f"/spend/runs/?{DAYS}&user=zoe").content.decode()
    assert ">2 runs, no price yet<" in listed and ">not known<" in listed and "$0" not in listed


def test_a_long_run_is_shown_in_part_and_summed_whole(lena: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [(NOW - timedelta(minutes=n)).isoformat() for n in range(4)]
    calls = [an_event(f"long-{n}", time=at[n], model="alpha", workflow="seo", run_id="long") for n in range(4)]
    take(calls, a_sender(), NOW)
    fold_all()
    whole = lena.get(run_address("seo", "long")).content.decode()
    monkeypatch.setattr(run_pages, "SHOWN", 2)
    page = lena.get(run_address("seo", "long")).content.decode()
    assert re.search(r">(\d|,|\.)+ (seconds|minutes)<", whole)
    assert "2 rows of the ledger" in page and "The first 2; the CSV has more." in page
    assert "2 later calls are not drawn." in page and "not drawn" not in whole
    figures = [re.findall(r'<dd class="[vs]">([^<]+)', one) for one in (whole, page)]
    assert figures[0] == figures[1] and figures[0][1].endswith(" a call") and figures[0][2] == "4"


@pytest.mark.parametrize("run_id", ["..", "/", "a//b", "../../../settings", "x/"])
def test_ids_that_a_browser_would_tidy_are_in_the_query(filled: None, run_id: str) -> None:
    assert run_address("seo", run_id).startswith("/spend/runs/seo/?id=")
    assert csv_address("seo", run_id).startswith("/export/spend/runs/seo.csv?id=")


def test_such_a_run_opens_and_unknown_ones_do_not(lena: Client) -> None:
    Run.objects.filter(run_id=ODD).update(run_id="..")
    with connection.cursor() as cursor:  # as if the calls had said so
        cursor.execute("ALTER TABLE usage_ledger DISABLE TRIGGER usage_ledger_append_only")
        cursor.execute("UPDATE usage_ledger SET run_id = '..' WHERE run_id = %s", [ODD])
    assert lena.get(run_address("seo", "..")).status_code == 200
    assert len(csv_of(lena, csv_address("seo", ".."))) == 4
    for address in (
        "/spend/runs/seo/none/",
        "/spend/runs/nobody/run-1/",
        "/spend/runs/seo/?id=%00",
        "/spend/runs/seo/",
    ):
        assert lena.get(address).status_code == 404, address


def test_corrections_and_withdrawals_are_shown_as_such_and_in_the_total(lena: Client) -> None:
    organisation = Organisation.get()
    mine = [row for row in ledger_rows() if row["run_id"] == ODD]
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, posted_at, cost FROM usage_ledger WHERE event_id = 'odd-1'")
        call, posted, cost = cursor.fetchone()
        cursor.execute("SELECT id, posted_at, cost FROM usage_ledger WHERE event_id = 'odd-2'")
        other, other_posted, other_cost = cursor.fetchone()
        for kind, of, at, amount in ((1, call, posted, 500), (1, call, NOW, -200), (2, other, NOW, -other_cost)):
            cursor.execute(
                """INSERT INTO usage_ledger (posted_at, time, batch_id, generation, kind, corrects, source_id, event_id,
                    workflow_id, run_id, environment, model, measured, cost, cost_input, cost_cached, cost_cache_write,
                    cost_output, cost_units) SELECT %s, time, batch_id, generation, %s, id, source_id, event_id,
                    workflow_id, run_id, environment, model, true, %s, %s, 0, 0, 0, 0
                FROM usage_ledger WHERE id = %s AND kind = 0""",
                [at, kind, amount, amount, of],
            )
    assert other_posted < NOW
    found = read_run([Workflow.objects.get(slug="seo").pk], ODD, 100)
    assert found and [one.kind_words for one in found.entries].count("Correction") == 2
    assert [one.kind_words for one in found.entries].count("Withdrawal") == 1
    assert sum(one.cost or 0 for one in found.entries) == plain_used(mine).cost + 300 - other_cost
    drawn = {lane.entry.event_id: lane for lane in timeline.lanes(found.entries)}
    assert drawn["odd-1"].cost == cost + 300
    assert (drawn["odd-2"].cost, drawn["odd-2"].is_taken_back) == (0, True)
    one = next(one for one in found.entries if one.id == call)
    page = lena.get(f"/spend/calls/{one.moment}/{call}/").content.decode()
    assert page.count(">Correction<") == 2 and "Now" in page
    read = read_call(posted, call)
    assert read and [row.cost for row in read[1]] == [500, -200]
    assert organisation.time_zone == "UTC"


def test_calls_behind_a_figure_are_the_newest_and_sum_to_it(lena: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = csv_of(lena, f"/export/spend/calls.csv?{DAYS}&model=alpha")
    mine = [row for row in ledger_rows() if row["model"] == "alpha"]
    assert len(lines) == len(mine)
    assert sum(Decimal(line["cost"] or 0) for line in lines) * 10**9 == plain_used(mine).cost
    times = [line["counts_at"] for line in lines]
    assert times == sorted(times, reverse=True)
    page = lena.get(f"/spend/calls/?{DAYS}&model=alpha").content.decode()
    assert f"{len(mine):,} calls" in page and "All of them are listed" in page
    found, read = behind(Scope(model=("alpha",)), window(), 5)
    assert len(found) == 5 and read == window()
    monkeypatch.setattr(sums, "READ_MOST", 20)
    found, read = behind(Scope(customer=("acme",), stage=("draft",)), window(), 500)
    assert read != window() and all(one.posted_at >= read.starts_at for one in found)


def test_a_call_has_every_field_that_it_stated(lena: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, posted_at FROM usage_ledger WHERE event_id = 'odd-3'")
        pk, posted = cursor.fetchone()
    found = read_call(posted, pk)
    assert found
    page = lena.get(f"/spend/calls/{found[0].moment}/{pk}/").content.decode()
    for said in ("writer", "plan", "retrieval", "20,000", "seo", "alpha", "3,000", "odd-3", "gateway"):
        assert said in page, said
    assert lena.get(f"/spend/calls/{found[0].moment + 1}/{pk}/").status_code == 404
    assert lena.get(f"/spend/calls/{10**30}/{pk}/").status_code == 404
    assert lena.get(f"/spend/calls/{found[0].moment}/{10**30}/").status_code == 404


def test_pages_ask_a_fixed_number_of_questions(lena: Client, django_assert_num_queries) -> None:
    for address, many in (
        (f"/spend/runs/?{DAYS}", 7),
        (f"/spend/runs/?{DAYS}&customer=acme", 8),
        (f"/spend/calls/?{DAYS}", 15),
        (run_address("seo", ODD), 12),
    ):
        lena.get(address)
        with django_assert_num_queries(many):
            lena.get(address)


# Pure


def a_call(pk: int, at: int, **more: object) -> SimpleNamespace:
    """A call that ended `at` seconds after `NOW`."""
    usual = {"kind": 0, "corrects": None, "cost": 10, "latency_ms": None, "context": None, "input_tokens": 100}
    values = {"id": pk, "time": NOW + timedelta(seconds=at)} | usual | more
    return SimpleNamespace(is_call=values["kind"] == 0, **values)


def test_lanes_lie_where_their_calls_were() -> None:
    drawn = timeline.lanes([a_call(1, 10, latency_ms=10_000), a_call(2, 40, latency_ms=20_000), a_call(3, 40)])
    assert [(lane.entry.id, lane.x, lane.width) for lane in drawn] == [
        (1, "0.00%", "25.00%"),
        (2, "50.00%", "50.00%"),
        (3, "99.60%", "0.40%"),
    ]


def test_parts_are_as_wide_as_they_are_long() -> None:
    found = timeline.parts({"system": 20, "history": 30}, 100, 200)
    assert [(one.name, one.tokens, one.x, one.width) for one in found] == [
        ("Instructions", 20, "0.00%", "10.00%"),
        ("History", 30, "10.00%", "15.00%"),
        ("Memory, format and not stated", 50, "25.00%", "25.00%"),
    ]
    more = timeline.parts({"system": 300}, 100, 100)
    assert [(one.tokens, one.width) for one in more] == [(300, "100.00%")]
    assert timeline.parts({}, None, 100) == timeline.parts({}, 10, 0) == ()


def test_one_moment_alone_is_drawn() -> None:
    (lane,) = timeline.lanes([a_call(1, 0)])
    assert (lane.x, lane.width) == ("0.00%", "0.40%")
    assert timeline.lanes([]) == []


def test_addresses_of_calls_hold_microseconds() -> None:
    one = entries.Entry("a", "A", "a", {"posted_at": NOW + timedelta(microseconds=7)})
    assert entries.instant(one.moment) == NOW + timedelta(microseconds=7)
    assert entries.instant(10**30) is None
