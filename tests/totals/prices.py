"""Prices: what has no price, a model's use in 30 days, what a new price would mean, calls priced anew."""

from datetime import datetime, timedelta
from fractions import Fraction

from budgets.models import Workflow
from tests.totals.company import waiting_preview
from tests.totals.compare import Comparison, sums
from tests.totals.plain_sum import Row, by, count, midnight, total
from tests.totals.plain_text import page_of, short, tiles
from usage.models import PriceRefresh, RepriceRun

TYPED = {
    "provider": "bolt", "model": "b-mid", "service_tier": "standard", "first_day": "2026-01-01", "input": "1.3",
    "cached_input": "0.4", "output": "5.1", "units-TOTAL_FORMS": "0", "units-INITIAL_FORMS": "0",
    "steps-TOTAL_FORMS": "0", "steps-INITIAL_FORMS": "0", "hours-TOTAL_FORMS": "0", "hours-INITIAL_FORMS": "0",
}  # fmt: skip


def compare_prices(c: Comparison) -> None:
    _unpriced(c)
    for provider, model in (("acme", "m-large"), ("bolt", "b-mid"), ("acme", "m-soon"), ("", "m-ghost")):
        _model(c, provider, model)
    _meaning(c)
    _refresh(c)


def _unpriced(c: Comparison) -> None:
    """Of all time: a price that came later counts against the call it is for, wherever that counts."""
    of = {
        key: rows
        for key, rows in by(c.books.rows, lambda row: (row.provider, row.model, row.service_tier)).items()
        if sums(rows)["unpriced"] > 0
    }
    csv = {
        (line["provider"], line["model"], line["service_tier"]): line for line in c.csv("/export/unpriced-models.csv")
    }
    c.same("Unpriced", sorted(csv), sorted(of))
    many = sum(sums(rows)["unpriced"] for rows in of.values())
    page = c.page("/settings/prices/")
    if of:
        title = page.one("h2", id="unpriced-title").text
        models = f"{len(of)} model{'' if len(of) == 1 else 's'}"
        c.same("Unpriced", title, f"No price yet: {models}, {short(many)} call{'' if many == 1 else 's'}")
    for key in set(csv) & set(of):
        c.same(f"Unpriced: {key}", csv[key]["calls_without_price"], str(sums(of[key])["unpriced"]))


def _refresh(c: Comparison) -> None:
    """Published prices that would change: what was spent on them lately."""
    began = "2020-01-01T00:00:00+00:00"
    one = {"provider": "bolt", "model": "b-mid", "service_tier": "standard", "valid_from": began, "valid_to": None}
    waiting = PriceRefresh.objects.create(
        package="genai-prices 9", digest="x", changed=[one | {"before": {"input": "0.8"}, "after": {"input": "0.7"}}]
    )
    page = c.page("/settings/prices/refresh/")
    spent = total(lately(c, "b-mid"))
    cell = next(one for one in page.all("td") if one.attributes.get("data-label") == "Spent in 30 days")
    c.same("Published prices", cell.text, c.shown.cents(spent) if spent else "not used")
    if spent:
        c.same("Published prices", f"({c.shown.whole(spent)}, " in page.text, True)
    waiting.delete()


def lately(c: Comparison, model: str) -> list[Row]:
    """In 30 days by the clock; quarter hours count whole, so tests ask at one."""
    return c.books.since(c.now - timedelta(days=30), c.now, model=model)


def _model(c: Comparison, provider: str, model: str) -> None:
    rows, where = lately(c, model), f"Price of {model}"
    whole, found = sums(rows), tiles(c.page(f"/settings/prices/model/?provider={provider}&model={model}"))
    unknown = whole["unpriced"] > 0 and not whole["money"]
    spent = "no price yet" if unknown else c.shown.whole(whole["money"])
    c.same(f"{where}: spent", found["Spent in the last 30 days"][0], spent)
    c.same(f"{where}: calls", found["Calls in the last 30 days"][0], short(whole["calls"]))
    tokens = f"{short(total(rows, 'tokens'))} tokens"
    many = whole["uncounted"]
    if many:
        tokens += f", {short(many)} call{'' if many == 1 else 's'} without a count"
    c.same(f"{where}: tokens", found["Calls in the last 30 days"][1], tokens)
    without = found.get("Calls without a price", ("", ""))[0]
    c.same(f"{where}: without a price", without, short(whole["unpriced"]) if whole["unpriced"] > 0 else "")


