"""What need not be told: shapes that somebody said were expected, and what the calendar plans.

A lesson is a finding that somebody called expected. It quiets the same scope at the same hours of the week, an hour
before and after included, up to 1.3 times the peak that it had.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from budgets.activities.expand import Occurrence, occurrences
from budgets.limits.calendar import day_of
from budgets.models import PlannedActivity
from reports.models import Finding
from reports.unusual.judging import Graded, Quiet, Span, excess, point_of
from reports.unusual.scopes import WORKFLOW, Scope, epoch, instant

ROOM = 1.3  # times the peak, or the planned factor, that is still expected
SLACK = 3600
WEEK = 7 * 86_400
MORE = PlannedActivity.Expects.MORE


@dataclass(frozen=True, slots=True)
class Lesson:
    """Wall-clock seconds of a week (from Monday midnight of the organisation's zone), and peaks as in `Finding`."""

    since: int
    length: int
    peaks: dict[str, float]

    def covers(self, when: datetime, zone: ZoneInfo) -> bool:
        return (wall_second(when, zone) - self.since) % WEEK < self.length


def wall_second(when: datetime, zone: ZoneInfo) -> int:
    """The second of the week that clocks show."""
    local = when.astimezone(zone)
    return ((local.weekday() * 24 + local.hour) * 60 + local.minute) * 60 + local.second


def lesson_of(finding: Finding, zone: ZoneInfo) -> Lesson:
    length = int((finding.until - finding.since).total_seconds()) + 2 * SLACK
    return Lesson((wall_second(finding.since, zone) - SLACK) % WEEK, min(length, WEEK), finding.peaks)


class Expectations:
    """All lessons, and the planned activity of some days; read once for a look. Three statements."""

    def __init__(self, starts: datetime, stops: datetime, zone: ZoneInfo) -> None:
        self.zone = zone
        self.lessons: dict[tuple[str, str], list[Lesson]] = {}
        for finding in Finding.objects.filter(taught=True, kind=Finding.Kind.USUAL):
            self.lessons.setdefault((finding.dimension, finding.key), []).append(lesson_of(finding, zone))
        # (grain, epoch second) → workflow → its team and nano-dollars above usual that need not be told
        self.quieted: dict[tuple[int, int], dict[str, tuple[int | None, int]]] = {}
        planned = occurrences(day_of(starts - timedelta(days=1), zone), day_of(stops, zone))
        self.planned = [one for one in planned if one.activity.expects == MORE]

    def quiet(self, scope: Scope, grain: int) -> Quiet:
        lessons = self.lessons.get((scope.dimension, scope.key), [])
        planned = [one for one in self.planned if concerns(one.activity, scope)]

        def said(one: Graded, measure: str) -> str | None:
            when = instant(one.at)
            if any(_taught(lesson, one, measure, grain) for lesson in lessons if lesson.covers(when, self.zone)):
                if scope.dimension == WORKFLOW:
                    self.quieted.setdefault((grain, one.at), {})[scope.key] = (scope.team_id, excess([point_of(one)]))
                return ""
            return next((o.activity.name for o in planned if _fits(o, one, measure, grain)), None)

        return said

    def quieted_of(self, scope: Scope, span: Span) -> int:
        """Nano-dollars above usual of workflows of this team (or all, of a model) that somebody had expected."""
        return sum(
            above
            for (grain, at), of in self.quieted.items()
            if grain == span.grain and span.since <= at < span.until
            for team_id, above in of.values()
            if scope.team_id in (None, team_id)
        )


def concerns(activity: PlannedActivity, scope: Scope) -> bool:
    """One for nobody in particular concerns everybody; one of a team or workflow what is theirs."""
    if activity.workflow is not None:
        counted = activity.workflow.merged_into_id or activity.workflow_id
        return scope.dimension == WORKFLOW and scope.workflow_id == counted
    return activity.team_id is None or activity.team_id == scope.team_id


def _taught(lesson: Lesson, one: Graded, measure: str, grain: int) -> bool:
    value, peak = one.values.get(measure), lesson.peaks.get(f"{measure}:{grain}")
    return value is not None and peak is not None and value <= peak * ROOM


def _fits(planned: Occurrence, one: Graded, measure: str, grain: int) -> bool:
    if not (epoch(planned.starts_at) < one.at + grain and one.at < epoch(planned.ends_at)):
        return False
    factor: Decimal | None = planned.activity.factor
    value, seen = one.values.get(measure), one.seen.get(measure)
    if factor is None or value is None or seen is None or not seen.expected:
        return True
    return value <= max(seen.expected, seen.high or 0.0) * float(factor) * ROOM
