"""Data health, sources and imports."""

import re
from datetime import UTC, date, timedelta

from budgets.models import Source
from tests.totals.compare import Comparison, sums
from tests.totals.outcomes import between as runs_between
from tests.totals.plain_sum import DAY, Row, count, days, month_before, total
from tests.totals.plain_text import day_words, share, some
from usage.models import Import

HOUR = timedelta(hours=1)


def compare_health(c: Comparison) -> None:
    this = c.today.replace(day=1)
    for query, first, last in (
        ("?period=this-month", this, c.today),
        ("?period=7d", c.today - 7 * DAY, c.today - DAY),
        ("?period=last-month", month_before(this), this - DAY),
        (f"?period=custom&from={this - 2 * DAY}&to={this + DAY}", this - 2 * DAY, min(this + DAY, c.today)),
    ):
        _health(c, query, first, last)


def late(row: Row) -> bool:
    return row.arrived - row.made > DAY


def _health(c: Comparison, query: str, first: date, last: date) -> None:
    rows = c.books.between(first, last)
    whole = sums(rows)
    known = whole["calls"] - whole["uncounted"]
    with_price = known - whole["without"]
    mine = [row for row in rows if not row.unclaimed]
    in_runs = [row for row in rows if row.run_id]
    runs = runs_between(c, first, last)
    came = [
        row for row in c.books.rows if row.kind == 0 and first <= row.arrived.astimezone(c.books.zone).date() <= last
    ]
    cost = c.shown.whole(whole["money"])
    expected = {
        "priced": (share(with_price, known), f"of {some(known, 'call')} whose use is known", with_price, known),
        "measured": (share(known, whole["calls"]), f"of {some(whole['calls'], 'call')}", known, whole["calls"]),
        "claimed": (share(total(mine), whole["money"]), f"of {cost}", total(mine), whole["money"]),
        "with-run": (share(total(in_runs), whole["money"]), f"of {cost}", total(in_runs), whole["money"]),
        "with-outcome": (
            share(runs["judged_cost"], runs["cost"]) if runs["runs"] else "–",
            f"of {c.shown.whole(runs['cost'])} in {some(runs['runs'], 'run')}",
            runs["judged_cost"],
            runs["cost"],
        ),
        "late": (f"{sum(map(late, came)):,}", f"of {some(len(came), 'arrival')}", sum(map(late, came)), len(came)),
    }  # fmt: skip
    page, csv = c.page(f"/data/{query}"), {line["figure"]: line for line in c.csv(f"/export/data-health.csv{query}")}
    for key, (value, of, part, all_of_it) in expected.items():
        where = f"Data health {query}: {key}"
        c.same(where, page.one("section", id=key).one("p", "v").text, f"{value} {of}")
        money = "money" if csv[key]["unit"] == c.shown.code else "count"
        c.amount(f"{where}, CSV", csv[key]["part"], part, money)
        c.amount(f"{where}, CSV", csv[key]["total"], all_of_it, money)
    _meanings(c, query, rows, came)


def _meanings(c: Comparison, query: str, rows: list[Row], came: list[Row]) -> None:
    page, where = c.page(f"/data/{query}"), f"Data health {query}, in words"
    said = {key: page.one("section", id=key).text for key in ("priced", "measured", "claimed", "with-run", "late")}
    whole = sums(rows)
    nobodys = [row for row in rows if row.unclaimed]
    runless = whole["calls"] - total((row for row in rows if row.run_id), "calls")
    elsewhere = sum(row.at != row.made for row in came)
    for key, number, words in (
        ("priced", whole["without"], f" {some(whole['without'], 'call')} (up to"),
        ("measured", whole["uncounted"], f"{some(whole['uncounted'], 'call')} came without counts"),
        (
            "claimed",
            total(nobodys, "calls"),
            f"{c.shown.whole(total(nobodys))} in {some(total(nobodys, 'calls'), 'call')} belongs",
        ),
        ("with-run", runless, f"{some(runless, 'call')} named no run"),
        ("late", elsewhere, f"{some(elsewhere, 'call')} counted on the day"),
    ):
        if number > 0:
            c.same(f"{where}: {words}", words in said[key], True)
        else:
            c.same(f"{where}: no {key}", re.search(r"-\d", said[key]), None)


def compare_sources(c: Comparison) -> None:
    csv = {line["source"]: line for line in c.csv("/export/sources.csv")}
    since = c.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    listed = c.page("/settings/sources/").one("table", "stacks").all("tr")
    weeks = {row.one("a").attributes["href"].split("/")[-2]: row for row in listed if row.all("a")}
    for slug in Source.objects.values_list("slug", flat=True):
        pk = Source.objects.get(slug=slug).pk
        came = [row for row in c.books.rows if row.kind == 0 and row.source_id == pk]
        lately = [row for row in came if row.arrived >= since - 168 * HOUR]
        where = f"Source {slug}"
        c.same(f"{where}: late in a week", csv[slug]["late_in_a_week"], str(sum(map(late, lately))))
        c.same(f"{where}: late in a week", weeks[slug].all("td", "n")[0].text, str(sum(map(late, lately))))
        recent = sum(row.arrived >= since for row in came)
        c.same(f"{where}: an hour", csv[slug]["events_an_hour"], f"{recent / ((c.now - since) / HOUR):.3f}")
        _days(c, slug, came)


def _days(c: Comparison, slug: str, came: list[Row]) -> None:
    expected = []
    for day in reversed(days(c.today - 13 * DAY, c.today)):
        mine = [row for row in came if row.arrived.astimezone(c.books.zone).date() == day]
        elsewhere = sum(row.at != row.made for row in mine)
        expected.append([day_words(day), str(len(mine)), str(sum(map(late, mine))), str(elsewhere)])
    c.same(f"Source {slug}: days", c.page(f"/settings/sources/{slug}/").lines()[1:], expected)


def compare_imports(c: Comparison) -> None:
    """What each file brought: its lines, and what it said they would come to."""
    told = {one["id"]: one for one in c.json("/api/v1/imports")["results"]}
    csv = {line["file"]: line for line in c.csv("/export/imports.csv")}
    assert csv
    for run in Import.objects.all():
        batches = [int(pk) for pk in run.objects_made.values_list("object_id", flat=True)]
        rows = [row for row in c.books.rows if row.kind == 0 and row.batch_id in batches]
        page, where = c.page(f"/settings/imports/{run.pk}/"), f"Import {run.pk}, {run.status}"
        said = dict(zip([one.text for one in page.all("dt")], [one.text for one in page.all("dd")], strict=False))
        summary = dict(told[run.pk]["summary"])
        c.same(
            where,
            {label: page.text.count(f"{label} {value}") > 0 for label, value in summary.items()},
            dict.fromkeys(summary, True),
        )
        if run.status == "done":
            c.same(f"{where}: good", (said["Good lines"], told[run.pk]["good"]), (f"{len(rows):,}", len(rows)))
            c.same(f"{where}: calls", summary["Calls"], f"{len(rows):,}")
            tokens = f"{count(rows, 'input_tokens'):,} in, {count(rows, 'output_tokens'):,} out"
            c.same(f"{where}: tokens", summary["Tokens"], tokens)
            priced = [row for row in rows if row.measured and not row.unpriced]
            of = "" if len(priced) == len(rows) else f" for {len(priced):,} of {len(rows):,} calls"
            c.same(f"{where}: cost", summary["Cost at our prices"], f"{c.dollar.cents(total(rows))}{of}")
        elif run.status == "checked":
            c.same(
                f"{where}: stated", summary["Cost as the file states it"], "$0.13"
            )  # an eighth of a dollar, half a cent up
