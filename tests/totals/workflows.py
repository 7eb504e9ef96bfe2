"""Workflows and teams: list under each tab, one workflow by month and model, what nobody claims, merging, CSV."""

from datetime import date

from budgets.models import Team, Workflow
from tests.totals.budgets import rows_of
from tests.totals.company import live_budgets
from tests.totals.compare import Comparison, known_cost, sums
from tests.totals.outcomes import between, spent_in_runs
from tests.totals.plain_sum import DAY, Row, by, days, month_before, total
from tests.totals.plain_text import MONTHS, Node, some, tiles

TABS = {
    "use": {"draft", "production"}, "discovered": {"discovered"}, "ignored": {"ignored"}, "merged": {"merged"},
    "all": {"draft", "production", "discovered", "ignored", "reserved"},
}  # fmt: skip


def month(c: Comparison) -> tuple[date, date]:
    return c.today.replace(day=1), c.today


def under(c: Comparison, slug: str, status: str, first: date, last: date) -> list[Row]:
    """A merged one shows what named it, all others what counts under them."""
    name = "own_slug" if status == "merged" else "slug"
    return c.books.between(first, last, **{name: slug})


def compare_workflows(c: Comparison) -> None:
    for tab, statuses in TABS.items():
        _list(c, tab, [one for one in c.books.workflows.values() if one["status"] in statuses])
    for one in c.books.workflows.values():
        _workflow(c, one["slug"], one["status"])
    _unassigned(c)
    _teams(c)


def _list(c: Comparison, tab: str, workflows: list[dict]) -> None:
    where, page = f"Workflows, {tab}", c.page(f"/workflows/?status={tab}")
    csv = {line["short_name"]: line for line in c.csv(f"/export/workflows.csv?status={tab}")}
    c.same(f"{where}: CSV", sorted(csv), sorted(one["slug"] for one in workflows))
    if not workflows:
        return
    everything = total(c.books.between(*month(c)))
    foot = page.lines()[-1]
    shown = {
        row.all("a", "row-name")[0].attributes["href"].split("/")[-2]: row
        for row in page.one("table").all("tr")
        if row.all("a", "row-name")
    }
    all_rows: list[Row] = []
    for one in workflows:
        rows = under(c, one["slug"], one["status"], *month(c))
        all_rows += rows
        whole = sums(rows)
        said = c.words(rows, c.shown.whole)
        if everything > 0 and whole["money"]:
            percent = whole["money"] * 100 // everything
            said += f" {percent}%" if percent else " under 1%"
        if whole["without"]:
            said += f" {whole['without']:,} without a price"
        cells = [cell.text for cell in shown[one["slug"]].all("td")]
        c.same(f"{where}: {one['slug']}", cells[:2], [said, f"{whole['calls']:,}"])
        # What came of a merged one's runs counts under the other alone.
        assets, cost = (0, 0) if tab == "merged" else outcome(c, one["slug"])
        each = c.words(rows) if not cost and known_cost(rows) is None else c.shown.per(cost, assets)
        expected = f"{each} {assets:,} approved" if assets else "no outcomes yet"
        c.same(f"{where}: {one['slug']} per asset", cells[2], expected)
        line = csv[one["slug"]]
        c.cost(f"{where}, CSV: {one['slug']}", line["spent"], rows)
        counts = (int(line["calls"]), int(line["calls_without_price"]))
        c.same(f"{where}, CSV: {one['slug']}", counts, (whole["calls"], whole["without"]))
    said = c.words(all_rows)
    if everything != total(all_rows) and tab != "merged":
        said += f" of {c.shown.cents(everything)} in all"
    c.same(f"{where}: total", foot[1:3], [said, f"{total(all_rows, 'calls'):,}"])


def outcome(c: Comparison, slug: str) -> tuple[int, int]:
    """Approved runs of this month, and what calls of its runs cost that count in it."""
    first = c.today.replace(day=1)
    approved = between(c, first, c.today, slug)["approved"]
    return (approved, spent_in_runs(c, first, c.today, slug)) if approved > 0 else (0, 0)


def _workflow(c: Comparison, slug: str, status: str) -> None:
    where, page = f"Workflow {slug}", c.page(f"/workflows/-/{slug}/")
    first = c.today.replace(day=1)
    this_month = under(c, slug, status, first, c.today)
    whole = sums(this_month)
    spent = next(value for label, value in tiles(page).items() if label.startswith("Spent in"))
    without = f"; {whole['without']:,} without a price yet" if whole["without"] else ""
    c.same(f"{where}: spent", spent[0], c.words(this_month, c.shown.whole))
    c.same(f"{where}: calls", spent[1], f"{some(whole['calls'], 'call')}, today so far included{without}")
    since = first
    for _ in range(5):
        since = month_before(since)
    rows = under(c, slug, status, since, c.today)
    of = by(rows, lambda row: (row.day.replace(day=1), row.model))
    csv = {(line["month"], line["model"]): line for line in c.csv(f"/export/workflows/{slug}.csv")}
    c.same(f"{where}: CSV", sorted(csv), sorted((f"{day:%Y-%m}", model) for day, model in of))
    for (day, model), mine in of.items():
        line, one = csv[f"{day:%Y-%m}", model], sums(mine)
        c.cost(f"{where}, CSV: {day:%b} {model}", line["spent"], mine)
        counts = (int(line["calls"]), int(line["calls_without_price"]))
        c.same(f"{where}, CSV: {day:%b} {model}", counts, (one["calls"], one["unpriced"]))
    if rows:
        _months(c, where, page.one("div", **{"aria-label": "Spend by month and model"}).lines(), of)
    _daily(c, where, page, [row for row in rows if first <= row.day < c.today])
    _drawn(c, slug, status, first)
    for budget in live_budgets():
        shown = page.all("a", href=f"/budgets/{budget.slug}/")
        item = next((li for li in page.all("li") if shown and shown[0] in li.below), None)
        if item is not None:
            said = c.shown.of(total(rows_of(c, budget), budget.metric), budget.amount, budget.metric)
            c.same(f"{where}: budget {budget.slug}", item.all("p", "num")[0].text.split(" · ")[0], said)


