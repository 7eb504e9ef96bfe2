"""The explorer: every grouping on page, CSV and JSON; columns split in two, comparison, hours, runs, one run, calls."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from tests.totals.compare import Comparison, sums
from tests.totals.overview import window
from tests.totals.plain_sum import DAY, Row, by, count, days, midnight, total
from tests.totals.plain_text import day_words

DIMENSIONS = (
    "team", "workflow", "provider", "model", "tier", "environment", "service_tier", "stage", "task_type", "status",
    "user", "customer", "application", "campaign", "channel", "tag",
)  # fmt: skip
HOUR = timedelta(hours=1)
More = dict[int, dict[str, Any]]


def compare_spend(c: Comparison) -> None:
    more = _more()
    for dimension in DIMENSIONS:
        _grouping(c, "this-month", dimension, "money", more)
    _grouping(c, "quarter", "workflow", "calls", more)
    _grouping(c, "last-month", "customer", "input", more)
    _narrowed(c, more)
    _compared(c)
    _hours(c)
    _runs(c)
    _calls(c)


def values_of(row: Row, dimension: str, more: More) -> list[str]:
    """What a row has of a dimension; of tags any number, of others one, "" where it states none."""
    if dimension == "workflow":
        return [row.slug]
    if dimension == "tag":
        return [f"{key}={value}" for key, value in (row.tags or {}).items()]
    if dimension == "tier":
        return [str(row.tier)]
    name = {"user": "user_name"}.get(dimension, dimension)
    return [(row.stated.get(name) if name in row.stated else more[row.id][name]) or ""]


def _more() -> More:
    """Columns that no other total needs."""
    columns = ("stage", "task_type", "status", "campaign", "channel", "attempt")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, {', '.join(columns)} FROM usage_ledger")
        return {pk: dict(zip(columns, values, strict=True)) for pk, *values in cursor.fetchall()}


def groups(rows: list[Row], dimension: str, more: More) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        for value in values_of(row, dimension, more):
            found.setdefault(value, []).append(row)
    return {value: of for value, of in found.items() if _something(of)}


def _something(rows: list[Row]) -> bool:
    names = ("calls", "unpriced", "unmeasured", "input_tokens", "output_tokens")
    return bool(total(rows) or any(count(rows, name) for name in names))


def _grouping(c: Comparison, period: str, dimension: str, metric: str, more: More) -> None:
    first, last, *_ = window(period, c.today, c.year_starts)
    rows, where = c.books.between(first, last), f"Spend {period} by {dimension}"
    query = f"?period={period}&group={dimension}&metric={metric}"
    of = groups(rows, dimension, more)
    lines = {line[dimension].removeprefix("'"): line for line in c.csv(f"/export/spend.csv{query}")}
    drawn = c.json(f"/series/spend.json{query}")
    told = {row[dimension]: row for row in drawn["figures"]["rows"]}
    c.same(f"{where}: CSV's rows", sorted(lines), sorted(of))
    c.same(f"{where}: JSON's rows", sorted(told), sorted(of))
    for value in set(of) & set(lines) & set(told):
        whole = sums(of[value])
        for kind, found in (("CSV", lines[value]), ("JSON", told[value])):
            c.cost(f"{where}: {value}, {kind}", found["cost"], of[value])
            names = ("calls", "calls_without_price", "calls_without_tokens", "input_tokens", "output_tokens")
            expected = [whole["calls"], whole["unpriced"], whole["unmeasured"]]
            expected += [count(of[value], "input_tokens"), count(of[value], "output_tokens")]
            c.same(f"{where}: {value}, {kind}", [int(found[name]) for name in names], expected)
    _all(c, where, drawn["figures"]["all"], rows)
    _page(c, where, query, rows, of, dimension)
    _drawn(c, where, drawn, rows, dimension, (first, last), metric, more)


def _all(c: Comparison, where: str, told: dict[str, Any], rows: list[Row]) -> None:
    c.cost(f"{where}: all", told["cost"], rows)
    c.same(f"{where}: all calls", told["calls"], total(rows, "calls"))
    c.same(f"{where}: all tokens", told["input_tokens"] + told["output_tokens"], total(rows, "tokens"))


def _page(c: Comparison, where: str, query: str, rows: list[Row], of: dict[str, list[Row]], dimension: str) -> None:
    page = c.page(f"/spend/{query}")
    table = page.one("table", "sorts")
    if not of:
        return
    lines = [row for row in table.all("tr") if row.all("td")]
    *listed, foot = lines
    c.same(f"{where}: the page's rows", len(listed), min(50, len(of)))
    expected = sorted(c.words(mine) for mine in of.values())
    if len(of) <= 50:
        c.same(f"{where}: the page's money", sorted(_money(row) for row in listed), expected)
        calls = sorted(row.all("td")[1].text for row in listed)
        c.same(f"{where}: the page's calls", calls, sorted(f"{total(mine, 'calls'):,}" for mine in of.values()))
    c.same(f"{where}: the foot", [one.text for one in foot.all("td")][:2], [c.words(rows), f"{total(rows, 'calls'):,}"])


def _money(row: Any) -> str:
    """The first cell without what stands below the amount."""
    cell = row.all("td")[0]
    below = [one.text for one in cell.all("span", "m")]
    text: str = cell.text
    for words in reversed(below):
        text = text.removesuffix(words).strip()
    return text


def _figure(c: Comparison, rows: list[Row], metric: str) -> float | int:
    if metric == "money":
        return c.shown.drawn(total(rows))
    return total(rows, "calls") if metric == "calls" else count(rows, f"{metric}_tokens")


def _drawn(
    c: Comparison,
    where: str,
    drawn: dict[str, Any],
    rows: list[Row],
    dimension: str,
    asked: tuple[date, date],
    metric: str,
    more: More,
) -> None:
    """Each series that has a name of its own, at each complete day; and the days' sums, where rows do not overlap."""
    daily = days(asked[0], min(asked[1], c.today - DAY))
    c.same(f"{where}: chart's sum", drawn["sum"], _figure(c, rows, metric))
    if (asked[1] - asked[0]).days < 2:
        return  # drawn by hours: see `_hours`
    of_day = by(rows, lambda row: row.day)
    if dimension == "model":
        for one in drawn["series"]:
            named = [other["name"] for other in drawn["series"]]
            mine = [row for row in rows if (row.model if row.model in named else "Everything else") == one["name"]]
            expected = [_figure(c, [row for row in mine if row.day == day], metric) for day in daily]
            c.same(f"{where}: chart, {one['name']}", one["values"], expected)
    elif metric != "money" and dimension != "tag" and drawn["series"]:
        heights = [sum(values) for values in zip(*(one["values"] for one in drawn["series"]), strict=True)]
        c.same(f"{where}: chart", heights, [_figure(c, of_day.get(day, []), metric) for day in daily])


