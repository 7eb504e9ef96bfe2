"""The figures: page, JSON and CSV against plain fractions over the ledger, for some periods and filters."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from tests.totals.compare import Comparison, known_cost
from tests.totals.outcomes import between as counted_between
from tests.totals.overview import window
from tests.totals.plain_sum import DAY, Row, by, count, days, midnight, table, total, without_price

SCOPES: dict[str, Callable[[Row], bool]] = {
    "": lambda row: True,
    "&workflow=briefs": lambda row: row.slug == "briefs",
    "&user=ada&tier=1": lambda row: row.user_name == "ada" and row.tier == 1,  # only the ledger knows
}
LAYERS = ("system", "history", "retrieval", "tools", "memory", "user", "output_format")
CACHES = ("prompt", "semantic", "response", "retrieval", "embedding")


def compare_figures(c: Comparison) -> None:
    for period in ("this-month", "quarter"):
        first, last, *_ = window(period, c.today, c.year_starts)
        for query, holds in SCOPES.items():
            rows = [row for row in c.books.between(first, last) if holds(row)]
            address = f"?period={period}&compare=none{query}"
            found = c.json(f"/series/figures.json{address}")
            where = f"Figures {period}{query}"
            c.cost(f"{where}: spend", found["spend"], rows)
            c.same(f"{where}: calls", found["calls"], total(rows, "calls"))
            values = {one["name"]: one["value"] for one in found["figures"]}
            _shares(c, where, values, rows)
            _money(c, where, values, rows)
            _tables(c, where, found["tables"], rows)
            _csv(c, where, address, found)
        runs_first = [row for row in c.books.between(first, last) if row.run_id]
        _runs(c, period, first, last, runs_first)
    _page(c)


def plain(part: int, whole: int) -> Fraction | None:
    """To six decimals, as files have it; None where it cannot be said."""
    return Fraction(round(Fraction(part, whole) * 10**6), 10**6) if whole > 0 else None


def _shares(c: Comparison, where: str, values: dict[str, Any], rows: list[Row]) -> None:
    calls, cost, measured = total(rows, "calls"), total(rows), total(rows, "calls") - count(rows, "unmeasured")
    tiered = sum(row.calls for row in rows if row.tier)
    escalated = sum(row.calls for row in rows if row.default_tier and row.tier > row.default_tier)
    input_tokens, cached = count(rows, "input_tokens"), count(rows, "cached_input_tokens")
    layered = [row for row in rows if row.context]
    whole_input = count(layered, "input_tokens")
    expected = {
        "escalation_rate": plain(escalated, calls if tiered else 0),
        "premium_share": plain(total(row for row in rows if row.tier >= 3), cost if tiered else 0),
        "input_to_output": plain(input_tokens, count(rows, "output_tokens")),
        "retry_rate": plain(sum(row.calls for row in rows if (row.attempt or 0) > 1), calls),
        "cached_input_share": plain(cached, input_tokens if cached else 0),
        "priced_share": plain(measured - without_price(rows), measured),
        "claimed_share": plain(total(row for row in rows if not row.unclaimed), cost),
        "run_share": plain(total(row for row in rows if row.run_id), cost),
    }
    hits = {kind: sum(row.calls for row in rows if row.cache == kind) for kind in CACHES}
    for kind in CACHES:
        expected[f"cache_hits.{kind}"] = plain(hits[kind], calls if any(hits.values()) else 0)
    for layer in LAYERS:
        expected[f"context.{layer}"] = plain(sum(row.context.get(layer, 0) for row in layered), whole_input)
    for name, value in expected.items():
        shown = None if values[name] is None else Fraction(values[name])
        c.same(f"{where}: {name}", shown, value)


def _money(c: Comparison, where: str, values: dict[str, Any], rows: list[Row]) -> None:
    c.money(f"{where}: saved", values["saved"], count(rows, "saved"))
    for name, column in (("user", "user_name"), ("customer", "customer"), ("application", "application")):
        stated = [row for row in rows if getattr(row, column)]
        many = {getattr(row, column) for row in stated if row.calls}
        _each(c, f"{where}: cost per {name}", values[f"cost_per_{name}"], known_cost(stated), len(many))
    of_teams = [row for row in rows if row.team]
    many_teams = len({row.team for row in of_teams})
    _each(c, f"{where}: per team", values["cost_per_team"], known_cost(of_teams), many_teams)


def _each(c: Comparison, where: str, found: str | None, nano: int | None, many: int) -> None:
    if many and nano is not None:
        c.money(where, found or "", round(Fraction(nano, many)))
    else:
        c.same(where, found, None)


def _tables(c: Comparison, where: str, tables: dict[str, Any], rows: list[Row]) -> None:
    names = {slug: one["slug"] for slug, one in c.books.workflows.items()}
    keys: dict[str, Callable[[Row], Any]] = {
        "models": lambda row: (row.model, row.provider),
        "applications": lambda row: row.application,
        "customers": lambda row: row.customer,
        "users": lambda row: row.user_name,
        "agents": lambda row: row.agent,
    }
    for key, of in keys.items():
        groups = {one: mine for one, mine in by(rows, of).items() if one and total(mine, "calls")}
        lines = {
            (line["model"], line["provider"]) if key == "models" else line[key[:-1]]: line
            for line in tables[key]
            if line["calls"]
        }
        c.same(f"{where}, {key}", set(lines), set(groups))
        for one in set(lines) & set(groups):
            c.same(f"{where}, {key}: {one}", lines[one]["calls"], total(groups[one], "calls"))
            c.cost(f"{where}, {key}: {one}", lines[one]["spend"], groups[one])
    spent = sorted(total(mine) for mine in by(rows, lambda row: row.slug).values() if total(mine))
    shown = [Fraction(line["spend"]) for line in tables["workflows"] if line["spend"] not in (None, "0.00")]
    c.same(f"{where}, workflows", sorted(shown), sorted(c.shown.exact(one) for one in spent))
    c.same(f"{where}, {len(names)} workflows", sum(line["calls"] for line in tables["workflows"]), total(rows, "calls"))
    of_teams = [mine for mine in by(rows, lambda row: row.team).values() if total(mine, "calls") or total(mine)]
    shown_calls = sorted(line["calls"] for line in tables["teams"])
    c.same(f"{where}, teams", shown_calls, sorted(total(mine, "calls") for mine in of_teams))


def _csv(c: Comparison, where: str, address: str, found: dict[str, Any]) -> None:
    lines = {line["figure"]: line["value"] for line in c.csv(f"/export/figures.csv{address}")}
    c.same(f"{where}, CSV", lines, {one["name"]: one["value"] or "" for one in found["figures"]})
    rows = c.csv(f"/export/figures/workflows.csv{address}")
    expected = [line["spend"] or "" for line in found["tables"]["workflows"]]
    c.same(f"{where}, workflows CSV", [line["spend"] for line in rows], expected)


def _runs(c: Comparison, period: str, first: Any, last: Any, rows: list[Row]) -> None:
    """What an approved asset costs: all that runs cost, whoever they were for, over runs approved or shipped."""
    starts, stops = midnight(first, c.books.zone), midnight(last + DAY, c.books.zone)
    slugs = {one["id"]: slug for slug, one in c.books.workflows.items()}
    merged = {one["id"]: slugs[one["merged_into_id"] or one["id"]] for one in c.books.workflows.values()}
    posted = table("usage_runposting", "workflow_id", "run_id", "posted_at", "approved", "runs")
    of_run = by(posted, lambda one: (one["workflow_id"], one["run_id"]))  # type: ignore[arg-type]
    best: dict[tuple[str, str], list[int]] = {}
    for run in table("usage_run", "workflow_id", "run_id", "counts_at", "calls", "outcome"):
        if not starts <= run["counts_at"] < stops or run["calls"] <= 0:
            continue
        less: list[Any] = of_run.get((run["workflow_id"], run["run_id"]), [])
        own = [
            1 - sum(one["runs"] for one in less),
            int(run["outcome"] in {"approved", "shipped"}) - sum(one["approved"] for one in less),
        ]
        key = merged[run["workflow_id"]], run["run_id"]
        best[key] = [max(pair) for pair in zip(best.get(key, own), own, strict=True)]
    later = [one for one in posted if starts <= one["posted_at"] < stops]
    runs = sum(one[0] for one in best.values()) + sum(one["runs"] for one in later)
    approved = sum(one[1] for one in best.values()) + sum(one["approved"] for one in later)
    found = c.json(f"/series/figures.json?period={period}&compare=none")
    c.same(f"Figures {period}: runs", found["runs"], runs)
    values = {one["name"]: one["value"] for one in found["figures"]}
    _each(c, f"Figures {period}: cost per approved asset", values["cost_per_approved"], total(rows), approved)
    sums = counted_between(c, first, last)
    for name, part, whole in (
        ("value_per_dollar", sums["shipped_revenue"], total(rows)),
        ("review_minutes", int(sums["minutes"] * 100), sums["timed"] * 100),
        ("misrouted_share", sums["misrouted"], sums["judged"] if sums["routed"] else 0),
    ):
        shown = None if values[name] is None else Fraction(values[name])
        c.same(f"Figures {period}: {name}", shown, plain(part, whole) if part or name == "misrouted_share" else None)


def _page(c: Comparison) -> None:
    """The tables of the page, as it rounds them: the dearest workflows and models of this month."""
    first, last, *_ = window("this-month", c.today, c.year_starts)
    page = c.page("/figures/")
    for key, of in (("dearest-models", lambda row: (row.model, row.provider)), ("most-used", lambda row: row.slug)):
        groups = by(c.books.between(first, last), of).values()
        known = [one for one in groups if total(one) or (not count(one, "unpriced") and total(one, "calls"))]
        spent = sorted((total(one) for one in known), reverse=True)[:3]
        lines = page.one("section", id=key).lines()[1:]
        at = 2 if key == "dearest-models" else 1
        c.same(f"Figures, page: {key}", [line[at] for line in lines[:3]], [c.shown.cents(one) for one in spent])
    assert days(first, last)
