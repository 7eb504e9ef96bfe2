"""The list of calls narrowed to what only single calls know: page, CSV and JSON alike, and equal to a plain loop."""

import csv
import html
import io
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from reports.asking.narrowed import CHOICES, KINDS
from reports.spend.which import KEYS
from reports.tests.spent import NOW, fill_ledger
from tests.clean import forget_caches
from usage.rollups.fold import fold_all
from usage.tests.events import a_sender, an_event, take

pytestmark = pytest.mark.django_db
FIRST = "2026-10-20"
DAYS = f"period=custom&from={FIRST}&to=2026-11-05"
COLUMNS = (
    "id", "kind", "corrects", "event_id", "posted_at", "workflow_id", "run_id", "attempt", "status", "cache", "channel",
    "cached_input_tokens", "cache_write_tokens", "cost", "cost_units", "measured", "unpriced", "prompt_version",
    "input_tokens", "output_tokens", "step", "context",
)  # fmt: skip
Row = dict[str, Any]


@pytest.fixture(scope="module")
def filled(lasting, django_db_blocker):
    """Calls of every kind, and what corrected or took back some of them: in the same days, and earlier ones."""
    with django_db_blocker.unblock():
        forget_caches()
        fill_ledger("UTC", 160)
        stated: list[dict[str, Any]] = [
            {"run_id": "", "prompt_version": "v2", "cached_input_tokens": 700, "context": {"history": 40, "user": 60}},
            {"run_id": "", "attempt": 2, "status": "timeout", "prompt_version": "-", "context": {"system": 9}},
            {"run_id": "wide", "channel": "mail", "cache": "semantic", "step": 7},
            {"run_id": "wide", "channel": "web", "cache_write_tokens": 50, "context": {"history": 400}},
            {"run_id": "narrow", "channel": "web", "units": {"searches": 2}, "prompt_version": "v2"},
        ]
        calls = [
            an_event(f"extra-{n}", time=(NOW - timedelta(hours=9 + n)).isoformat(), model="alpha", workflow="seo",
                     input_tokens=1_000 + n, output_tokens=50 * n, **one)
            for n, one in enumerate(stated)
        ]  # fmt: skip
        take(calls, a_sender(), NOW)
        fold_all()
        correct("extra-0", kind=1, cost=500)
        correct("extra-4", kind=1, cost=300, cost_units=300)
        correct("extra-1", kind=2)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT event_id FROM usage_ledger WHERE posted_at < %s AND measured ORDER BY id LIMIT 3", [FIRST]
            )
            early = [name for (name,) in cursor.fetchall()]
        correct(early[0], kind=1, cost=70, unpriced=-1)
        correct(early[1], kind=1, cost=-5)
        correct(early[2], kind=2)


def correct(name: str, kind: int, cost: int | None = None, cost_units: int = 0, unpriced: int = 0) -> None:
    """A correction as re-pricing writes it, or a withdrawal, which keeps the attempt and negates."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO usage_ledger (posted_at, time, batch_id, generation, kind, corrects, source_id, event_id,
                workflow_id, run_id, environment, model, status, channel, cache, prompt_version, attempt, measured,
                unpriced, cost, cost_input, cost_cached, cost_cache_write, cost_output, cost_units, input_tokens)
            SELECT %(at)s, time, batch_id, generation, %(kind)s, id, source_id, event_id, workflow_id, run_id,
                environment, model, status, channel, cache, prompt_version, CASE WHEN %(kind)s = 2 THEN attempt END,
                true, %(unpriced)s, coalesce(%(cost)s, -cost), coalesce(%(cost)s - %(units)s, -cost), 0, 0, 0,
                %(units)s,
                CASE WHEN %(kind)s = 2 THEN -input_tokens END
            FROM usage_ledger WHERE event_id = %(name)s AND kind = 0""",
            {"at": NOW, "kind": kind, "cost": cost, "units": cost_units, "name": name, "unpriced": unpriced},
        )


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def lena(filled) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("lena", password="a-long-horse-for-tests"))
    return client


def rows_of_days() -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM usage_ledger WHERE posted_at >= %s", [FIRST])
        return [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]


def of(rows: list[Row], matches: Callable[[Row], bool]) -> list[Row]:
    """The calls that match, with what corrected them or took them back in the same days."""
    mine = {row["id"] for row in rows if row["kind"] == 0 and matches(row)}
    return [row for row in rows if (row["corrects"] or row["id"]) in mine]