def _months(c: Comparison, where: str, lines: list[list[str]], of: dict) -> None:
    expected: list[list[str]] = []
    for day in sorted({day for day, _ in of}, reverse=True):
        mine = {model: rows for (when, model), rows in of.items() if when == day}
        everything = [row for rows in mine.values() for row in rows]
        title = f"{MONTHS[day.month - 1]} {day.year}"
        expected.append([title, "All models", c.words(everything, c.shown.plain), f"{total(everything, 'calls'):,}"])
        for model in sorted(mine, key=lambda name: (-total(mine[name]), name)):
            calls = total(mine[model], "calls")
            expected.append(["", model, c.words(mine[model], c.shown.plain), f"{calls:,}"])
    c.same(f"{where}: months", lines[1:], expected)


def _daily(c: Comparison, where: str, page: Node, rows: list[Row]) -> None:
    """The table beside the chart: each complete day of this month, the newest first."""
    tables = page.all("div", **{"aria-label": "Spend per day"})
    if not tables:
        c.same(f"{where}: no table of days", total(rows), 0)
        return
    header, *lines = tables[0].lines()
    named = header[1:-1]
    of = by(rows, lambda row: row.model if row.model in named else "Other")
    for day, line in zip(reversed(days(c.today.replace(day=1), c.today - DAY)), lines, strict=True):
        shown = [[row for row in of.get(model, []) if row.day == day] for model in named]
        shown.append([row for row in rows if row.day == day])
        c.same(f"{where}: {day}", line[1:], [c.words(one, c.shown.plain) for one in shown])


def _drawn(c: Comparison, slug: str, status: str, first: date) -> None:
    drawn = c.json(f"/series/workflows/{slug}.json")
    if not drawn:
        c.same(f"Workflow {slug}: no chart", any(r.money for r in under(c, slug, status, first, c.today - DAY)), False)
        return
    named = [one["name"] for one in drawn["series"]]
    rows = under(c, slug, status, first, c.today - DAY)
    for one in drawn["series"]:
        mine = [row for row in rows if (row.model if row.model in named else "Other") == one["name"]]
        each = [c.shown.drawn(total(row for row in mine if row.day == day)) for day in days(first, c.today - DAY)]
        c.same(f"Workflow {slug}, chart: {one['name']}", one["values"], each)


def _unassigned(c: Comparison) -> None:
    page = c.page("/workflows/unassigned/")
    rows = [row for row in c.books.between(*month(c)) if row.unclaimed]
    said = page.one("div", id="unclaimed-total").text
    if rows:
        c.same(
            "Unassigned",
            said.split(" that nobody")[0],
            f"{c.words(rows).capitalize()} {'from' if total(rows) else 'for'} {some(total(rows, 'calls'), 'call')}",
        )
    nameless = [row for row in rows if row.slug == "unassigned"]
    if nameless:
        section = page.one("section", **{"aria-labelledby": "nameless-title"})
        c.same("Unassigned, nameless", section.one("span", "pill").text, c.words(nameless, c.shown.whole))
        c.same("Unassigned, nameless", section.one("p").text.split(" came ")[0], some(total(nameless, "calls"), "call"))
    for row in page.all("tr"):
        if not row.all("a", "row-name"):
            continue
        slug = row.all("a", "row-name")[0].attributes["href"].split("/")[-2]
        found = under(c, slug, "discovered", *month(c))
        cells = [cell.text for cell in row.all("td", "n")]
        c.same(f"Unassigned: {slug}", cells[0].startswith(c.words(found)), True)
        c.same(f"Unassigned: {slug}, calls", cells[1], f"{total(found, 'calls'):,}")
        ever = [one for one in c.books.rows if one.slug == slug]
        into = c.page(f"/workflows/{slug}/merge/?into=briefs").text
        said = f"Its {some(total(ever, 'calls'), 'call')}, {c.words(ever)}, will count under"
        c.same(f"Merging {slug}", said in into, True)


def _teams(c: Comparison) -> None:
    spent = {slug: c.books.between(*month(c), team=slug) for slug in Team.objects.values_list("slug", flat=True)}
    _, *lines = c.page("/settings/teams/").lines()
    found = {line[0].split(" ")[1]: line[4] for line in lines}
    c.same("Teams", found, {slug: c.words(rows) for slug, rows in spent.items()})
    for line in c.csv("/export/teams.csv"):
        c.cost(f"Teams CSV: {line['short_name']}", line["spent"], spent[line["short_name"]])
    assert Workflow.objects.filter(team__isnull=False).exists()
