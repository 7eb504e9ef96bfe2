"""Look for runaway shapes in what arrived lately, and keep what is found. One look at a time; repeating one changes
nothing, since a quarter hour is summed anew and put in the place of what was there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from budgets.activities.expand import occurrences
from budgets.limits.calendar import day_of
from budgets.models import Organisation, PlannedActivity
from reports.models import Finding
from reports.unusual import arrivals as arrived
from reports.unusual import shapes
from reports.unusual.arrivals import Arrivals
from reports.unusual.behind import runs_behind
from reports.unusual.expecting import ROOM, concerns, lesson_of
from reports.unusual.keeping import EXPLAINED, MINIMUM, WATCH_LOCK
from reports.unusual.measures import QUARTER
from reports.unusual.newcomers import new_uses
from reports.unusual.scopes import WORKFLOW, Scope, instant, named
from reports.unusual.shapes import Part, Shape, Usual

QUIET = timedelta(hours=1)  # of its last call; then it is over
Kind = Finding.Kind
OF_RUNS = {Kind.LOOP, Kind.CONTEXT}  # each has its own name, so lessons are of the workflow
OF_WORKFLOWS = {Kind.RETRIES, Kind.OUTPUT, Kind.BURST}  # seen in the same calls; from somewhere new is told always
DAYS = timedelta(days=28)


def look_for_runaways(now: datetime | None = None) -> list[Finding]:
    """The findings of shapes that are new or went on. Nothing new costs a handful of statements."""
    now = now or timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WATCH_LOCK])
        if not cursor.fetchone()[0]:
            return []
        arrivals = Arrivals(now)
        ids = arrivals.workflows()
        found: list[Finding] = []
        if ids:
            usual = arrived.usuals(ids, arrivals.since)
            keeper = Keeper(ids, arrivals, usual, now)
            for kind, subject_parts, judge in _shapes(arrivals, ids, usual):
                for key, parts in subject_parts.items():
                    if shape := judge(key, parts):
                        found += keeper.keep(kind, key, parts, shape)
            for key, parts, shape in new_uses(arrivals, now):
                found += keeper.keep(Kind.SOURCE, key, parts, shape)
        _end_quiet(now)
        return found


Judge = Callable[[tuple[int, str], Sequence[Part]], Shape | None]
Looked = tuple[Finding.Kind, Mapping[tuple[int, str], list[Part]], Judge]


def _shapes(arrivals: Arrivals, ids: list[int], usual: Mapping[int, Usual]) -> Iterable[Looked]:
    """Each kind: what may have the shape, by (workflow, subject), and the rule."""

    def by_usual(rule: Callable[[Sequence[Part], Usual], Shape | None]) -> Judge:
        return lambda key, parts: rule(parts, usual[key[0]])

    yield Kind.LOOP, arrivals.parts(arrived.RUNS, least=shapes.LEAST_STEPS), by_usual(shapes.loop)
    yield Kind.RETRIES, arrivals.parts(arrived.REPEATED, least=shapes.LEAST_RETRIES), by_usual(shapes.retries)
    yield Kind.CONTEXT, arrivals.parts(arrived.TALKS, least=shapes.LEAST_TURNS), by_usual(shapes.context)
    known = {pk: most for pk in ids if (most := shapes.longest(usual[pk])) is not None}
    if known:
        long = arrivals.parts(arrived.LONG, workflows=list(known), longest=list(known.values()))
        yield Kind.OUTPUT, long, by_usual(shapes.output)
    people = arrivals.parts(arrived.PEOPLE, least=shapes.LEAST_BURST)
    if people:
        yield Kind.BURST, people, _bursts(sorted({key[0] for key in people}), arrivals.now)


def _bursts(ids: list[int], now: datetime) -> Judge:
    today = day_of(now, Organisation.get().zone)
    own = arrived.persons(ids, today - DAYS, today)
    everybody = {
        pk: tuple(map(sum, zip((0, 0, 0), *(values for (of, _), values in own.items() if of == pk), strict=True)))
        for pk in ids
    }
    return lambda key, parts: shapes.burst(parts, own.get(key), everybody[key[0]])  # type: ignore[arg-type]


class Keeper:
    """Writes findings of shapes; what all of them need is read once."""

    def __init__(self, ids: Sequence[int], arrivals: Arrivals, usual: Mapping[int, Usual], now: datetime) -> None:
        self.now, self.arrivals, self.usual = now, arrivals, usual
        self.zone = Organisation.get().zone
        self.scopes = {int(one.key): one for one in named(WORKFLOW, [str(pk) for pk in ids])}
        self.lessons = list(Finding.objects.filter(taught=True, dimension=WORKFLOW).exclude(kind=Kind.USUAL))
        today = day_of(now, self.zone)
        self.planned = [
            one for one in occurrences(today, today) if one.activity.expects == PlannedActivity.Expects.MORE
        ]
        self.seen: set[tuple[int, str]] = set()

    def keep(self, kind: Finding.Kind, key: tuple[int, str], parts: Sequence[Part], shape: Shape) -> list[Finding]:
        """The finding, where there is one to keep: much enough, not expected, and not told already as another."""
        scope, subject = self.scopes.get(key[0]), key[1]
        if scope is None or (kind in OF_RUNS and key in self.seen):
            return []
        self.seen.add(key)
        points = points_of(parts, shape.expected)
        row = Finding.objects.select_for_update(of=("self",)).filter(
            kind=kind, dimension=WORKFLOW, key=scope.key, subject=subject, ended_at=None
        ).first()  # fmt: skip
        if row is None:
            row = self._made(kind, key, scope, points, shape)
        else:
            known = {point[0]: point for point in row.points} | {point[0]: point for point in points}
            row.points = [known[at] for at in sorted(known)]
            row.until = max(row.until, instant(parts[-1].at + QUARTER))
        if row is None:
            return []
        if shape.expected is not None and not any(point[2] is None for point in row.points):
            _only_once(row, shape, kind)
        row.cause = shape.said[:500]
        row.runs = runs_behind(self.arrivals, kind, key, self.usual)
        sum_of(row)
        row.save()
        return [row]

    def _made(
        self,
        kind: Finding.Kind,
        key: tuple[int, str],
        scope: Scope,
        points: list[list[int | None]],
        shape: Shape,
    ) -> Finding | None:
        subject = key[1]
        actual = sum(point[1] or 0 for point in points)
        above = actual - (shape.expected or 0)
        since, until = instant(points[0][0] or 0), instant((points[-1][0] or 0) + QUARTER)
        if above < MINIMUM or self._is_taught(kind, scope, subject, since, actual):
            return None
        same = Finding.objects.filter(kind=kind, dimension=WORKFLOW, key=scope.key, subject=subject, since=since)
        if same.exists():
            return None
        if kind not in OF_RUNS and self._told_as_usual(kind, key, scope, since, above, shape):
            return None
        if kind in OF_WORKFLOWS and self._told_as_shape(kind, scope, since, above):
            return None
        planned = next(
            (
                one.activity.name
                for one in self.planned
                if kind == Kind.BURST
                and concerns(one.activity, scope)
                and one.starts_at < until
                and one.ends_at > since
            ),
            "",
        )
        return Finding(
            kind=kind, dimension=WORKFLOW, key=scope.key, subject=subject, workflow_id=scope.workflow_id,
            team_id=scope.team_id, name=scope.name[:200], grain=QUARTER, since=since, until=until,
            found_at=self.now, points=points, planned=planned[:200], peaks={"money:900": actual / 10**9},
            state=Finding.State.EXPECTED if planned else Finding.State.OPEN,
        )  # fmt: skip

    def _is_taught(self, kind: Finding.Kind, scope: Scope, subject: str, since: datetime, actual: int) -> bool:
        return any(
            lesson.kind == kind
            and lesson.key == scope.key
            and (kind in OF_RUNS or lesson.subject == subject)
            and actual <= lesson.actual * ROOM
            and lesson_of(lesson, self.zone).covers(since, self.zone)
            for lesson in self.lessons
        )

    def _told_as_usual(
        self, kind: Finding.Kind, key: tuple[int, str], scope: Scope, since: datetime, above: int, shape: Shape
    ) -> bool:
        """Where the same spend stands there already as above its usual, the shape becomes its cause."""
        row = Finding.objects.filter(
            kind=Kind.USUAL, dimension=WORKFLOW, key=scope.key, ended_at=None, until__gt=since
        ).first()
        if row is None or (row.amount or 0) * EXPLAINED < above:
            return False
        runs = runs_behind(self.arrivals, kind, key, self.usual)
        if (row.cause, row.runs) != (shape.said, runs):
            Finding.objects.filter(pk=row.pk).update(cause=shape.said[:500], runs=runs)
        return True

    def _told_as_shape(self, kind: Finding.Kind, scope: Scope, since: datetime, above: int) -> bool:
        """Whether other shapes that go on are most of it: a person whose calls are all repeated is one finding."""
        rows = Finding.objects.filter(
            kind__in=OF_RUNS | OF_WORKFLOWS, dimension=WORKFLOW, key=scope.key, ended_at=None, until__gt=since
        ).exclude(kind=kind)
        told = sum(row.actual if row.amount is None else max(0, row.amount) for row in rows)
        return told * EXPLAINED >= above


def points_of(parts: Sequence[Part], expected: int | None) -> list[list[int | None]]:
    """Quarter hours as `Finding.points`. What was usual for all of it is shared out by calls, to the nano-dollar."""
    calls = sum(part.calls for part in parts)
    points: list[list[int | None]] = []
    so_far = given = 0
    for part in parts:
        so_far += part.calls
        share = None if expected is None else expected * so_far // max(1, calls) - given
        given += share or 0
        points.append([part.at, part.cost, share, share, share])
    return points


def _only_once(row: Finding, shape: Shape, kind: Finding.Kind) -> None:
    """What is usual for the whole of a run or a person's day is not usual again in each hour that it lasts."""
    if kind not in {Kind.LOOP, Kind.BURST}:
        return
    left = shape.expected or 0
    for point in row.points:
        share = min(left, point[2])
        point[2:] = [share, share, share]
        left -= share


def sum_of(row: Finding) -> None:
    """Actual, expected and amount of its points."""
    row.actual = sum(point[1] for point in row.points)
    known = all(point[2] is not None for point in row.points)
    row.expected = sum(point[2] for point in row.points) if known else None
    row.amount = row.actual - row.expected if row.expected is not None else None


def _end_quiet(now: datetime) -> None:
    """Those without a new call for an hour are over."""
    shapes_only = Finding.objects.exclude(kind__in=[Kind.USUAL, Kind.CREEP]).filter(ended_at=None)
    shapes_only.filter(until__lte=now - QUIET).update(ended_at=now)
