"""The plan against what was spent, other AI costs, and what days hold that are about to be closed."""

from datetime import date, timedelta

from budgets.models import PlanLine
from tests.totals.company import CLOSED
from tests.totals.compare import Comparison, sums
from tests.totals.plain_sum import DAY, Cost, month_before, months_on, period, total
from tests.totals.plain_text import MONTHS, short, tiles

TEAMS = {"Brand": "brand", "Growth": "growth", "Support": "support", "No team": ""}


def month_end(day: date) -> date:
    return months_on(day, 1) - DAY


def metered(c: Comparison, team: str, month: date) -> int:
    """Spend of teams that are in no list of teams counts under none."""
    rows = c.books.between(month, month_end(month))
    return total(row for row in rows if (row.team if row.team in TEAMS.values() else "") == team)


def other(c: Comparison, team: str, month: date) -> int:
    last = min(month_end(month), c.today)
    return sum(one.between(month, last) for one in c.books.costs if one.team == team)


def compare_plan(c: Comparison) -> None:
    first, _ = period("year", c.today, c.year_starts)
    months = [months_on(first, n) for n in range(12)]
    planned = {
        (one.month, one.team.slug if one.team else ""): one.amount for one in PlanLine.objects.select_related("team")
    }
    page = c.page("/plan/")
    cells = {
        (team, month): (planned.get((month, team)), metered(c, team, month), other(c, team, month))
        for team in TEAMS.values()
        for month in months
    }
    rows = [row for row in page.one("table", "plan").all("tr") if row.all("td")]
    for row in rows:
        name = row.all("th")[0].text
        for n, cell in enumerate(row.all("td")):
            chosen = months if n == 12 else [months[n]]
            teams = TEAMS.values() if name == "All teams" else [TEAMS[name]]
            mine = [cells[team, month] for team in teams for month in chosen]
            lines = [plan for plan, _, _ in mine if plan is not None]
            where = f"Plan: {name}, {MONTHS[months[n].month - 1] if n < 12 else 'year'}"
            plan = cell.one("span", "p").text.removeprefix("Plan ")
            c.same(where, plan, c.shown.plain(sum(lines)) if lines else "–")
            actual = sum(spent + cost for _, spent, cost in mine)
            shown = [one.text.split(" ")[-1] for one in cell.all("span", "a")]
            ahead = n < 12 and months[n] > c.today
            c.same(f"{where} spent", shown, [] if ahead or not (lines or actual) else [c.shown.plain(actual)])
    _plan_tiles(c, page, cells, months)
    _plan_files(c, cells, first.year)
    for team in TEAMS.values():
        edit = c.page(f"/plan/{first.year}/teams/{team}/" if team else f"/plan/{first.year}/no-team/")
        said = [line[3] for line in edit.lines()[1:]]
        over = [month for month in months if month <= c.today]
        c.same(f"Plan of {team}", said[: len(over)], [c.shown.cents(sum(cells[team, month][1:])) for month in over])
        c.same(f"Plan of {team}, to come", any(letter.isdigit() for letter in "".join(said[len(over) :])), False)


def _plan_tiles(c: Comparison, page, cells: dict, months: list[date]) -> None:
    found, now = tiles(page), c.today.replace(day=1)
    spent, beside = (sum(cell[n] for cell in cells.values()) for n in (1, 2))
    c.same("Plan: spent so far", found["Spent so far"][0], c.shown.whole(spent + beside))
    said = f"{c.shown.whole(spent)} measured, {c.shown.whole(beside)} other costs"
    c.same("Plan: spent so far", found["Spent so far"][1], said)
    plan = sum(cell[0] or 0 for cell in cells.values())
    c.same("Plan: planned", found["Planned for the year"][0], c.shown.whole(plan))
    running = [cell for (_, month), cell in cells.items() if month == now]
    c.same("Plan: this month", found["Planned this month"][0], c.shown.whole(sum(cell[0] or 0 for cell in running)))
    actual = sum(cell[1] + cell[2] for cell in running)
    c.same("Plan: this month", found["Planned this month"][1], f"{c.shown.whole(actual)} spent so far")


def _plan_files(c: Comparison, cells: dict, year: int) -> None:
    filled = {key: cell for key, cell in cells.items() if cell[0] is not None or cell[1] + cell[2]}
    keys = sorted((team, f"{month:%Y-%m}") for team, month in filled)
    lines = {(line["team"], line["month"]): line for line in c.csv(f"/export/plan.csv?year={year}")}
    told = c.json(f"/api/v1/plan?year={year}")
    api = {(line["team"] or "", line["month"]): line for line in told["lines"]}
    c.same("Plan CSV: lines", sorted(lines), keys)
    c.same("API: plan's lines", sorted(api), keys)
    for (team, month), (_, spent, beside) in filled.items():
        key = team, f"{month:%Y-%m}"
        c.dollars(f"API: plan {key}", api[key]["metered"], spent)
        c.dollars(f"API: plan {key}", api[key]["other_costs"], beside)
        if month <= c.today:
            c.money(f"Plan CSV {key}", lines[key]["metered"], spent)
            c.money(f"Plan CSV {key}", lines[key]["other_costs"], beside)
            c.money(f"Plan CSV {key}", lines[key]["actual"], spent + beside)
    c.dollars("API: plan's total", told["actual"], sum(spent + beside for _, spent, beside in cells.values()))