def _narrowed(c: Comparison, more: More) -> None:
    """Filters of each kind together: from days of a wide dimension, and from the ledger."""
    first = c.today.replace(day=1)
    rows = c.books.between(first, c.today)
    for query, keeps in (
        ("&user=ana&group=model", lambda row: row.user_name == "ana"),
        ("&workflow=reply&group=customer", lambda row: row.slug == "reply"),
        ("&customer=-&group=stage", lambda row: not row.customer),
        ("&environment=staging&group=user", lambda row: row.environment == "staging"),
    ):
        keep: Callable[[Row], bool] = keeps
        mine = [row for row in rows if keep(row)]
        told = c.json(f"/series/spend.json?period=this-month{query}")["figures"]["all"]
        _all(c, f"Spend {query}", told, mine)
        lines = c.csv(f"/export/spend.csv?period=this-month{query}&stack=provider")
        dimension = query.rpartition("=")[2]
        pairs = {(value, row.provider): [] for row in mine for value in values_of(row, dimension, more)}
        for row in mine:
            for value in values_of(row, dimension, more):
                pairs[value, row.provider].append(row)
        found = {(line[dimension].removeprefix("'"), line["provider"]): line for line in lines}
        c.same(f"Spend {query}: pairs", sorted(found), sorted(key for key, of in pairs.items() if _something(of)))
        for key in found.keys() & pairs.keys():
            c.cost(f"Spend {query}: {key}", found[key]["cost"], pairs[key])


