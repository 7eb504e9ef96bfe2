"""Re-price previews in the background, and the pages of a run: exact, once, harmless to kill, undecided until told."""

import csv
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from budgets.audit.record import Actor
from budgets.models import AuditEntry, Organisation, Workflow
from budgets.notices import hint
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import at_once
from usage.models import LedgerEntry, PriceEntry, RepriceRun
from usage.prices import begin, preview, reprice, tasks
from usage.prices.book import current
from usage.prices.correction import quantities
from usage.prices.cost import cost_of
from usage.rollups.fold import fold_all
from usage.tests.events import MODEL, NOW, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor.command("test")
WINDOW = (NOW - timedelta(days=60), NOW + timedelta(days=1))


@pytest.fixture(autouse=True)
def now_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reprice.timezone, "now", lambda: NOW)
    monkeypatch.setattr(hint.current_app, "send_task", lambda *_, **__: None)


def set_price(**values: str) -> None:
    with changing_configuration():
        entry = price_the_model(**values)
    assert entry.pk


def asked(**options: Any) -> RepriceRun:
    return begin.begin_preview(ACTOR, *WINDOW, **options)


def plain_sums() -> dict[str, list[int]]:
    """Per workflow (calls that change, without a price, before, after) by reading every row, one by one."""
    prices = current(Organisation.get().generation)
    rows = list(LedgerEntry.objects.all())
    found: dict[str, list[int]] = {}
    names = dict(Workflow.objects.values_list("pk", "slug"))
    for row in rows:
        if row.kind != 0 or not row.measured:
            continue
        corrections = [one for one in rows if one.corrects == row.pk]
        before = (row.cost or 0) + sum(one.cost or 0 for one in corrections)
        unpriced = row.unpriced + sum(one.unpriced for one in corrections)
        price = prices.find(row.provider, row.model, row.service_tier, row.time)
        cost = price and cost_of(
            price, row.input_tokens or 0, row.cached_input_tokens or 0, row.cache_write_tokens or 0,
            row.output_tokens or 0, quantities(row.units), row.reasoning_tokens or 0,
        )  # fmt: skip
        if cost and (unpriced or cost.total != before):
            sums = found.setdefault(names[row.workflow_id], [0, 0, 0, 0])
            for i, number in enumerate((1, unpriced, before, cost.total)):
                sums[i] += number
    return found


def test_a_preview_is_counted_in_the_background_and_equals_a_plain_sum() -> None:
    take([an_event(f"{n}", workflow=f"w{n % 3}", input_tokens=1000 + n, cached_input_tokens=n) for n in range(12)])
    set_price(input_price="3", output_price="11")
    first = asked()
    tasks.preview_reprices()
    reprice.confirm(first.pk, ACTOR)
    tasks.carry_out_reprices()
    take([an_event("new", workflow="w9", model="other")])
    with changing_configuration():
        PriceEntry.objects.filter(model=MODEL).update(input=Decimal("2.33333333"))
    run = asked(only_unpriced=False)
    assert (run.status, run.preview, AuditEntry.objects.filter(act="requested").count()) == ("previewing", [], 2)
    assert tasks.preview_reprices() == 1
    run.refresh_from_db()
    plain = plain_sums()
    numbers = {row["workflow"]: [row[name] for name in ("calls", "unpriced", "before", "after")] for row in run.preview}
    assert numbers == plain
    assert run.before == sum(one[2] for one in plain.values()) == first_sum()
    assert run.after == sum(one[3] for one in plain.values())
    assert (run.status, run.seen, run.expected, run.still_unpriced) == ("preview", 13, 13, 1)
    assert AuditEntry.objects.filter(act="previewed", origin="job").count() == 2

    reprice.confirm(run.pk, ACTOR)
    tasks.carry_out_reprices()
    run.refresh_from_db()
    assert (run.status, run.corrected, run.written) == ("done", run.calls, run.after - run.before)
    assert first_sum() == run.after
    assert plain_sums() == {}


def first_sum() -> int:
    """Everything that the ledger has been charged for the model, corrections included."""
    return sum(one.cost or 0 for one in LedgerEntry.objects.filter(model=MODEL))


