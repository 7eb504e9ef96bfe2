"""Budgets: list, page, days, chart, by model, CSV, API; and pools with what their budgets spent."""

from datetime import date
from decimal import Decimal

from budgets.models import Budget, BudgetState
from tests.totals.company import SCOPES, live_budgets
from tests.totals.compare import Comparison, sums
from tests.totals.plain_sum import DAY, Row, by, days, period, total
from tests.totals.plain_text import Node, day_words_of, page_of, short, some, tiles


def period_of(c: Comparison, budget: Budget, day: date | None = None) -> tuple[date, date]:
    fixed = (budget.starts_on, budget.ends_on) if budget.starts_on and budget.ends_on else None
    return period(budget.period, day or c.today, c.year_starts, fixed)


def rows_of(c: Comparison, budget: Budget) -> list[Row]:
    return c.books.of_scope(budget.scope, *period_of(c, budget))


def runs(c: Comparison, budget: Budget) -> bool:
    first, last = period_of(c, budget)
    return first <= c.today <= last


def compare_budgets(c: Comparison) -> dict[str, str]:
    """The list, its CSV, the Overview's and the API; what each budget's page has to say was spent."""
    budgets = live_budgets()
    running = [one for one in budgets if runs(c, one)]
    said = {one.slug: c.shown.of(total(rows_of(c, one), one.metric), one.amount, one.metric) for one in running}
    _list(c, "Budgets", c.page("/budgets/"), said)
    shown_first = c.page("/").one("section", id="overview-budgets")
    _list(c, "Overview's budgets", shown_first, {slug: said[slug] for slug in _slugs(shown_first)})
    _list_csv(c, budgets, running)
    told = {one["slug"]: one for one in c.json("/api/v1/budgets")["results"]}
    c.same("API: budgets", sorted(told), sorted(one.slug for one in budgets))
    for budget in running:
        _state(c, budget, told[budget.slug]["state"])
    return said


def compare_each_budget(c: Comparison, said: dict[str, str], *, all_of_them: bool) -> None:
    """Each budget's own pages; else only of those that cover everything, one for each period and metric."""
    for budget in live_budgets():
        if budget.scope and not all_of_them:
            continue
        if budget.slug in said:
            _page(c, budget, said[budget.slug])
            _by_model(c, budget)
        _past(c, budget)


def _slugs(page: Node) -> list[str]:
    return [one.attributes["id"].removeprefix("b-") for one in page.all("a", "row-name")]


def _list(c: Comparison, where: str, page: Node, said: dict[str, str]) -> None:
    lines = [row for row in page.one("table", "budgets").all("tr") if row.all("a", "row-name")]
    found = {_slugs(row)[0]: row.all("td", "b")[0].all("span", "m")[0].text for row in lines}
    c.same(f"{where}: which", sorted(found), sorted(said))
    for slug, words in found.items():
        c.same(f"{where}: {slug}", words, said.get(slug))


def _list_csv(c: Comparison, budgets: list[Budget], running: list[Budget]) -> None:
    lines = {line["short_name"]: line for line in c.csv("/export/budgets.csv")}
    c.same("Budgets CSV", sorted(lines), sorted(one.slug for one in budgets))
    for budget in running:
        line, rows, where = lines[budget.slug], rows_of(c, budget), f"Budgets CSV: {budget.slug}"
        first, last = period_of(c, budget)
        c.same(where, (line["from"], line["to"]), (first.isoformat(), last.isoformat()))
        c.amount(where, line["spent"], total(rows, budget.metric), budget.metric)
        c.amount(where, line["limit"], budget.amount, budget.metric)
        c.same(where, line["calls"], str(total(rows, "calls")))


def _page(c: Comparison, budget: Budget, said: str) -> None:
    page, where = c.page(f"/budgets/{budget.slug}/"), f"Budget {budget.slug}"
    c.same(f"{where}: spent", page.one("p", "note", "num").text.split(" · ")[0], said)
    first, _ = period_of(c, budget)
    daily = budget.period == "day"
    if daily:
        first = c.today - 13 * DAY
    rows = c.books.of_scope(budget.scope, first, c.today)
    lines = page.lines()[1:]
    c.same(f"{where}: days", len(lines), (c.today - first).days + 1)
    money = budget.metric == "money"
    csv = {line["day"]: line for line in c.csv(f"/export/budgets/{budget.slug}.csv")}
    when = day_words_of(first, c.today)
    for day, line in zip(reversed(days(first, c.today)), lines, strict=True):
        used = total((row for row in rows if row.day == day), budget.metric)
        in_all = used if daily else total((row for row in rows if row.day <= day), budget.metric)
        c.same(f"{where}: a day", line[0], "Today so far" if day == c.today else when(day))
        say = c.shown.plain if money else short
        c.same(f"{where}: {day}", line[1:2] if daily else line[1:3], [say(used)] if daily else [say(used), say(in_all)])
        found = csv[day.isoformat()]
        c.amount(f"{where} CSV: {day} used", found["used"], used, budget.metric)
        c.amount(f"{where} CSV: {day} in all", found["running_total"], in_all, budget.metric)
    drawn = c.json(f"/series/budgets/{budget.slug}.json")
    if drawn:
        _drawn(c, where, budget, drawn, rows, first)