def wide_runs(rows: list[Row]) -> set[tuple[int, str]]:
    """By the workflow that they count as."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, coalesce(merged_into_id, id) FROM budgets_workflow")
        counts_as = dict(cursor.fetchall())
    taken = {row["corrects"] for row in rows if row["kind"] == 2}
    channels = defaultdict(set)
    for row in rows:
        row["counts_as"] = counts_as[row["workflow_id"]]
        if row["kind"] == 0 and row["run_id"] and row["channel"] and row["id"] not in taken:
            channels[row["counts_as"], row["run_id"]].add(row["channel"])
    return {run for run, found in channels.items() if len(found) > 1}


def is_retry(row: Row) -> bool:
    return (row["attempt"] or 1) > 1


def layers(row: Row) -> dict[str, int]:
    import json

    return json.loads(row["context"]) if isinstance(row["context"], str) else row["context"] or {}


PLAIN: dict[str, Callable[[Row, list[Row]], bool]] = {
    "run=any": lambda row, _: bool(row["run_id"]),
    "run=none": lambda row, _: not row["run_id"],
    "run=channels": lambda row, rows: (row["counts_as"], row["run_id"]) in wide_runs(rows),
    "attempt=first": lambda row, _: not is_retry(row),
    "attempt=retry": lambda row, _: is_retry(row),
    "attempt=trouble": lambda row, _: is_retry(row) or row["status"] != "ok",
    "cache=any": lambda row, _: bool(
        row["cached_input_tokens"] or row["cache_write_tokens"] or row["cache"] in {"semantic", "response"}
    ),
    "cost=unknown": lambda row, rows: row["cost"] is None and not any(
        one["corrects"] == row["id"] and one["kind"] == 1 for one in rows
    ),
    "cost=uncounted": lambda row, _: not row["measured"],
    "cost=extras": lambda row, _: bool(row["cost_units"]),
    **{f"layer={one}": lambda row, _, one=one: layers(row).get(one, 0) > 0 for one in CHOICES["layer"][1]},
    "kind=calls": lambda row, _: True,
    "prompt_version=v2": lambda row, _: row["prompt_version"] == "v2",
    "prompt_version=v2&prompt_version=-&prompt_version=--": lambda row, _: row["prompt_version"] in ("v2", "-", None),
    "attempt=retry&run=none": lambda row, _: is_retry(row) and not row["run_id"],
}  # fmt: skip


def test_every_choice_is_tested() -> None:
    for key, (_, values) in CHOICES.items():
        assert {f"{key}={value}" for value in values} <= PLAIN.keys()


@pytest.mark.parametrize("query", PLAIN)
def test_what_is_listed_is_what_a_plain_loop_finds(lena: Client, query: str) -> None:
    rows = rows_of_days()
    wide_runs(rows)
    compare(lena, query, of(rows, lambda row: PLAIN[query](row, rows)))


KINDS_OF_OTHERS = {
    "priced-later": lambda row: row["kind"] == 1 and row["unpriced"] < 0,
    "corrected": lambda row: row["kind"] == 1 and row["unpriced"] >= 0,
    "withdrawn": lambda row: row["kind"] == 2,
}


def test_kinds_part_all_rows_of_these_days(lena: Client) -> None:
    rows = rows_of_days()
    here = {row["id"] for row in rows}
    many = 0
    for kind in KINDS:
        mine = [row for row in rows if (row["corrects"] or row["id"]) in here]
        if kind in KINDS_OF_OTHERS:
            mine = [row for row in rows if row["corrects"] not in {None, *here} and KINDS_OF_OTHERS[kind](row)]
        compare(lena, f"kind={kind}", mine)
        many += len(mine)
    assert many == len(rows)


def compare(lena: Client, query: str, expected: list[Row]) -> None:
    """CSV, JSON and page list these and sum to them."""
    lines = csv_of(lena, query)
    assert sorted(line["event_id"] for line in lines) == sorted(row["event_id"] for row in expected)
    cost = sum(row["cost"] or 0 for row in expected)
    assert sum(Decimal(line["cost"] or 0) for line in lines) * 10**9 == cost
    found = lena.get(f"/series/spend/calls.json?{DAYS}&{query}").json()
    assert [row["event_id"] for row in found["rows"]] == [line["event_id"] for line in lines]
    assert (Decimal(found["all"]["cost"] or 0) * 10**9, found["notes"]) == (cost, [])
    calls = sum({0: 1, 1: 0, 2: -1}[row["kind"]] for row in expected)
    assert found["all"]["calls"] == calls
    said = page_of(lena, query)
    if expected:
        assert f"{calls:,} call" in said and "All of them are listed" in said
    else:
        assert "No call matches" in said


def csv_of(client: Client, query: str) -> list[dict[str, str]]:
    answer = client.get(f"/export/spend/calls.csv?{DAYS}&{query}")
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def page_of(client: Client, query: str) -> str:
    return client.get(f"/spend/calls/?{DAYS}&{query}").content.decode()


@pytest.mark.parametrize(
    ("sort", "column"), [("cost", "cost"), ("input", "input_tokens"), ("output", "output_tokens"), ("step", "step")]
)
def test_in_the_order_asked_for_what_states_none_comes_last(lena: Client, sort: str, column: str) -> None:
    for way, sign in (("", 1), ("-", -1)):
        found = [line[column] for line in csv_of(lena, f"sort={way}{sort}")]
        stated = [Decimal(one) for one in found if one]
        assert found[: len(stated)] == [one for one in found if one]
        assert stated == sorted(stated, key=lambda one: sign * one)
    assert 'aria-sort="ascending"' in page_of(lena, f"sort={sort}")


def test_those_with_the_most_of_a_layer_come_first(lena: Client) -> None:
    assert [line["event_id"] for line in csv_of(lena, "layer=history&sort=-layer")][:2] == ["extra-3", "extra-0"]
    assert "most conversation history first" in page_of(lena, "layer=history&sort=-layer")
    assert "cannot be sorted by “-layer”" in page_of(lena, "sort=-layer")


def test_until_a_moment(lena: Client) -> None:
    until = NOW - timedelta(hours=11)
    names = {line["event_id"] for line in csv_of(lena, f"until={until:%Y-%m-%dT%H:%M:%SZ}")}
    assert "extra-3" in names and "extra-1" not in names
    assert "Until: <b>5 Nov 2026, 05:00</b>" in page_of(lena, f"until={until:%Y-%m-%dT%H:%M:%SZ}")
    for offset in (timedelta(hours=23), timedelta(seconds=30.5)):  # which no clock has and PostgreSQL does not take
        same = until.astimezone(timezone(offset)).isoformat()
        assert {line["event_id"] for line in csv_of(lena, urlencode({"until": same}))} == names


@pytest.mark.parametrize(
    "query",
    ["run=zebra", "attempt=2", "cache=%00", "cost=free", "layer=zebra", "kind=zebra", "until=zebra", "sort=zebra",
     "until=2026-11-05T05:00:00", "until=0001-01-01T00:00:00%2B14:00", "prompt_version=%00", "kind=corrected&run=any"],
)  # fmt: skip
def test_what_cannot_be_is_said_and_left_out(lena: Client, query: str) -> None:
    said = page_of(lena, query)
    assert re.search("left out|newest come first", said)
    everything = csv_of(lena, "kind=corrected" if query.startswith("kind=corrected") else "")
    assert csv_of(lena, query) == everything


def test_choices_are_chips_that_come_off_and_every_link_keeps_the_others(lena: Client) -> None:
    query = "workflow=seo&attempt=trouble&kind=calls&prompt_version=v2&sort=-cost"
    said = html.unescape(page_of(lena, query))
    chips = dict(re.findall(r'href="\?([^"]*)" aria-label="Remove the filter ([^:]*):', said))
    assert set(chips.values()) == {"Workflow", "Try", "Prompt version", "Rows"}
    for address, words in chips.items():
        key = {"Workflow": "workflow", "Try": "attempt", "Prompt version": "prompt_version", "Rows": "kind"}[words]
        left = set(query.split("&")) - {one for one in query.split("&") if one.startswith(f"{key}=")}
        assert set(address.removeprefix(f"{DAYS}&").split("&")) == left
    assert f"?period=7d&{query}" in said
    asked = html.unescape(lena.get(f"/spend/values/team/?{DAYS}&{query}&back=spend-calls").content.decode())
    for key, value in (one.split("=") for one in query.split("&")):
        assert f'name="{key}" value="{value}"' in asked
    assert "no filter" not in asked
    assert "no filter" not in lena.get(re.search(r'href="(/spend/\?[^"]*)">Spend<', said)[1]).content.decode()


def test_a_fixed_number_of_questions(lena: Client, django_assert_num_queries) -> None:
    for query, many in (("sort=-cost", 11), ("attempt=trouble", 14), ("run=channels&kind=calls&customer=acme", 14)):
        page_of(lena, query)
        with django_assert_num_queries(many):
            page_of(lena, query)


def test_all_that_an_address_may_say_is_known() -> None:
    assert {"run", "attempt", "cache", "cost", "layer", "kind", "until", "prompt_version", "sort"} <= KEYS