def test_running_it_twice_or_together_changes_nothing() -> None:
    take([an_event("a"), an_event("b")])
    set_price()
    run = asked()
    assert sum(map(int, map(str, at_once(tasks.preview_reprices, tasks.preview_reprices)))) >= 1
    run.refresh_from_db()
    before = (run.status, run.calls, run.after, run.seen)
    assert tasks.preview_reprices() == 0
    preview.make_preview(run.pk, ACTOR)
    run.refresh_from_db()
    assert (run.status, run.calls, run.after, run.seen) == before == ("preview", 2, 6_000_000, 2)
    assert AuditEntry.objects.filter(act="previewed").count() == 1


def test_a_killed_worker_leaves_a_preview_that_the_next_one_counts_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "CHUNK", 2)
    for n in range(4):
        take([an_event(f"{n}-a"), an_event(f"{n}-b")])
    set_price()
    run = asked()
    read, real = [], preview.read_calls

    def dies(*given: Any) -> Any:
        read.append(1)
        if len(read) == 3:
            raise SystemExit  # as a worker that is killed: no handler sees it
        return real(*given)

    monkeypatch.setattr(preview, "read_calls", dies)
    with pytest.raises(SystemExit):
        preview.make_preview(run.pk, ACTOR)
    run.refresh_from_db()
    assert (run.status, run.seen, run.expected, run.preview) == ("previewing", 4, 8, [])
    assert not LedgerEntry.objects.filter(kind=1).exists()
    monkeypatch.setattr(preview, "read_calls", real)
    assert tasks.preview_reprices() == 1
    run.refresh_from_db()
    assert (run.status, run.calls, run.seen) == ("preview", 8, 8)


def test_one_that_fails_says_why_and_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    take([an_event("a")])
    set_price()
    run, real = asked(), preview.read_calls

    def fails(*_: Any) -> Any:
        raise ConnectionError("the disk is full")

    monkeypatch.setattr(preview, "read_calls", fails)
    tasks.preview_reprices()
    run.refresh_from_db()
    assert (run.status, run.confirmed_at) == ("failed", None)
    assert "log says what" in run.problem and "disk" not in run.problem
    with pytest.raises(Exception, match="Ask for it again first"):
        reprice.confirm(run.pk, ACTOR)
    monkeypatch.setattr(preview, "read_calls", real)
    begin.begin_again(run.pk, ACTOR)
    tasks.preview_reprices()
    run.refresh_from_db()
    assert (run.status, run.problem, run.calls) == ("preview", "", 1)


def test_one_that_is_discarded_while_it_is_counted_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    take([an_event("a")])
    set_price()
    run, real = asked(), preview.read_calls

    def discards(*given: Any) -> Any:
        reprice.discard(run.pk, ACTOR)
        return real(*given)

    monkeypatch.setattr(preview, "read_calls", discards)
    tasks.preview_reprices()
    run.refresh_from_db()
    assert (run.status, run.preview) == ("discarded", [])
    assert not AuditEntry.objects.filter(act="previewed").exists()


def test_a_worker_leaves_when_another_counts() -> None:
    asked()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [tasks.PREVIEW_LOCK])
        assert tasks.preview_reprices() == 0
    finally:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [tasks.PREVIEW_LOCK])
        other.close()
    assert tasks.preview_reprices() == 1


# ---------- the pages


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("lena", password="x"))
    return client


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


FORM = {"first_day": "2026-11-01", "last_day": "2026-11-20", "model": "", "which": "unpriced"}