def _drawn(c: Comparison, where: str, budget: Budget, drawn: dict, rows: list[Row], first: date) -> None:
    show = c.shown.drawn if budget.metric == "money" else int
    each = [total((row for row in rows if row.day == day), budget.metric) for day in days(first, c.today - DAY)]
    c.same(f"{where}: chart", drawn["series"][0]["values"], [show(one) for one in each])
    in_all = each if budget.period == "day" else [sum(each[: n + 1]) for n in range(len(each))]
    c.same(f"{where}: chart's running total", drawn["total"]["actual"], [show(one) for one in in_all])


def _by_model(c: Comparison, budget: Budget) -> None:
    where, rows = f"Budget {budget.slug} by model", rows_of(c, budget)
    page = c.page(f"/budgets/{budget.slug}/models/")
    lines = c.csv(f"/export/budgets/{budget.slug}/models.csv")
    if c.shown.code == "USD":  # otherwise each line is rounded at its ninth decimal
        c.amount(f"{where}, CSV's sum", _added(lines), total(rows, budget.metric), budget.metric)
    of = by(rows, lambda row: (row.provider, row.model))
    if not page.all("table", "shares"):
        c.same(f"{where}: none is summed", [line for line in lines if line["provider"]], [])
        return
    c.same(f"{where}: which", sorted((x["provider"], x["model"]) for x in lines), sorted(of))
    money = budget.metric == "money"
    for line in lines:
        whole = of.get((line["provider"], line["model"]), [])  # none: told above, by which there are
        c.amount(f"{where}: {line['model']}", line["used"], total(whole, budget.metric), budget.metric)
        c.same(f"{where}: {line['model']}", line["calls"], str(total(whole, "calls")))
        c.same(f"{where}: {line['model']}", line["calls_without_price"], str(sums(whole)["unpriced"]))
    _, *shown, foot = page.lines()
    say = c.shown.plain if money else lambda number: f"{number:,}"
    for line in shown:
        mine = next((of[key] for key in of if f"{key[1]} {key[0]}".strip() == line[0]), [])
        used = total(mine, budget.metric)
        unknown = money and sums(mine)["unpriced"] and not used
        c.same(
            f"{where}: {line[0]}",
            line[2].split(" ")[0] if not unknown else line[2][:12],
            "no price yet" if unknown else say(used),
        )
        c.same(f"{where}: {line[0]} calls", line[3], f"{total(mine, 'calls'):,}")
    c.same(f"{where}: total", foot[2:], [say(total(rows, budget.metric)), f"{total(rows, 'calls'):,}"])
    without = sums(rows)["without"]
    said = [one.text.split(" without")[0] for one in page.all("footer") if "without a price" in one.text]
    c.same(f"{where}: without a price", said, [some(without, "call")] if without else [])


def _added(lines: list[dict[str, str]]) -> str:
    return str(sum(Decimal(line["used"]) for line in lines))


def _state(c: Comparison, budget: Budget, state: dict) -> None:
    where, rows = f"API: budget {budget.slug}", rows_of(c, budget)
    spent = total(rows, budget.metric)
    c.dollars(where, state["spent"], spent, budget.metric)
    c.dollars(f"{where} remaining", state["remaining"], max(0, budget.amount - spent), budget.metric)
    c.same(f"{where} calls", state["calls"], total(rows, "calls"))


def _past(c: Comparison, budget: Budget) -> None:
    """Times that are over: each that its page shows."""
    page = c.page(f"/budgets/{budget.slug}/")
    over = BudgetState.objects.filter(budget=budget).order_by("-period_start")
    if runs(c, budget):
        over = over.filter(period_start__lt=period_of(c, budget)[0])
    shown = [one.text.removesuffix(" Over") for one in page.all("dl", "pastlist")[0].all("dd")] if over else []
    expected = []
    for one in over[:12]:
        first, last = period_of(c, budget, one.period_start)
        spent = total(c.books.of_scope(budget.scope, first, last), budget.metric)
        of = c.shown.of(spent, one.limit, budget.metric).partition(" of ")[2]
        expected.append(f"{c.shown.amount(spent, budget.metric)} of {of}")
    c.same(f"Budget {budget.slug}, times before", shown, expected)


