"""Runs and what became of them, by one plain reading of the ledger and of the messages; the page and its CSV.

A run counts on the day that its last call was posted. If that was closed, it stays as it was at that moment, and what
came later counts on its own day: each cost on its row's, each word on the day that it was said.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from itertools import chain
from typing import Any

from tests.totals import company
from tests.totals.compare import Comparison, known_cost
from tests.totals.overview import window
from tests.totals.plain_sum import Row, by, midnight, table, total

GOOD = {"approved", "shipped"}


@dataclass(frozen=True)
class Ended:
    """What one run counts on one day. Of several under one name and run in a window the best counts."""

    slug: str
    key: tuple[int, str]  # the workflow that its calls were posted to, and the run
    day: date
    of: Counter[str]
    is_late: bool = False  # a difference, since its own day is closed


def state(told: list[dict[str, Any]]) -> dict[str, Any]:
    """What was said last; how often it was sent back, and minutes of review, in all."""
    newest = sorted(told, key=lambda one: (one["time"], one["id"]), reverse=True)
    last = newest[0] if newest else {"outcome": "open", "revenue": 0}
    return {
        "outcome": last["outcome"],
        "revenue": last["revenue"] or 0,
        "reworks": sum(one["outcome"] == "reworked" for one in told),
        "minutes": sum(one["review_minutes"] or 0 for one in told),
        "timed": sum(one["review_minutes"] is not None for one in told),
        "misrouted": next((one["misrouted"] for one in newest if one["misrouted"] is not None), None),
    }


def counts(rows: list[Row], told: list[dict[str, Any]]) -> Counter[str]:
    """What a run of these calls, of which that was said, counts."""
    if total(rows, "calls") <= 0:
        return Counter()
    now, cost = state(told), total(rows)
    judged = now["outcome"] != "open"
    return Counter(
        runs=1, cost=cost, judged=int(judged), judged_cost=cost if judged else 0,
        approved=int(now["outcome"] in GOOD), shipped=int(now["outcome"] == "shipped"),
        reworked=int(now["reworks"] > 0), minutes=now["minutes"], revenue=now["revenue"],
        shipped_revenue=now["revenue"] if now["outcome"] == "shipped" else 0, timed=now["timed"],
        misrouted=int(now["misrouted"] or 0), routed=int(now["misrouted"] is not None),
    )  # fmt: skip


def ended(c: Comparison) -> list[Ended]:
    """Everything that any run counts, day by day."""
    columns = ("id", "applied_to", "run_id", "outcome", "time", "received_at", "review_minutes", "revenue", "misrouted")
    messages = by(table("usage_outcomemessage", *columns), lambda one: (one["applied_to"], one["run_id"]))
    zone, found = c.books.zone, []
    closed = midnight(company.CLOSED, zone)
    for key, rows in by([row for row in c.books.rows if row.run_id], lambda row: (row.workflow_id, row.run_id)).items():
        told = messages.get(key, [])
        before = [row for row in rows if company.CLOSED_FROM and row.generation < company.CLOSED_FROM[0]]
        if before and max(row.at for row in before if row.kind == 0) < closed:
            found += _late(rows, before, told, closed, zone)
            continue
        day = max(row.at for row in rows if row.kind == 0).astimezone(zone).date()
        found.append(Ended(rows[0].slug, key, day, counts(rows, told)))
    return found


def _late(rows: list[Row], before: list[Row], told: list[dict[str, Any]], closed: datetime, zone: Any) -> list[Ended]:
    """Of a run whose day is closed: what it was then, and what came since."""
    slug, key = rows[0].slug, (rows[0].workflow_id, rows[0].run_id)
    day = max(row.at for row in before if row.kind == 0).astimezone(zone).date()
    said = [one for one in told if one["received_at"] < closed]
    later = [row for row in rows if row not in before]
    found = [Ended(slug, key, day, counts(before, said))]
    was_judged = state(said)["outcome"] != "open"
    for row in later:
        cost = Counter(cost=total([row]), judged_cost=total([row]) if was_judged else 0)
        found.append(Ended(slug, key, row.day, cost, is_late=True))
    if later:
        change = counts(rows, said)
        change.subtract(counts(before, said))
        change["cost"] = change["judged_cost"] = 0
        found.append(Ended(slug, key, max(row.day for row in later), change, is_late=True))
    since = [one for one in told if one not in said]
    if since:
        change = counts(rows, told)
        change.subtract(counts(rows, said))
        when = max(one["received_at"] for one in since).astimezone(zone).date()
        found.append(Ended(slug, key, when, change, is_late=True))
    return found


def between(c: Comparison, first: date, last: date, slug: str | None = None) -> Counter[str]:
    """What runs count in these days; of one workflow, or of all."""
    mine = [one for one in ended(c) if first <= one.day <= last and slug in (None, one.slug)]
    sums: Counter[str] = Counter()
    for of in by([one for one in mine if not one.is_late], lambda one: (one.slug, one.key[1])).values():
        whole = sum((one.of for one in of), Counter())
        for name in ("runs", "judged", "approved", "shipped", "reworked", "misrouted", "routed"):
            whole[name] = max(one.of[name] for one in of)
        whole["judged_cost"] = whole["cost"] if whole["judged"] else 0
        whole["shipped_revenue"] = whole["revenue"] if whole["shipped"] else 0
        sums.update(whole)
    for one in mine:
        if one.is_late:
            sums.update(one.of)
    return sums


def spent_in_runs(c: Comparison, first: date, last: date, slug: str) -> int:
    return total(row for row in c.books.between(first, last, slug=slug) if row.run_id)


def _line(c: Comparison, run_id: str, rows: list[Row], said: dict[str, Any]) -> tuple[Any, ...]:
    """What the CSV says of a run; None where it is not known."""
    cost = known_cost(rows)
    return (
        rows[0].slug, run_id, None if cost is None else c.shown.exact(cost),
        Fraction(said["minutes"]) if said["timed"] else None,
        None if said["misrouted"] is None else Fraction(said["misrouted"]),
    )  # fmt: skip


def compare_outcomes(c: Comparison) -> None:
    """The list: every run that counts in the days by its row, with its whole cost."""
    tabs: dict[str, Callable[[dict[str, Any]], bool]] = {
        "": lambda now: True,
        "none": lambda now: now["outcome"] == "open",
        "approved": lambda now: now["outcome"] == "approved",
        "reworked": lambda now: now["outcome"] == "reworked",
    }
    columns = ("id", "applied_to", "run_id", "outcome", "time", "review_minutes", "revenue", "misrouted")
    messages = by(table("usage_outcomemessage", *columns), lambda one: (one["applied_to"], one["run_id"]))
    runs = by([row for row in c.books.rows if row.run_id], lambda row: (row.workflow_id, row.run_id))
    own_days = {one.key: one.day for one in ended(c) if not one.is_late}
    for period in ("this-month", "last-month"):
        first, last, *_ = window(period, c.today, c.year_starts)
        for tab, fits in tabs.items():
            mine = {
                key: rows
                for key, rows in runs.items()
                if total(rows, "calls") > 0 and fits(state(messages.get(key, []))) and first <= own_days[key] <= last
            }
            address, where = f"?period={period}&outcome={tab}", f"Outcomes {period} {tab}"
            csv = c.csv(f"/export/outcomes.csv{address}")
            expected = [_line(c, key[1], rows, state(messages.get(key, []))) for key, rows in mine.items()]
            found = [
                (one["workflow"], one["run_id"], *(Fraction(one[name]) if one[name] else None
                 for name in ("cost", "review_minutes", "misrouted")))
                for one in csv
            ]  # fmt: skip
            c.same(f"{where}: CSV", sorted(found, key=str), sorted(expected, key=str))
            page = c.page(f"/outcomes/{address}")
            shown = [cell.text for cell in page.all("a") if cell.attributes.get("aria-current") == "page"]
            c.same(f"{where}: tab", f"{len(mine):,}" in " ".join(shown), True)
            if mine:
                c.same(f"{where}: total", page.one("tfoot").one("td").text, c.words([*chain(*mine.values())]))