def _compared(c: Comparison) -> None:
    """Complete days against the days before and the same weekdays."""
    first, complete = c.today.replace(day=1), c.today - DAY
    many = (complete - first).days + 1
    if many <= 0:
        return
    _, _, before, before_last = window("this-month", c.today, c.year_starts)
    for how, start, stop in (
        ("previous", before, before_last),
        ("weekdays", first - 28 * DAY, complete - 28 * DAY),
    ):
        where = f"Spend against {how}"
        for line in c.csv(f"/export/spend.csv?period=this-month&group=workflow&compare={how}"):
            now = [row for row in c.books.between(first, complete) if row.slug == line["workflow"]]
            past = [row for row in c.books.between(start, stop) if row.slug == line["workflow"]]
            c.cost(f"{where}: {line['workflow']} now", line["money_complete_days"], now)
            c.cost(f"{where}: {line['workflow']} before", line["money_before"], past)
        dotted = c.json(f"/series/spend.json?period=this-month&compare={how}")["dotted"]
        of = by(c.books.between(start, stop), lambda row: row.day)
        expected = [c.shown.drawn(total(of.get(day, []))) for day in days(start, stop)]
        c.same(f"{where}: dotted", dotted["values"] if dotted else [0.0] * len(expected), expected)


def _hours(c: Comparison) -> None:
    """The day on which clocks changed last, or the day before: hour by hour."""
    zone: ZoneInfo = c.books.zone
    for day in (c.today - DAY, date(2026, 3, 8), date(2026, 11, 1)):
        if day >= c.today:
            continue
        query = f"?period=custom&from={day}&to={day}&metric=calls&group=provider"
        drawn = c.json(f"/series/spend.json{query}")
        start, stop = midnight(day, zone), midnight(day + DAY, zone)
        hours = [start + n * HOUR for n in range(int((stop - start) / HOUR))]
        c.same(f"Spend on {day}: hours", len(drawn["labels"]), len(hours))
        expected = [total(c.books.since(hour, hour + HOUR), "calls") for hour in hours]
        if drawn["series"]:
            heights = [sum(values) for values in zip(*(one["values"] for one in drawn["series"]), strict=True)]
            c.same(f"Spend on {day}: by hour", heights, expected)
        page = [row for row in c.page(f"/spend/{query}").lines() if row and row[0].startswith(day_words(day))]
        if drawn["series"]:
            c.same(f"Spend on {day}: the page's hours", len(page), len(hours))


def _runs(c: Comparison) -> None:
    """Runs of every time, each with all its rows; and each row of some of them."""
    query = f"?period=custom&from={c.today - 400 * DAY}&to={c.today}"
    of = by([row for row in c.books.rows if row.run_id], lambda row: (row.slug, row.run_id))
    of = {key: rows for key, rows in of.items() if total(rows, "calls") > 0}
    lines = {(line["workflow"], line["run"]): line for line in c.csv(f"/export/spend/runs.csv{query}")}
    c.same("Runs: which", sorted(lines), sorted(of))
    for key in lines.keys() & of.keys():
        c.cost(f"Run {key}", lines[key]["cost"], of[key])
        c.same(f"Run {key}: calls", lines[key]["calls"], str(total(of[key], "calls")))
    for slug, run in sorted(of)[:4]:
        rows = of[slug, run]
        found = c.csv(f"/export/spend/runs/{slug}/{run}.csv")
        c.same(f"Run {slug} {run}: rows", len(found), len(rows))
        foot = c.page(f"/spend/runs/{slug}/{run}/").one("table", "stacks").all("tr")[-1]
        c.same(f"Run {slug} {run}: total", foot.all("td")[-1].text, c.words(rows))


def _calls(c: Comparison) -> None:
    """Every row behind a figure, corrections and withdrawals too."""
    first = c.today.replace(day=1)
    rows = c.books.between(first, c.today)
    found = c.csv("/export/spend/calls.csv?period=this-month")
    c.same("Calls: rows", len(found), len(rows))
    if c.shown.code == "USD":
        nano = sum(round(float(line["cost"] or 0) * 10**9) for line in found)
        c.same("Calls: their sum", nano, total(rows))
    one = rows[-1] if rows else None
    if one:
        mine = [line for line in found if line["event_id"] == one.event_id and line["kind_words"] == "Call"]
        for line in mine[:1]:
            c.same("Calls: a call's tokens", line["input_tokens"], str(one.input_tokens or ""))
