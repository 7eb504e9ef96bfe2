"""The Overview: tiles, table, legend, chart, CSV, what needs a look, for every period."""

from datetime import date, timedelta

from tests.totals.compare import Comparison, known_cost, sums
from tests.totals.plain_sum import DAY, by, days, month_before, period, total
from tests.totals.plain_text import Node, day_words_of, short, some, tiles

PERIODS = ("7d", "this-month", "last-month", "quarter", "year")


def window(name: str, today: date, year_starts: int) -> tuple[date, date, date, date]:
    """First and last counted day, and the first and last of the days compared with."""
    if name == "7d":
        return today - 7 * DAY, today - DAY, today - 14 * DAY, today - 8 * DAY
    if name == "last-month":
        first = month_before(today)
        return first, today.replace(day=1) - DAY, month_before(first), first - DAY
    kind = {"this-month": "month"}.get(name, name)
    first, _ = period(kind, today, year_starts)
    before, before_last = period(kind, first - DAY, year_starts)
    return first, today, before, min(before_last, before + (today - DAY - first))


def compare_overview(c: Comparison) -> None:
    for name in PERIODS:
        first, last, before, before_last = window(name, c.today, c.year_starts)
        _one_period(c, name, first, last)
        _chart(c, name, first, last, before, before_last)
        _csv(c, name, first, last)
    _beside(c)


def _one_period(c: Comparison, name: str, first: date, last: date) -> None:
    page, where = c.page(f"/?period={name}"), f"Overview {name}"
    _tiles(c, where, page, first, last)
    asked = page.one("div", id="figures").attributes["hx-get"].split("shape=")[1].split("&")[0]
    live = c.page(f"/overview/live/?period={name}&shape={asked}")
    _tiles(c, f"{where}, live", live, first, last)
    named, columns = _table(c, where, page, first, last)
    _table(c, f"{where}, live", live, first, last)
    legend = [one.text for one in page.all("div", "legend")[0].all("button")]
    expected = [f"{model} {c.shown.whole(one)}" for model, one in zip(named, columns, strict=True)]
    c.same(f"{where}: legend", legend, expected)
    _look(c, where, page, first, last)


def _table(c: Comparison, where: str, page: Node, first: date, last: date) -> tuple[list[str], list[int]]:
    """Each day and model of the table; its models and what each comes to."""
    header, *lines, foot = page.one("div", id="spend-days").lines()
    named, rows = header[1:-1], c.books.between(first, last)
    of = by(rows, lambda row: row.model if row.model in named else "Other")
    c.same(f"{where}: the table's days", len(lines), (last - first).days + 1)
    when = day_words_of(first, last)
    for day, line in zip(reversed(days(first, last)), lines, strict=True):
        c.same(f"{where}: a day", line[0], "Today so far" if day == c.today else when(day))
        shown = [total(row for row in of.get(model, []) if row.day == day) for model in named]
        shown.append(total(row for row in rows if row.day == day))
        c.same(f"{where}: {day}", line[1:], [c.shown.plain(one) for one in shown])
    columns = [total(of.get(model, [])) for model in named]
    c.same(f"{where}: the foot", foot[1:], [c.shown.plain(one) for one in [*columns, total(rows)]])
    return named, columns


def _tiles(c: Comparison, where: str, page: Node, first: date, last: date) -> None:
    rows, found = c.books.between(first, last), tiles(page)
    whole = sums(rows)
    spent = found.get("Spent so far") or found["Spent"]
    c.same(f"{where}: spent", spent[0].split(" of ")[0], c.shown.whole(whole["money"]))
    dear = [row for row in rows if row.tier >= 3]
    percent, of_calls = round(total(dear) * 100 / whole["money"]), round(total(dear, "calls") * 100 / whole["calls"])
    c.same(f"{where}: premium", found["Premium models"][0], f"{percent}% of spend, {of_calls}% of calls")
    each = c.shown.per(whole["money"], whole["calls"] - whole["without"] - whole["uncounted"])
    c.same(
        f"{where}: calls",
        found["Premium models"][1],
        f"{short(whole['calls'])} call{'' if whole['calls'] == 1 else 's'}, {each} each",
    )
    if last == c.today:
        now = [row for row in rows if row.day == c.today]
        said = f"{c.shown.whole(total(now))} today so far: {some(total(now, 'calls'), 'call')} since midnight"
        c.same(f"{where}: today", spent[1].endswith(said), True)
    _assets(c, where, found["Cost per approved asset"][0], first, last)


