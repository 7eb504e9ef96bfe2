"""Feed what is new to the detector, and keep what it finds. One look at a time; killed and repeated changes nothing.

What is older than six to twelve hours is settled: the detector has taken it in for good. What is newer it scores anew
at each look, from the settled state on, so that calls which arrive late are seen as if they had been on time.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils import timezone

from budgets.limits.calendar import day_of, quarter_hour
from budgets.models import Organisation
from reports.models import Finding, Watch, WatchedSeries
from reports.unusual import keeping
from reports.unusual.causes import tell_causes
from reports.unusual.detector import SHIPPED_THRESHOLD, STATE_VERSION, Detector
from reports.unusual.expecting import Expectations
from reports.unusual.judging import Graded, Seen, Span, spans_of
from reports.unusual.measures import GRAINS, HOUR, NOTHING, QUARTER, Sums, by_grain, measures_of, value_of
from reports.unusual.scopes import Scope, epoch, instant, used, watched

SETTLED = timedelta(hours=6)
HISTORY = timedelta(days=35)  # where a series is new, what it learns from
LEARNING = timedelta(days=7)  # from the first use on; before, nothing is told
LOOKED_BACK = timedelta(days=14)  # how much of what it learns from is looked at, too
SECONDS = 20.0  # of a look; scopes that are new wait for the next one


@dataclass(frozen=True, slots=True)
class Looked:
    """How many scopes were looked at, how many wait for the next look, and which findings are new or changed."""

    scopes: int = 0
    waiting: int = 0
    findings: tuple[Finding, ...] = ()


def watch(now: datetime | None = None, seconds: float = SECONDS) -> Looked:
    """Look at the quarter hours and hours that are complete and new. Nothing new costs three statements."""
    now = now or timezone.now()
    looked = _watched(now, seconds)
    if looked.scopes:
        tell_causes(looked.findings, now)
    return looked


def _watched(now: datetime, seconds: float) -> Looked:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [keeping.WATCH_LOCK])
        if not cursor.fetchone()[0]:
            return Looked()
        row, _ = Watch.objects.get_or_create(pk=1)
        to = quarter_hour(now)
        if row.quarters_to is not None and row.quarters_to >= to:
            return Looked()
        looked = _look(row, now, to, time.monotonic() + seconds)
        keeping.refresh(now)
        if not looked.waiting:
            row.quarters_to, row.hours_to = to, to.replace(minute=0)
        row.looked_at = now
        row.save()
        return looked


def _look(row: Watch, now: datetime, to: datetime, deadline: float) -> Looked:
    scopes = watched(now)
    if not scopes:
        return Looked()
    hours = row.hours_to is None or row.hours_to < to.replace(minute=0)
    grains = GRAINS if hours else (QUARTER,)
    known = _series(scopes)
    _forget_where_more_came(scopes, known)
    expecting = Expectations(to - HISTORY, to, Organisation.get().zone)
    found: list[Finding] = []
    least = keeping.least_of_company(scopes)
    done = waiting = 0
    for batch in _batches(scopes, known, to):
        if time.monotonic() > deadline:
            waiting += len(batch)
            continue
        sums = used(batch[0].dimension, [one.key for one in batch], _from(batch, known, to), to)
        for scope in batch:
            found += _look_at(scope, sums[scope.key], known, expecting, grains, to, now, least)
            done += 1
    return Looked(done, waiting, tuple(found))


Key = tuple[str, str, str, int]  # dimension, key, measure, grain


def _series(scopes: Sequence[Scope]) -> dict[Key, WatchedSeries]:
    """What is remembered of them; what another version of the detector wrote is forgotten, and learnt anew."""
    keys = {scope.key for scope in scopes}
    rows = WatchedSeries.objects.filter(key__in=keys)
    old = {(one.dimension, one.key) for one in rows if one.state.get("version") != STATE_VERSION}
    for dimension, key in old:
        WatchedSeries.objects.filter(dimension=dimension, key=key).delete()
    return {
        (one.dimension, one.key, one.measure, one.grain): one for one in rows if (one.dimension, one.key) not in old
    }


def _forget_where_more_came(scopes: Sequence[Scope], known: dict[Key, WatchedSeries]) -> None:
    """What was used earlier than a series knows came later, as imports do: such a scope is learnt anew."""
    zone = Organisation.get().zone
    for scope in scopes:
        row = known.get((scope.dimension, scope.key, "money", QUARTER))
        if row is None or scope.first_day is None or scope.first_day >= day_of(row.began_at, zone):
            continue
        WatchedSeries.objects.filter(dimension=scope.dimension, key=scope.key).delete()
        for key in [one for one in known if one[:2] == (scope.dimension, scope.key)]:
            del known[key]


def _is_new(scope: Scope, known: Mapping[Key, WatchedSeries], to: datetime) -> bool:
    row = known.get((scope.dimension, scope.key, "money", QUARTER))
    return row is None or to - row.settled_to > 4 * SETTLED


def _batches(scopes: Sequence[Scope], known: Mapping[Key, WatchedSeries], to: datetime) -> Iterator[list[Scope]]:
    """Workflows first. Those that are up to date are read together, one that must learn its history alone."""
    for dimension in dict.fromkeys(scope.dimension for scope in scopes):
        mine = [scope for scope in scopes if scope.dimension == dimension]
        current = [scope for scope in mine if not _is_new(scope, known, to)]
        if current:
            yield current
        for scope in mine:
            if scope not in current:
                yield [scope]


def _from(batch: Sequence[Scope], known: Mapping[Key, WatchedSeries], to: datetime) -> datetime:
    """The first instant that one of them has not settled."""
    keys = {(scope.dimension, scope.key) for scope in batch}
    settled = [row.settled_to for (dimension, key, *_), row in known.items() if (dimension, key) in keys]
    return max(min(settled), to - HISTORY) if settled else to - HISTORY


def _look_at(
    scope: Scope,
    quarters: Mapping[int, Sums],
    known: Mapping[Key, WatchedSeries],
    expecting: Expectations,
    grains: Sequence[int],
    to: datetime,
    now: datetime,
    least: int,
) -> list[Finding]:
    first = known.get((scope.dimension, scope.key, "money", QUARTER))
    began = first.began_at if first else instant(min(quarters)) if quarters else None
    if began is None:
        return []
    graded: dict[int, list[Graded]] = {}
    spans: list[Span] = []
    for grain in grains:
        graded[grain] = _graded(scope, by_grain(quarters, grain), grain, known, began, to, expecting.zone)
        told = [one for one in graded[grain] if instant(one.at) >= began + LEARNING]
        spans += spans_of(told, grain, SHIPPED_THRESHOLD, expecting.quiet(scope, grain))
    found = []
    for span in sorted(spans, key=lambda one: (one.since, one.grain)):
        expected = expecting.quieted_of(scope, span)
        if finding := keeping.keep(scope, span, peaks_in(span, graded), now, expected, least):
            found.append(finding)
    keeping.end(scope, to, now)
    return found


def peaks_in(span: Span, graded: Mapping[int, Sequence[Graded]]) -> dict[str, float]:
    """The highest value of each measure and grain in the time of the span: what a lesson is held against later."""
    found: dict[str, float] = dict(span.peaks)
    for grain, rows in graded.items():
        for one in rows:
            if one.at + grain > span.since and one.at < span.until:
                for name, value in one.values.items():
                    if value is not None:
                        found[f"{name}:{grain}"] = max(value, found.get(f"{name}:{grain}", 0.0))
    return found


def _graded(
    scope: Scope,
    cells: Mapping[int, Sums],
    grain: int,
    known: Mapping[Key, WatchedSeries],
    began: datetime,
    to: datetime,
    zone: ZoneInfo,
) -> list[Graded]:
    """The grains that are not settled, scored; of a new series two weeks. What is settled is taken in for good."""
    stop = epoch(to) // grain * grain
    settle = (stop - int(SETTLED.total_seconds())) // HOUR * HOUR
    scored: dict[int, dict[str, tuple[float | None, Seen]]] = {}
    for measure in measures_of(scope.dimension):
        row = known.get((scope.dimension, scope.key, measure, grain))
        detector, at = (
            (Detector.from_state(row.state), epoch(row.settled_to))
            if row
            else (Detector(grain_seconds=grain), epoch(began) // HOUR * HOUR)
        )
        new = settle if settle - at >= SETTLED.total_seconds() else at
        told_from = new if row else stop - int(LOOKED_BACK.total_seconds())
        for moment in range(at, max(new, stop) + 1, grain):
            if moment == new and (row is None or new > at):  # seldom, since a state is large
                _settle(scope, measure, grain, row, began, detector, new)
            if moment >= stop:
                break
            value = value_of(measure, cells.get(moment, NOTHING))
            seen = detector.see(wall(moment, zone), value)
            if moment >= told_from:
                scored.setdefault(moment, {})[measure] = (value, seen)
    return [
        Graded(
            moment,
            cells.get(moment, NOTHING).cost,
            {name: value for name, (value, _) in of.items()},
            {name: seen for name, (_, seen) in of.items()},
        )
        for moment, of in sorted(scored.items())
    ]


def wall(moment: int, zone: ZoneInfo) -> datetime:
    """What clocks of the organisation show then, without a zone: a batch at 22:00 stays there when clocks change."""
    return instant(moment).astimezone(zone).replace(tzinfo=None)


def _settle(
    scope: Scope,
    measure: str,
    grain: int,
    row: WatchedSeries | None,
    began: datetime,
    detector: Detector,
    to: int,
) -> None:
    if row is not None:
        WatchedSeries.objects.filter(pk=row.pk).update(settled_to=instant(to), state=detector.to_state())
        return
    WatchedSeries.objects.create(
        dimension=scope.dimension,
        key=scope.key,
        measure=measure,
        grain=grain,
        began_at=began,
        settled_to=instant(to),
        state=detector.to_state(),
    )