def compare_meaning(c: Comparison) -> None:
    """What a budget that is being typed would have meant: in dollars, as its form is."""
    for name, scope, metric, kind in SCOPES:
        if kind == "fixed" or len(scope) > 1:
            continue
        first, _ = period(kind, c.today, c.year_starts)
        before_first, before_last = period(kind, first - DAY, c.year_starts)
        before = total(c.books.of_scope(scope, before_first, before_last), metric)
        so_far = total(c.books.of_scope(scope, first, c.today), metric)
        amount = {"money": "100000", "tokens": "9000000000", "calls": "100000"}[metric]
        typed = {
            "name": name,
            "metric": metric,
            "amount": amount,
            "period": kind,
            "thresholds": "80",
            "on_exhausted": "alert",
        }
        typed |= {"pace": "even", "carry_over": "0"}
        for n, (dimension, value) in enumerate(scope.items()):
            typed |= {f"covers_{n}": dimension, f"value_{n}": value}
        answer = c.client.post("/budget-meaning/", typed, headers={"HX-Request": "true"})
        said = page_of(answer.content.decode()).text
        if so_far > 0:
            c.same(f"Meaning of {name}: {said}", f"{c.dollar.amount(so_far, metric)} is used so far" in said, True)
        last = {
            "day": "Yesterday",
            "week": "Last week",
            "month": "Last month",
            "quarter": "Last quarter",
            "year": "Last year",
        }
        if before:
            c.same(
                f"Meaning of {name}: {said}", f"{last[kind]} it used {c.dollar.amount(before, metric)}." in said, True
            )


def compare_pools(c: Comparison) -> None:
    pool = Budget.objects.get(slug="all")
    children = list(Budget.objects.filter(pool=pool).order_by("name"))
    given = sum(one.amount for one in children)
    line = next(row for row in c.page("/pools/").lines() if row[0].startswith("All "))
    expected = [c.shown.whole(one) for one in (pool.amount, given, pool.amount - given)]
    c.same("Pools", line[1:4], expected)
    (csv,) = c.csv("/export/pools.csv")
    for name, value in (("amount", pool.amount), ("given_out", given), ("left", pool.amount - given)):
        c.money(f"Pools CSV {name}", csv[name], value)
    page = c.page("/pools/all/")
    found = tiles(page)
    spent = {one.slug: total(rows_of(c, one)) for one in children}
    c.same("Pool: given out", found["Given out"][0], expected[1])
    c.same("Pool: spent", found["Spent by its budgets"][0], c.shown.whole(sum(spent.values())))
    own = c.shown.whole(total(rows_of(c, pool)))
    c.same("Pool: its own", found["Spent by its budgets"][1], f"{own} in what the pool itself covers")
    _, *lines, foot = page.lines()
    for child, shown in zip(children, lines, strict=True):
        percent = spent[child.slug] * 100 // child.amount
        c.same(f"Pool: {child.slug}", shown[3], f"{c.shown.whole(spent[child.slug])} {percent}%")
    c.same("Pool: in all", foot[2:4], [expected[1], c.shown.whole(sum(spent.values()))])
    for row in c.csv("/export/pools/all.csv"):
        c.money(f"Pool CSV: {row['slug']}", row["spent"], spent[row["slug"]])
    told = c.json("/api/v1/pools/all")
    c.dollars("API: pool given out", told["given_out"], given)
    for one in told["budgets"]:
        c.dollars(f"API: pool's {one['budget']}", one["spent"], spent[one["budget"]])
    _share_out(c, children, spent)


def _share_out(c: Comparison, children: list[Budget], spent: dict[str, int]) -> None:
    """What was used in the 28 complete days before today."""
    lines = {row["budget"]: row for row in c.csv("/export/pools/all/share-out.csv")}
    told = {one["budget"]: one for one in c.json("/api/v1/pools/all/preview")["lines"]}
    for child in children:
        used = total(c.books.of_scope(child.scope, c.today - 28 * DAY, c.today - DAY))
        c.money(f"Share out: {child.slug} lately", lines[child.name]["recent_use"], used)
        c.money(f"Share out: {child.slug} spent", lines[child.name]["spent"], spent[child.slug])
        c.dollars(f"API: share out {child.slug}", told[child.slug]["recent_use"], used)
        c.dollars(f"API: share out {child.slug}", told[child.slug]["spent"], spent[child.slug])
