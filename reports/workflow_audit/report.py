"""What an audit's report says: the figures before and since, and the sentence above them. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from budgets.pages.amounts import cents, per_unit
from reports.workflow_audit.values import Figures, change

NANO = 10**9


@dataclass(frozen=True, slots=True)
class Line:
    """A figure per day or per asset, before and since, as text; `percent` by how much it changed, None: not known."""

    words: str
    before: str
    since: str
    percent: int | None


def lines_of(before: Figures, since: Figures) -> list[Line]:
    """The figures of the report."""
    return [
        Line(
            "Cost per approved asset",
            per_unit(before.in_runs, max(0, before.approved)) or "no approved asset",
            per_unit(since.in_runs, max(0, since.approved)) or "no approved asset",
            change(before.per_asset, since.per_asset),
        ),
        Line("Spent a day", cents(before.per_day), cents(since.per_day), change(before.per_day, since.per_day)),
        _each("Approved assets a day", before, since, before.approved, since.approved),
        _each("Runs a day", before, since, before.runs, since.runs),
        _share("Calls that repeat one", before, since, before.retries, since.retries),
        _per_call(before, since),
    ]


def _each(words: str, before: Figures, since: Figures, was: int, now: int) -> Line:
    a, b = _daily(was, before.days), _daily(now, since.days)
    return Line(words, _text(a), _text(b), change(a, b))


def _daily(number: int, days: int) -> Decimal | None:
    return (Decimal(number) / days).quantize(Decimal("0.1")) if days else None


def _text(value: Decimal | None) -> str:
    return "–" if value is None else f"{value.normalize():,f}"


def _share(words: str, before: Figures, since: Figures, was: int, now: int) -> Line:
    a, b = _percent(was, before.calls), _percent(now, since.calls)
    return Line(words, "–" if a is None else f"{a}%", "–" if b is None else f"{b}%", change(a, b))


def _percent(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) * 100 / whole).quantize(Decimal("0.1")) if whole > 0 else None


def _per_call(before: Figures, since: Figures) -> Line:
    known = [one.calls - one.without_cost for one in (before, since)]
    a, b = (Decimal(one.cost) / n if n > 0 else None for one, n in zip((before, since), known, strict=True))
    was, now = (per_unit(one.cost, max(0, n)) or "–" for one, n in zip((before, since), known, strict=True))
    return Line("Cost of a call", was, now, change(a, b))


def sentence(before: Figures, since: Figures, runs: bool) -> str:
    """What came of it so far."""
    if not since.days:
        return "The first complete day is shown tomorrow."
    if since.per_asset is None:
        return f"No asset was approved in {_days(since.days)} yet, so the cost of one is not known."
    cost = per_unit(since.in_runs, since.approved)
    so_far = f"In {_days(since.days)} an approved asset cost {cost}"
    if before.per_asset is None:
        return f"{so_far}. Before, none was approved, so there is nothing to compare with."
    percent = change(before.per_asset, since.per_asset)
    if percent is None:
        return f"{so_far}. What one cost before is not known, so there is nothing to compare with."
    if not percent:
        return f"{so_far}, as much as before."
    word = "more" if percent > 0 else "less"
    tail = " so far" if runs else ""
    return f"{so_far}, {abs(percent)}% {word}{tail} than the {per_unit(before.in_runs, before.approved)} before."


def _days(number: int) -> str:
    return f"{number} complete day{'' if number == 1 else 's'}"