def test_the_whole_way_of_a_run_on_its_pages(browser: Client) -> None:
    take([an_event("a", workflow="seo"), an_event("b", workflow="seo"), an_event("c", model="nobody-knows")])
    fold_all()
    set_price()
    with changing_configuration():
        Organisation.objects.update(time_zone="Asia/Kathmandu")
    started = browser.post("/settings/prices/reprice/", FORM)
    run = RepriceRun.objects.get()
    assert started["Location"] == f"/settings/prices/reprice/{run.pk}/"
    assert (run.starts_at.isoformat(), run.ends_at.isoformat()) == (
        "2026-10-31T18:15:00+00:00", "2026-11-20T18:15:00+00:00",
    )  # fmt: skip
    counting = text(browser.get(f"/settings/prices/reprice/{run.pk}/"))
    assert 'hx-trigger="every 2s"' in counting
    assert "Calls of 1–20 Nov 2026" in counting
    assert "Being counted" in counting
    tasks.preview_reprices()
    part = text(browser.get(f"/settings/prices/reprice/{run.pk}/progress/"))
    assert "every 2s" not in part
    assert part.startswith('<div id="run">')
    assert "2 calls would cost $0.01.</b> 2 of them have no price so far." in part
    assert "1 call still has no price" in part
    assert "no price yet" in part
    assert "$0.00" not in part
    table = browser.get(f"/export/reprice/{run.pk}.csv")
    lines = list(csv.DictReader(b"".join(table.streaming_content).decode().splitlines()))
    assert [(one["workflow"], one["before"], one["after"]) for one in lines] == [("seo", "", "0.006")]

    browser.post(f"/settings/prices/reprice/{run.pk}/confirm/")
    assert "Being written" in text(browser.get(f"/settings/prices/reprice/{run.pk}/"))
    tasks.carry_out_reprices()
    done = text(browser.get(f"/settings/prices/reprice/{run.pk}/"))
    assert "2 calls priced anew" in done
    assert "Spend is $0.01 more than before" in done
    assert "every 2s" not in done
    late = browser.post(f"/settings/prices/reprice/{run.pk}/discard/", follow=True)
    assert "This run is done." in text(late)
    assert browser.post("/settings/prices/reprice/99999/confirm/").status_code == 302
    assert browser.get("/settings/prices/reprice/99999/").status_code == 404
    overview = text(browser.get("/settings/prices/reprice/"))
    assert "1–20 Nov 2026" in overview


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"last_day": "2026-10-01"}, "must not come before"),
        ({"first_day": "2020-01-01"}, "at most 800 days"),
        ({"first_day": "0001-01-01"}, "Choose a day from 2000"),
        ({"last_day": "soon"}, "Choose a day."),
        ({"which": "some"}, "Select a valid choice"),
    ],
)
def test_a_wrong_window_is_refused_with_a_sentence(browser: Client, values: dict[str, str], sentence: str) -> None:
    answer = browser.post("/settings/prices/reprice/", {**FORM, **values})
    assert (answer.status_code, sentence in text(answer)) == (422, True)
    assert not RepriceRun.objects.exists()


def test_the_page_starts_where_the_link_says_and_discards(browser: Client) -> None:
    page = browser.get("/settings/prices/reprice/?model=gpt-4o&from=2026-10-05")
    assert page.context["form"].initial["first_day"] == date(2026, 10, 5)
    assert page.context["form"].initial["model"] == "gpt-4o"
    assert browser.get("/settings/prices/reprice/?from=x").status_code == 200
    run = asked()
    browser.post(f"/settings/prices/reprice/{run.pk}/discard/")
    assert "Every call keeps the cost it has." in text(browser.get(f"/settings/prices/reprice/{run.pk}/"))
    again = browser.post(f"/settings/prices/reprice/{run.pk}/again/", follow=True)
    assert "This run is discarded." in text(again)


def test_a_run_over_many_workflows_is_paged_in_a_fixed_number_of_statements(
    browser: Client, django_assert_num_queries: Any
) -> None:
    row = {"workflow": "w", "calls": 1, "unpriced": 0, "before": 5, "after": 7}
    for count in (2, 2000):
        run = RepriceRun.objects.create(
            starts_at=WINDOW[0], ends_at=WINDOW[1], calls=count, before=5 * count, after=7 * count,
            preview=[{**row, "workflow": f"w{n}"} for n in range(count)],
        )  # fmt: skip
        browser.get(f"/settings/prices/reprice/{run.pk}/")
        with django_assert_num_queries(6):
            page = browser.get(f"/settings/prices/reprice/{run.pk}/")
    assert len(page.context["rows"]) == 50
    assert "All 2000 workflows" in text(page)
