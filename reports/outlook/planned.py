"""What the calendar changes of the days ahead: what is planned once, and by how much use will differ.

Only what somebody put a factor on, or "no use at all". What repeats is in the past already, and learnt from there. An
activity of a workflow or team changes that one, and by the same amount those that it counts in.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import prod
from zoneinfo import ZoneInfo

from django.db.models import Q

from budgets.activities.expand import Occurrence, occurrences
from budgets.limits.calendar import DAY, day_starts_at
from budgets.models import PlannedActivity, Workflow
from reports.models import Outlook

Kind = Outlook.Kind
Subject = tuple[str, str]
Factors = Mapping[int, float]  # days from today → times the usual use
HORIZON = 100  # days ahead that the calendar is read


@dataclass(frozen=True)
class Planned:
    """Factors of everybody, of teams and of workflows; `team_of` says which team a workflow is in."""

    everybody: Factors
    teams: Mapping[str, Factors]
    workflows: Mapping[str, Factors]
    team_of: Mapping[str, str]

    def factors(self, subject: Subject, days: int) -> list[float]:
        """How many times the usual each day is, for the subject as a whole."""
        kind, key = subject
        parts = [self.everybody]
        if kind == Kind.TEAM:
            parts.append(self.teams.get(key, {}))
        elif kind == Kind.WORKFLOW:
            parts += [self.teams.get(self.team_of.get(key, ""), {}), self.workflows.get(key, {})]
        return [prod(part.get(day, 1.0) for part in parts) for day in range(days)]

    def more(self, subject: Subject, days: int, usual: Callable[[Subject], Sequence[float]]) -> list[float]:
        """What activities of parts add to each day of a whole; `usual` says what a part uses without them."""
        kind, key = subject
        found = [0.0] * days
        if kind == Kind.WORKFLOW:
            return found
        for slug in self.workflows:
            if kind == Kind.ORGANISATION or self.team_of.get(slug, "") == key:
                self._add(found, (Kind.WORKFLOW, slug), self.workflows[slug], usual)
        if kind == Kind.ORGANISATION:
            for slug in self.teams:
                self._add(found, (Kind.TEAM, slug), self.teams[slug], usual)
        return found

    def _add(self, to: list[float], part: Subject, own: Factors, usual: Callable[[Subject], Sequence[float]]) -> None:
        whole = self.factors(part, len(to))
        for day, used in enumerate(usual(part)[: len(to)]):
            factor = own.get(day, 1.0)
            if factor != 1.0:  # what its surroundings change is in their own factors
                around = (
                    whole[day] / factor
                    if factor
                    else prod(one.get(day, 1.0) for one in (self.everybody, self._team_factors(part)))
                )
                to[day] += used * around * (factor - 1.0)

    def _team_factors(self, part: Subject) -> Factors:
        return self.teams.get(self.team_of.get(part[1], ""), {}) if part[0] == Kind.WORKFLOW else {}


def read_planned(today: date, zone: ZoneInfo) -> Planned:
    """Three statements."""
    everybody: dict[int, float] = {}
    teams: dict[str, dict[int, float]] = defaultdict(dict)
    workflows: dict[str, dict[int, float]] = defaultdict(dict)
    for one in occurrences(today, today + HORIZON * DAY):
        activity = one.activity
        factor = _factor(activity)
        if factor is None or activity.recurrence:
            continue
        if activity.workflow is not None:
            to = workflows[activity.workflow.slug]
        else:
            to = teams[activity.team.slug] if activity.team is not None else everybody
        for day, share in _days(one, today, zone):
            to[day] = to.get(day, 1.0) * (1.0 + (factor - 1.0) * share)
    rows = Workflow.objects.filter(Q(slug__in=workflows) | Q(team__slug__in=teams)).values_list("slug", "team__slug")
    return Planned(everybody, teams, workflows, {slug: team or "" for slug, team in rows})


def _factor(activity: PlannedActivity) -> float | None:
    """None where nobody knows by how much."""
    if activity.expects == PlannedActivity.Expects.NONE:
        return 0.0
    if activity.expects == PlannedActivity.Expects.SAME or activity.factor is None:
        return None
    return float(activity.factor)


def _days(one: Occurrence, today: date, zone: ZoneInfo) -> list[tuple[int, float]]:
    """The days from today that it touches, each with the share of it that is covered."""
    found, day = [], max(one.first, today)
    while day <= one.last:
        starts, stops = day_starts_at(day, zone), day_starts_at(day + DAY, zone)
        covered = min(one.ends_at, stops) - max(one.starts_at, starts)
        if covered > timedelta(0) and stops > starts:
            found.append(((day - today).days, covered / (stops - starts)))
        day += DAY
    return found