def _assets(c: Comparison, where: str, found: str, first: date, last: date) -> None:
    from tests.totals.outcomes import between  # which asks this file for its windows

    approved = between(c, first, last)["approved"]
    each = c.shown.per(total(row for row in c.books.between(first, last) if row.run_id), approved)
    said = f"{each} {approved:,} approved" if approved > 0 else "Not known yet"
    c.same(f"{where}: cost per approved asset", found, said)


def _look(c: Comparison, where: str, page: Node, first: date, last: date) -> None:
    rows = c.books.between(first, last)
    said = page.one("section", id="overview-look").text
    nobodys = [row for row in rows if row.unclaimed]
    many = some(total(nobodys, "calls"), "call")
    if nobodys:
        cost = known_cost(nobodys)
        amount = "Spend without a price" if cost is None else c.shown.whole(cost)
        c.same(f"{where}: unclaimed", f"{amount} that no workflow claims" in said, True)
        c.same(f"{where}: unclaimed calls", f" {many} that nobody answers for" in said, True)
    for model, of in by(rows, lambda row: row.model).items():
        without = sums(of)["unpriced"]
        expected = f"{model}: no price yet Not counted {some(without, 'call')} without a price" if without > 0 else ""
        c.same(f"{where}: {model} without a price", f"{model}: no price yet" in said, without > 0)
        c.same(f"{where}: {model}, {without} without a price", expected in said, True)
    unmeasured = sums(rows)["uncounted"]
    if unmeasured:
        c.same(f"{where}: unmeasured", f"{some(unmeasured, 'call')} came without usage" in said, True)
    else:
        c.same(f"{where}: unmeasured", "came without usage" in said, False)


def _chart(c: Comparison, name: str, first: date, last: date, before: date, before_last: date) -> None:
    where, drawn = f"Overview {name}, chart", c.json(f"/series/spend-by-model.json?period={name}")
    complete = min(last, c.today - DAY)
    daily = days(first, complete)
    rows = c.books.between(first, last)
    named = [one["name"] for one in drawn["series"]]
    for one in drawn["series"]:
        mine = [row for row in rows if (row.model if row.model in named else "Other") == one["name"]]
        expected = [c.shown.drawn(total(row for row in mine if row.day == day)) for day in daily]
        c.same(f"{where}: {one['name']}", one["values"], expected)
    c.same(f"{where}: sum", drawn["sum"], c.shown.drawn(total(rows)))
    c.same(f"{where}: running total", drawn["total"]["actual"], _running(c, first, complete))
    if drawn["compare"] is not None:
        c.same(f"{where}: compared", drawn["compare"]["values"], _running(c, before, before_last))
    else:
        c.same(f"{where}: nothing to compare", any(row.money for row in c.books.between(before, before_last)), False)


def _running(c: Comparison, first: date, last: date) -> list[float]:
    return [c.shown.drawn(total(c.books.between(first, day))) for day in days(first, last)]


def _csv(c: Comparison, name: str, first: date, last: date) -> None:
    where = f"Overview {name}, CSV"
    of = by(c.books.between(first, last), lambda row: (row.day.isoformat(), row.model, str(row.tier or "")))
    lines = {
        (line["day"], line["model"], line["tier"]): line for line in c.csv(f"/export/spend-by-model.csv?period={name}")
    }
    c.same(f"{where}: rows", sorted(lines), sorted(of))
    for key in set(lines) & set(of):
        found, whole = lines[key], sums(of[key])
        c.cost(f"{where}: {key}", found["cost"], of[key])
        counts = [int(found[one]) for one in ("calls", "calls_without_price", "calls_without_tokens")]
        c.same(f"{where}: {key}", counts, [whole["calls"], whole["unpriced"], whole["unmeasured"]])
        c.same(f"{where}: {key}", found["currency"], c.shown.code)


def _beside(c: Comparison) -> None:
    """The line about other costs, for everything, a team and a workflow."""
    first = c.today.replace(day=1)
    last = (first + timedelta(days=40)).replace(day=1) - DAY
    for query, team, slug in (("", None, None), ("&team=brand", "brand", None), ("&workflow=reply", None, "reply")):
        chosen = [
            one
            for one in c.books.costs
            if team in (None, one.team) and slug in (None, one.slug) and one.last >= first and one.first <= last
        ]
        said = c.page(f"/settings/costs/beside/?first={first}&last={last}{query}").text
        amount = c.shown.whole(sum(one.between(first, last) for one in chosen))
        c.same(f"Beside {query}", f"this month: {amount} (" in said if chosen else said == "", True)
