"""Whose spend a rule watches, and over which stretch of time: its options, in words, and as SQL reads them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from budgets.alerts.trigger import Field, InvalidOptions, Kind, cleaned, page
from budgets.limits.calendar import DAY, day_of, day_starts_at, period_bounds
from budgets.models import AlertRule, Team, Workflow
from budgets.pages.moments import MONTHS, clock, day, weekday
from usage.models import WideDay

HOUR = timedelta(hours=1)
COMPANY = ""
CORE = {"workflow", "team", "model", "provider", "environment"}
DIMENSIONS = (
    (COMPANY, "The whole company"),
    ("workflow", "A workflow"),
    ("team", "A team"),
    ("model", "A model"),
    ("provider", "A provider"),
    ("environment", "An environment"),
    *((one, f"{'An' if one[0] in 'aeiou' else 'A'} {one}") for one in WideDay.DIMENSIONS),
)
EACH = {"hour": "an hour", "day": "a day", "week": "a week", "month": "a month"}
OF = Field("dimension", "Whose spend", Kind.CHOICE, COMPANY, required=False, choices=DIMENSIONS)
VALUE = Field(
    "value",
    "Which one",
    Kind.TEXT,
    "",
    required=False,
    help="A workflow's or team's short name, a model's name, a tag as name=value; empty to watch each of them.",
)


@dataclass(frozen=True, slots=True)
class Span:
    """One window of time; `label` names it in causes: "2026-11-22", or "2026-11-22T14" in UTC for an hour."""

    window: str
    label: str
    starts_at: datetime
    ends_at: datetime

    def in_words(self, zone: ZoneInfo) -> str:
        """ "on Sun 22 Nov", "between 14:00 and 15:00 on 22 Nov", "in the week from 16 Nov", "in Nov 2026"."""
        starts, ends = self.starts_at.astimezone(zone), self.ends_at.astimezone(zone)
        if self.window == "hour":
            return f"between {clock(starts)} and {clock(ends)} on {day(starts.date())}"
        first = day_of(self.starts_at, zone)
        if self.window == "day":
            return f"on {weekday(first)}"
        return (
            f"in the week from {day(first)}" if self.window == "week" else f"in {MONTHS[first.month - 1]} {first.year}"
        )


def span_at(window: str, when: datetime, zone: ZoneInfo) -> Span:
    """The window that `when` (aware) lies in; days, weeks and months are the organisation's, hours those of UTC."""
    if window == "hour":
        starts = when.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return Span(window, f"{starts:%Y-%m-%dT%H}", starts, starts + HOUR)
    period = period_bounds(window, day_of(when, zone), zone)
    return Span(window, period.first.isoformat(), period.starts_at, period.ends_at)


def span_of(window: str, local: datetime, zone: ZoneInfo) -> Span:
    """The window that begins at `local` as SQL truncates it: a naive time of the organisation's zone, UTC for hours."""
    if window == "hour":
        return span_at(window, local.replace(tzinfo=UTC), zone)
    return span_at(window, day_starts_at(local.date(), zone), zone)


NOT_THERE = {
    "workflow": "There is no workflow “{}” that counts by itself. Choose another.",
    "team": "There is no team “{}”. Choose another.",
}


def cleaned_scope(fields: Iterable[Field], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of which some are OF, VALUE and a window. Raises InvalidOptions."""
    found, problems = cleaned(fields, options), {}
    dimension, value = found["dimension"], found["value"]
    if value and dimension == COMPANY:
        problems["value"] = "The whole company has no name to choose. Leave this empty, or choose what it names."
    elif value and dimension == "workflow" and not Workflow.objects.filter(slug=value, merged_into=None).exists():
        problems["value"] = NOT_THERE["workflow"].format(value)
    elif value and dimension == "team" and not Team.objects.filter(slug=value).exists():
        problems["value"] = NOT_THERE["team"].format(value)
    if found["window"] == "hour" and dimension not in CORE and dimension != COMPANY:
        problems["window"] = f"Spend by {dimension} is summed by day. Choose a day or longer."
    if problems:
        raise InvalidOptions(problems)
    return found


def scope_in_words(options: Mapping[str, Any], team: str = "") -> str:
    """ "the workflow newsletter", "any workflow of Growth", "the whole company", "Growth"."""
    dimension, value = options.get("dimension", COMPANY), options.get("value", "")
    of_team = f" of {team}" if team else ""
    if dimension == COMPANY:
        return f"the team {team}" if team else "the whole company"
    return f"the {dimension} {value}{of_team}" if value else f"any {dimension}{of_team}"


@dataclass(frozen=True, slots=True)
class Names:
    """What people call the keys that SQL found; whose they are; and the page of each."""

    dimension: str
    names: Mapping[str, str]
    teams: Mapping[str, int]
    slugs: Mapping[str, str]

    def called(self, key: str) -> str:
        """ "The workflow Newsletter"; "The company"."""
        if self.dimension == COMPANY:
            return "The company"
        return f"The {self.dimension} {self.names.get(key, key)}"

    def path(self, key: str) -> str:
        if self.dimension == "workflow":
            return page("workflow", self.slugs.get(key, ""))
        return page("team", key) if self.dimension == "team" else page("overview")


def names_for(dimension: str, keys: Iterable[str]) -> Names:
    """Of workflows the keys are ids, of teams slugs, else the values themselves. One statement at most."""
    wanted = set(keys)
    if dimension == "workflow":
        rows = Workflow.objects.filter(pk__in=[int(one) for one in wanted]).values_list("pk", "name", "slug", "team_id")
        found = {str(pk): (name, slug, team) for pk, name, slug, team in rows}
        return Names(
            dimension,
            {key: name for key, (name, _, _) in found.items()},
            {key: team for key, (_, _, team) in found.items() if team},
            {key: slug for key, (_, slug, _) in found.items()},
        )
    if dimension == "team":
        teams = list(Team.objects.filter(slug__in=wanted).values_list("slug", "name", "pk"))
        return Names(dimension, {slug: name for slug, name, _ in teams}, {slug: pk for slug, _, pk in teams}, {})
    return Names(dimension, {}, {}, {})


def workflow_ids_of(rule: AlertRule) -> list[int] | None:
    """The workflows of the rule's team, with what was merged into them; None: all, it has no team."""
    if rule.team_id is None:
        return None
    own = Workflow.objects.filter(team_id=rule.team_id, merged_into=None)
    merged = Workflow.objects.filter(merged_into__team_id=rule.team_id)
    return [*own.values_list("pk", flat=True), *merged.values_list("pk", flat=True)]


def days_between(starts: datetime, stops: datetime, zone: ZoneInfo) -> tuple[Any, Any]:
    """The first and last day, both included, of the instants from `starts` up to, not including, `stops`."""
    last = day_of(stops, zone)
    return day_of(starts, zone), last - DAY if day_starts_at(last, zone) == stops else last