def compare_costs(c: Comparison) -> None:
    year, quarter = (period(kind, c.today, c.year_starts) for kind in ("year", "quarter"))
    this = c.today.replace(day=1)
    stretches = {
        "": (date(2000, 1, 1), date(2100, 12, 31)), "this-month": (this, month_end(this)),
        "last-month": (month_before(this), this - DAY), "quarter": quarter, "year": year,
    }  # fmt: skip
    for name, (first, last) in stretches.items():
        for team in ("", "brand", "support"):
            chosen = [
                one for one in c.books.costs if one.last >= first and one.first <= last and team in ("", one.team)
            ]
            _costs(c, name, team, chosen, first, last)
    told = c.json("/api/v1/other-costs")["results"]
    c.same("API: other costs", sorted(one["name"] for one in told), sorted(one.name for one in c.books.costs))
    for one in told:
        c.dollars(f"API: {one['name']}", one["cost"], next(x.cost for x in c.books.costs if x.name == one["name"]))


def _costs(c: Comparison, name: str, team: str, chosen: list[Cost], first: date, last: date) -> None:
    where, query = f"Costs {name} {team}", f"?period={name}&team={team}"
    shares = {one.name: one.between(first, last) for one in chosen}
    csv = c.csv(f"/export/costs.csv{query}")
    c.same(f"{where}, CSV", sorted(line["name"] for line in csv), sorted(shares))
    for line in csv:
        c.money(f"{where}, CSV: {line['name']}", line["cost_in_period"], shares[line["name"]])
    by_month: dict[str, int] = {}
    for one in chosen:
        for day, cost in one.by_day():
            if first <= day <= last:
                by_month[f"{day:%Y-%m}"] = by_month.get(f"{day:%Y-%m}", 0) + cost
    months = c.csv(f"/export/costs-by-month.csv{query}")
    c.same(f"{where}: months", [line["month"] for line in months], sorted(by_month))
    for line in months:
        c.money(f"{where}: {line['month']}", line["cost"], by_month[line["month"]])
    if not chosen:
        return
    page = c.page(f"/settings/costs/{query}")
    for row in page.one("tbody").all("tr"):
        named = row.one("a", "row-name").text
        c.same(f"{where}: {named}", row.all("td", "n")[1].text, c.shown.cents(shares[named]))
    c.same(f"{where}: total", page.one("tfoot").one("td", "n").text, c.shown.cents(sum(shares.values())))
    _, *lines, foot = page.one("section", **{"aria-labelledby": "months-title"}).lines()
    expected = [
        [f"{MONTHS[int(m[5:]) - 1]} {m[:4]}", c.shown.plain(cost)] for m, cost in sorted(by_month.items(), reverse=True)
    ]
    c.same(f"{where}: by month", [*lines, foot], [*expected, ["Total", c.shown.plain(sum(by_month.values()))]])


def compare_closed(c: Comparison) -> None:
    """What came, was priced or taken back once October was closed counts in November, where it arrived."""
    for row in c.books.rows:
        where = f"{row.event_id}, kind {row.kind}, made in closed days"
        if row.made.astimezone(c.books.zone).date() >= CLOSED:
            continue
        if row.kind:
            c.same(where, row.day >= CLOSED, True)
        elif row.event_id.startswith("late"):
            c.same(where, row.at, row.arrived)


def compare_closing(c: Comparison) -> None:
    """What days hold that are about to be closed: all before, and a month."""
    this = c.today.replace(day=1)
    for query, first, last in (
        (f"?last={c.today}", date(2000, 1, 1), c.today),
        (f"?first={month_before(this)}&last={this - DAY}", month_before(this), this - timedelta(days=1)),
    ):
        said = [one.text for one in c.page(f"/settings/close/spend/{query}").all("dd")]
        whole = sums(c.books.between(first, last))
        beside = sum(one.between(first, last) for one in c.books.costs)
        expected = [c.shown.cents(whole["money"]), short(whole["calls"]), c.shown.cents(beside)]
        c.same(f"Closing {first} to {last}", said, expected)
        if whole["without"]:
            without = f"{short(whole['without'])} of these calls have no price yet"
            c.same("Closing: no price", without in c.page(f"/settings/close/spend/{query}").text, True)