def priced_plainly(rows: list[Row]) -> int:
    """By the prices typed, dollars for a million tokens; rounded once, half to even."""
    cached, written = count(rows, "cached_input_tokens"), count(rows, "cache_write_tokens")
    fresh = count(rows, "input_tokens") - cached - written
    dollars = fresh * Fraction("1.3") + cached * Fraction("0.4") + written * Fraction("1.3")
    dollars += count(rows, "output_tokens") * Fraction("5.1")
    return round(dollars * 1000)


def _meaning(c: Comparison) -> None:
    text = page_of(c.client.post("/settings/prices/meaning/", TYPED).content.decode()).text
    for rows, pattern, show in (
        (lately(c, "b-mid"), "A typical call of the last 30 days would cost {} instead of {}.", c.shown.per),
        (
            c.books.since(midnight(c.today.replace(day=1), c.books.zone), c.now, model="b-mid"),
            "would have been {} instead of {},",
            None,
        ),
    ):
        whole = sums(rows)
        known = whole["calls"] - whole["unmeasured"]
        after, before = priced_plainly(rows), whole["money"]
        if not known:
            continue
        if show:
            expected = pattern.format(show(after, known), show(before, known - whole["unpriced"]))
        else:
            expected = pattern.format(c.shown.cents(after), c.shown.cents(before))
        c.same(f"Price meaning in “{text}”: {expected}", expected in text, True)


def compare_repricing(c: Comparison) -> None:
    """The runs that were carried out, by the corrections they left; and one that waits, by calls as they stand."""
    corrections = [row for row in c.books.rows if row.kind == 1]
    done = RepriceRun.objects.filter(status="done")
    written = {run.pk: total(row for row in corrections if row.model == run.model) for run in done}
    lines = {
        row.one("a", "row-name").attributes["href"]: row
        for row in c.page("/settings/prices/reprice/")
        .one("section", **{"aria-labelledby": "runs-title"})
        .one("tbody")
        .all("tr")
    }
    for run in done:
        cells = lines[f"/settings/prices/reprice/{run.pk}/"].all("td", "n")
        c.same(f"Run {run.model}: difference", cells[1].text, c.shown.cents(written[run.pk]))
        told = c.json(f"/api/v1/reprice-runs/{run.pk}")
        c.same(f"API: run {run.model}", told["written"], written[run.pk])
        c.same(f"API: run {run.model}", told["corrected"], sum(row.model == run.model for row in corrections))
    _waiting(c, waiting_preview(c.now))


def _waiting(c: Comparison, run: RepriceRun) -> None:
    since, named = (
        datetime.fromisoformat("2026-03-09T00:00:00+00:00"),
        dict(Workflow.objects.values_list("slug", "name")),
    )
    taken_back = {row.corrects for row in c.books.rows if row.kind == 2}
    cost_of = by([row for row in c.books.rows if row.kind == 1], lambda row: row.corrects)
    changed = []
    for row in c.books.rows:
        counts = row.kind == 0 and row.measured and row.model == "b-small" and row.id not in taken_back
        if counts and row.made >= since:
            now = total([row, *cost_of.get(row.id, [])])
            fresh = (row.input_tokens or 0) - (row.cached_input_tokens or 0)
            then = round(
                (fresh + (row.cached_input_tokens or 0) * Fraction(1, 10)) * 50 + (row.output_tokens or 0) * 310
            )
            if then != now:
                changed.append((row.slug, now, then))
    page = c.page(f"/settings/prices/reprice/{run.pk}/")
    *lines, foot = page.one("section", **{"aria-labelledby": "rows-title"}).lines()[1:]
    csv = {line["workflow"]: line for line in c.csv(f"/export/reprice/{run.pk}.csv")}
    shown = {line[0]: line for line in lines}
    for slug in {slug for slug, _, _ in changed}:
        mine = [one for one in changed if one[0] == slug]
        before, after = sum(one[1] for one in mine), sum(one[2] for one in mine)
        expected = [str(len(mine)), "0", c.shown.cents(before), c.shown.cents(after)]
        c.same(f"Preview: {slug}", shown[named[slug]][1:], expected)
        c.money(f"Preview CSV: {slug}", csv[slug]["before"], before)
        c.money(f"Preview CSV: {slug}", csv[slug]["after"], after)
        c.money(f"Preview CSV: {slug}", csv[slug]["difference"], after - before)
    before, after = sum(one[1] for one in changed), sum(one[2] for one in changed)
    c.same("Preview: all", foot[1:], [str(len(changed)), "0", c.shown.cents(before), c.shown.cents(after)])
    told = c.json(f"/api/v1/reprice-runs/{run.pk}")
    c.same("API: preview", (told["calls"], told["before"], told["after"]), (len(changed), before, after))
