"""Savings, what-if and the audit of a workflow: what they say was spent before equals the ledger, call by call."""

from datetime import date

from budgets.models import Workflow
from reports.models import WorkflowAudit
from reports.savings.take import ask, work_off
from reports.workflow_audit.follow import follow_all, start
from tests.totals.company import ME
from tests.totals.compare import Comparison
from tests.totals.outcomes import spent_in_runs
from tests.totals.plain_sum import DAY, Row, by, total
from tests.totals.plain_text import tiles

LENGTH = 30


def compare_savings(c: Comparison) -> None:
    first, last = c.today - LENGTH * DAY, c.today - DAY
    ask(now=c.now)
    assert work_off() == 1
    calls, cost, unknown = _calls(c, first, last)
    _page(c, first, last, cost)
    lines = {line["short_name"]: line for line in c.csv("/export/savings-workflows.csv")}
    c.same("Savings: workflows", sorted(lines), sorted(calls))
    for line in c.csv("/export/savings.csv"):
        c.money(f"Savings {line['place']}: {line['short_name']}", line["cost"], cost[line["short_name"]])
    for slug, line in lines.items():
        c.money(f"Savings: {slug}", line["cost"], cost[slug])
        c.same(f"Savings: {slug}, calls", line["calls"], str(calls[slug]))
        c.same(f"Savings: {slug}, without cost", line["calls_without_cost"], str(unknown[slug]))
    then = {line["short_name"]: line for line in c.csv("/export/what-if.csv?price=3&volume=2")}
    c.same("What if: workflows", sorted(then), sorted(calls))
    for slug, line in then.items():
        c.money(f"What if: {slug}", line["cost"], cost[slug])
        c.money(f"What if: {slug}, thrice and twice", line["cost_then"], cost[slug] * 6)
    _audit(c, first, last)


def _calls(c: Comparison, first: date, last: date) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Calls, what they cost with their corrections, and how many have no known cost, by workflow."""
    fixes: dict[int, list[Row]] = {}
    for row in c.books.rows:
        if row.corrects is not None:
            fixes.setdefault(row.corrects, []).append(row)
    calls: dict[str, int] = {}
    cost: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for row in c.books.between(first, last, kind=0):
        mine = fixes.get(row.id, [])
        if any(one.kind == 2 for one in mine):
            continue
        for found in (calls, cost, unknown):
            found.setdefault(row.slug, 0)
        calls[row.slug] += 1
        if row.measured and row.unpriced + sum(one.unpriced for one in mine) == 0:
            cost[row.slug] += row.money + sum(one.money for one in mine)
        else:
            unknown[row.slug] += 1
    return calls, cost, unknown


def _page(c: Comparison, first: date, last: date, cost: dict[str, int]) -> None:
    page = c.page("/savings/")
    shown = tiles(page)
    c.same("Savings: spent", shown[f"Spent in {LENGTH} days"][0], c.shown.whole(sum(cost.values())))
    apart = total(c.books.between(first, last)) - sum(cost.values())
    said = f"The Spend page says {c.shown.cents(total(c.books.between(first, last)))} for these days"
    c.same("Savings: corrections of other days", said in page.text, apart != 0)


def _audit(c: Comparison, first: date, last: date) -> None:
    """The baseline of a fresh audit, and the days of one that runs since the spring."""
    for slug in ("briefs", "seo"):
        running = WorkflowAudit.objects.filter(workflow__slug=slug, state="running").first()
        if running is None:
            running = start(ME, Workflow.objects.get(slug=slug), now=c.now)
            used = by([row for row in c.books.rows if row.slug == slug], lambda row: row.day)
            began = min((day for day, mine in used.items() if total(mine, "calls") > 0), default=first)
            spans = [("baseline", max(first, began) if began <= last else first, last)]
        else:
            WorkflowAudit.objects.filter(pk=running.pk).update(followed_at=None)
            follow_all(c.now)
            stop = min(running.last_day, c.today - DAY)
            spans = [("audit", running.first_day + n * DAY, running.first_day + n * DAY) for n in range(
                (stop - running.first_day).days + 1)]  # fmt: skip
        lines = c.csv(f"/export/workflows/{slug}/audits/{running.pk}.csv")
        rows = {(one["part"], one["first_day"]): one for one in lines}
        for part, begins, ends in spans:
            where, line = f"Audit of {slug}, {part} {begins}", rows[part, begins.isoformat()]
            mine = c.books.between(begins, ends, slug=slug)
            c.money(where, line["cost"], total(mine))
            c.money(f"{where}: in runs", line["cost_of_runs"], spent_in_runs(c, begins, ends, slug))
            c.same(f"{where}: calls", line["calls"], str(total(mine, "calls")))
