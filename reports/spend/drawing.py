"""What the browser draws of an answer, and the sentence for people who do not see it. Labels are finished text."""

from datetime import date, datetime
from typing import Any

from budgets.pages import amounts
from budgets.pages.csv import currency_code
from budgets.pages.moments import clock, day, day_year, weekday, weekday_year
from reports.asking.weeks import labels_of as labels_of_weeks
from reports.asking.weeks import summed, weeks_of
from reports.asking.window import of_days
from reports.spend.asked import METRICS
from reports.spend.explore import Explored, Line
from reports.spend.sums import Used
from usage.prices.showing import cost_in_file

UNITS = {"money": "", "calls": "calls", "input": "tokens", "output": "tokens"}


def chart(found: Explored, address: str = "") -> dict[str, Any]:
    """The chart's data: money in cents of the currency shown, other figures whole; `drill` has an address per point.

    `address` is the explorer's, without its query. `weeks` has the same by weeks, where that is what is drawn.
    """
    asked = found.asked
    show = amounts.drawn if asked.metric == "money" else int
    labels, full = labels_of(found)
    return {
        "currency": currency_code(),
        "locale": "en-US",
        "unit": UNITS[asked.metric],
        "labels": labels,
        "full": full,
        "iso": [iso(point) for point in found.points],
        "today": found.complete - 1,
        "series": [
            {"name": one.name, "slot": one.slot, "values": [show(v) for v in one.values[: found.complete]]}
            for one in found.series
        ],
        "weeks": by_week(found, address),
        "names": bool(asked.stack),
        "bars": bool(asked.stack) or asked.by_hour,
        "lines": found.overlaps,
        "dotted": {"label": found.other_name, "values": [show(v) for v in found.before]} if any(found.before) else None,
        "drill": [f"{address}?{query}" if query else "" for query in drills(found)],
        "total": {},
        "sum": show(getattr(found.total, asked.figure)),
    }


def by_week(found: Explored, address: str) -> dict[str, Any] | None:
    """What is drawn instead of so many days that they could not be told apart; None of few, of hours and of names."""
    days = [one for one in found.points[: found.complete] if isinstance(one, date) and not isinstance(one, datetime)]
    if not (weeks := weeks_of(len(days))):
        return None
    asked = found.asked
    show = amounts.drawn if asked.metric == "money" else int
    windows = [of_days(days[one][0], days[one][-1], asked.window.today, asked.window.zone) for one in weeks]
    before = [show(v) for v in summed(found.before, weeks)]
    return labels_of_weeks(days, weeks) | {
        "series": [
            {"name": one.name, "slot": one.slot, "values": [show(v) for v in summed(one.values, weeks)]}
            for one in found.series
        ],
        "dotted": {"label": found.other_name, "values": before} if any(before) else None,
        "drill": [f"{address}?{asked.address(window=one)}" for one in windows],
    }


def labels_of(found: Explored) -> tuple[list[str], list[str]]:
    """Short and full text of each point: days, hours by the organisation's clock, or names."""
    zone, short, full = found.asked.window.zone, [], []
    first, last = found.asked.window.first, found.asked.window.last
    one_day, one_year = first == last, first.year == last.year
    for point in found.points:
        if isinstance(point, datetime):
            local = point.astimezone(zone)
            short.append(clock(local) if one_day else f"{day(local.date())} {clock(local)}")
            full.append(f"{weekday(local.date())}, {clock(local)} {local.tzname()}")
        elif isinstance(point, date):
            short.append(day(point) if one_year else day_year(point))
            full.append(weekday(point) if one_year else weekday_year(point))
        else:
            name = found.names.of(found.asked.group, point)
            short.append(name if len(name) <= 22 else f"{name[:20]}…")
            full.append(name)
    return short, full


def drills(found: Explored) -> list[str]:
    """The query that each point leads to: its day, or its value; "" where it leads nowhere."""
    asked, out = found.asked, []
    for point in found.points:
        if isinstance(point, datetime):
            out.append("")
        elif isinstance(point, date):
            window = of_days(point, point, asked.window.today, asked.window.zone)
            out.append(asked.address(window=window))
        else:
            out.append("" if point is None else asked.address(scope=asked.scope.only(asked.group, point), stack=""))
    return out


def iso(point: Any) -> str:
    """A day or an instant as machines read it; a value as it is, "" for all others."""
    return point.isoformat() if isinstance(point, date | datetime) else point or ""


def figure(value: int, metric: str) -> str:
    """A figure in a sentence or a table: "$12", "1.2M tokens"."""
    return amounts.amount(value, UNITS[metric] or amounts.MONEY)


def chart_words(found: Explored) -> str:
    """The chart as a sentence."""
    asked = found.asked
    words, _ = METRICS[asked.metric]
    if not found.series:
        return f"Chart of {words.lower()}. There is nothing to draw in these days."
    names = ", ".join(f"{one.name} {figure(one.total, asked.metric)}" for one in found.series)
    what = "per column" if asked.stack else "per hour" if asked.by_hour else f"per {grain(found)}"
    return f"Chart of {words.lower()} {what}. {names}. The same numbers are in the table below."


def grain(found: Explored) -> str:
    """What a point of a chart of days is: "day", or "week" where they are many."""
    return "week" if weeks_of(found.complete) and not found.asked.stack else "day"


def figures_of(line: Line, found: Explored) -> dict[str, Any]:
    """A row of the table as JSON has it: money as an exact decimal string in the currency shown."""
    stated = dict(zip(found.asked.groups, line.keys, strict=True))
    return stated | {"names": list(line.labels)} | used_of(line.used)


def used_of(used: Used) -> dict[str, Any]:
    """Sums as JSON has them."""
    return {
        "cost": cost_in_file(used),
        "calls": used.calls,
        "calls_without_price": used.unpriced,
        "calls_without_tokens": used.unmeasured,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "retries": used.retries,
    }
