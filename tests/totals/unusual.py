"""Unusual spend: what stands there as spent is the ledger's, and what is above usual is that less what was expected."""

from datetime import UTC, datetime, timedelta

from budgets.models import NANO
from reports.models import Finding
from reports.unusual.keeping import refresh
from reports.unusual.scopes import epoch, named
from tests.totals.compare import Comparison
from tests.totals.plain_sum import total

# A merged workflow, a team and a model, across the end of a month and of New York's summer time.
STARTS = datetime(2026, 10, 31, 22, tzinfo=UTC)
SCOPES = (("workflow", 900), ("workflow", 3600), ("team", 3600), ("model", 900))
USUAL = 3 * NANO // 7  # of each grain; no round number


def compare_unusual(c: Comparison) -> None:
    """Findings over the edges, with what is spent read as detection does; then page, CSV and API."""
    made = [_made(c, dimension, grain) for dimension, grain in SCOPES]
    refresh(c.now)
    lines = {line["id"]: line for line in c.csv("/export/unusual.csv")}
    told = {str(one["id"]): one for one in c.json("/api/v1/findings")["results"]}
    for finding in made:
        where = f"Unusual {finding.dimension}, {finding.grain} s"
        grains = [finding.since + timedelta(seconds=finding.grain) * n for n in range(len(finding.points))]
        step = timedelta(seconds=finding.grain)
        by = {"workflow": "slug", "team": "team", "model": "model"}[finding.dimension]
        key = "briefs" if finding.dimension == "workflow" else finding.key
        spent = [total(c.books.since(at, at + step, **{by: key})) for at in grains]
        whole, usual = sum(spent), USUAL * len(grains)
        c.same(f"{where}: something to compare", any(spent), True)
        line, one = lines[str(finding.pk)], told[str(finding.pk)]
        for name, value in (("spent", whole), ("usual", usual), ("above_usual", whole - usual)):
            c.money(f"{where}, CSV: {name}", line[name], value)
            c.dollars(f"{where}, API: {name}", one[name], value)
        rows = c.csv(f"/export/unusual/{finding.pk}.csv")
        c.same(f"{where}: rows", [row["from"] for row in rows], [at.isoformat() for at in grains])
        for row, value in zip(rows, spent, strict=True):
            c.money(f"{where}: {row['from']}", row["spent"], value)
            c.money(f"{where}: {row['from']} above", row["above_usual"], value - USUAL)
        foot = c.page(f"/unusual/{finding.pk}/").lines()[-1]
        c.same(
            f"{where}: total",
            [foot[1], foot[2], foot[4]],
            [c.shown.plain(value) for value in (whole, usual, whole - usual)],
        )
    Finding.objects.all().delete()


def _made(c: Comparison, dimension: str, grain: int) -> Finding:
    keys = {
        "workflow": str(next(one["id"] for one in c.books.workflows.values() if one["slug"] == "briefs")),
        "team": "growth", "model": "m-large",
    }  # fmt: skip
    (scope,) = named(dimension, [keys[dimension]])
    grains = [epoch(STARTS) + grain * n for n in range(16 * 3600 // grain)]
    return Finding.objects.create(
        kind="usual", dimension=dimension, key=scope.key, workflow_id=scope.workflow_id, team_id=scope.team_id,
        name=scope.name, measures=["money"], grain=grain, since=STARTS, until=STARTS + timedelta(hours=16),
        found_at=c.now, ended_at=c.now, actual=0, expected=USUAL * len(grains), amount=-USUAL * len(grains),
        points=[[at, 0, USUAL, 0, 2 * USUAL] for at in grains], subject=str(grain),
    )  # fmt: skip
