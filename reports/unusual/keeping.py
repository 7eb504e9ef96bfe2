"""Write what was found: make, extend and end findings of spend above its usual. Each may be done again and changes
nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from budgets.models import NANO
from reports.models import Finding
from reports.unusual.judging import GAP, Point, Span
from reports.unusual.measures import MEASURES, Sums, by_grain
from reports.unusual.scopes import WORKFLOW, Scope, epoch, instant, used

WATCH_LOCK = 7_061_081  # advisory lock number, ours by choice; one look at a time
MINIMUM = 5 * NANO  # what is less above its usual is no finding
LONGEST = timedelta(days=7)  # what lasts longer is the new usual
REFRESHED = timedelta(days=35)  # late calls, corrections and withdrawals still change what was spent
SHARE = 3  # nor is what is less than a third of what the scope spends a day,
OF_COMPANY = 100  # or than a hundredth of what the company does
EXPLAINED = 2  # a team or model is not told of again where its workflows are at least a half of it


def least_of_company(scopes: Iterable[Scope]) -> int:
    """Nano-dollars above usual that are much for the company: of what its costliest workflows spend a day."""
    return max(MINIMUM, sum(scope.a_day for scope in scopes if scope.dimension == WORKFLOW) // OF_COMPANY)


def keep(
    scope: Scope,
    span: Span,
    peaks: Mapping[str, float],
    now: datetime,
    expected: int = 0,
    least: int = MINIMUM,
) -> Finding | None:
    """The finding of this scope that the span made or changed. `peaks`: of all measures and grains in the span;
    `expected`: nano-dollars above usual that somebody had expected of its workflows; `least` is `least_of_company`."""
    known = _known(scope, span, now)
    if known is not None:
        return _extended(known, span, peaks)
    if span.amount < max(least, scope.a_day // SHARE) or is_explained(scope, span, expected):
        return None
    return _made(scope, span, peaks, now)


def end(scope: Scope, looked_to: datetime, now: datetime) -> None:
    """Its findings that nothing was added to for an hour of data (two grains of hours) are over."""
    for finding in Finding.objects.filter(
        kind=Finding.Kind.USUAL, dimension=scope.dimension, key=scope.key, ended_at=None
    ):
        if looked_to - finding.until >= _quiet(finding) or finding.until - finding.since >= LONGEST:
            over = min(now, finding.until + _quiet(finding))
            Finding.objects.filter(pk=finding.pk, ended_at=None).update(ended_at=over)


def is_explained(scope: Scope, span: Span, expected: int = 0) -> bool:
    """Whether what was found in this time is most of what the scope is above its usual: runaways of a workflow;
    workflows of a team; any workflows, or any teams, for a model."""
    rows = Finding.objects.exclude(kind=Finding.Kind.CREEP).filter(
        since__lt=instant(span.until), until__gt=instant(span.since - GAP)
    )
    if scope.dimension == "workflow":
        rows = rows.exclude(kind=Finding.Kind.USUAL).filter(dimension="workflow", key=scope.key)
    elif scope.dimension == "team":
        rows = rows.filter(dimension="workflow", team=scope.team_id)
    told: dict[str, int] = {}
    for one in rows:
        told[one.dimension] = told.get(one.dimension, 0) + max(0, one.actual if one.amount is None else one.amount)
    found = max(told.get("workflow", 0), told.get("team", 0)) + expected
    return found * EXPLAINED >= span.amount


def refresh(now: datetime) -> int:
    """What findings of the last five weeks are about, read again; how many changed. Two statements for each scope."""
    by_scope: dict[tuple[str, str], list[Finding]] = {}
    for finding in Finding.objects.filter(kind=Finding.Kind.USUAL, until__gte=now - REFRESHED).order_by("pk"):
        by_scope.setdefault((finding.dimension, finding.key), []).append(finding)
    changed = 0
    for (dimension, key), findings in by_scope.items():
        starts = instant(min(one.points[0][0] for one in findings))
        stops = max(one.until for one in findings)
        quarters = used(dimension, [key], starts, stops)[key]
        changed += sum(refreshed(finding, quarters) for finding in findings)
    return changed


def refreshed(finding: Finding, quarters: Mapping[int, Sums]) -> bool:
    """Put what was spent, as it is now, beside what was expected then; whether that changed anything."""
    cells = by_grain(quarters, finding.grain)
    points = [[at, cells[at].cost if at in cells else 0, *rest] for at, _, *rest in finding.points]
    if points == finding.points:
        return False
    finding.points = points
    _sum(finding)
    finding.save(update_fields=["points", "actual", "expected", "amount"])
    return True


def _known(scope: Scope, span: Span, now: datetime) -> Finding | None:
    """The finding that this stretch belongs to: it overlaps, or follows before that was long enough quiet to be over.
    One that was is ended here, since a scope has one open finding at most."""
    mine = Finding.objects.select_for_update(of=("self",)).filter(
        kind=Finding.Kind.USUAL, dimension=scope.dimension, key=scope.key
    )
    near = mine.filter(since__lte=instant(span.until + GAP), until__gte=instant(span.since - GAP)).order_by("since")
    if (found := near.first()) is not None:
        return found
    still = mine.filter(ended_at=None).first()
    if still is None or instant(span.since) - still.until < _quiet(still):
        return still
    Finding.objects.filter(pk=still.pk).update(ended_at=min(now, still.until + _quiet(still)))
    return None


def _quiet(finding: Finding) -> timedelta:
    """For how long nothing must be above usual for it to be over."""
    return timedelta(seconds=max(GAP, 2 * finding.grain))


def _made(scope: Scope, span: Span, peaks: Mapping[str, float], now: datetime) -> Finding:
    finding = Finding(
        kind=Finding.Kind.USUAL,
        dimension=scope.dimension,
        key=scope.key,
        workflow_id=scope.workflow_id,
        team_id=scope.team_id,
        name=scope.name[:200],
        measures=list(span.measures),
        grain=span.grain,
        since=instant(span.since),
        until=instant(span.until),
        found_at=now,
        points=[list(point) for point in (*span.before, *span.points)],
        peaks=dict(peaks),
        planned=span.planned[:200],
        state=Finding.State.EXPECTED if span.planned else Finding.State.OPEN,
    )
    _sum(finding)
    finding.save()
    return finding


def _extended(finding: Finding, span: Span, peaks: Mapping[str, float]) -> Finding:
    """With what is new of this stretch. What was expected before this look stays as it was said then."""
    before = (finding.until, list(finding.measures), finding.points, finding.peaks)
    if span.grain == finding.grain:
        known: dict[int, Sequence[int]] = {point[0]: point for point in finding.points}
        known |= {point[0]: point for point in span.points if point[0] >= epoch(finding.since)}
        finding.points = [list(known[at]) for at in sorted(known)]
        until = max(epoch(finding.until), span.until)
        finding.until = instant(until)
        if finding.ended_at is not None and finding.until > before[0] and not _another_is_open(finding):
            finding.ended_at = None
    finding.measures = [name for name in MEASURES if name in {*finding.measures, *span.measures}]
    finding.peaks = {name: max(finding.peaks.get(name, 0.0), peaks.get(name, 0.0)) for name in {*finding.peaks, *peaks}}
    if (finding.until, finding.measures, finding.points, finding.peaks) != before:
        _sum(finding)
        finding.save()
    return finding


def _another_is_open(finding: Finding) -> bool:
    same = Finding.objects.filter(kind=finding.kind, dimension=finding.dimension, key=finding.key, ended_at=None)
    return same.exclude(pk=finding.pk).exists()


def _sum(finding: Finding) -> None:
    since = epoch(finding.since)
    points: list[Point] = [tuple(point) for point in finding.points if point[0] >= since]
    finding.actual = sum(point[1] for point in points)
    finding.expected = sum(point[2] for point in points)
    finding.amount = finding.actual - finding.expected
