"""A source that used to send is silent; hours of planned silence do not count."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from budgets.activities.expand import between, occurrences_of
from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import Declared, Field, InvalidOptions, Kind, cleaned, page
from budgets.limits.calendar import day_of
from budgets.models import Alert, AlertRule, ApiKey, Organisation, PlannedActivity, Source
from budgets.pages.moments import moment
from usage.models import SourceHour

HOUR = timedelta(hours=1)
LONGEST_AGO = timedelta(days=60)  # planned silence of at most so long can put off that somebody is told
MOST = 2_000
# When each source was last heard of, where that is long enough ago.
NEWEST = """
SELECT source.id, last_at, %(until)s FROM unnest(%(ids)s::bigint[]) AS source (id)
CROSS JOIN LATERAL (
    SELECT last_at FROM usage_sourcehour
    WHERE source_id = source.id AND hour >= %(earliest)s AND hour <= %(until)s ORDER BY hour DESC LIMIT 1
) AS newest WHERE last_at <= %(until)s - %(silence)s::interval ORDER BY source.id LIMIT %(most)s
"""
# Every pause that was long enough: from when a source was last heard of until the quarter hour of its next event.
GAPS = """
SELECT source_id, last_at, next FROM (
    SELECT source_id, last_at,
        coalesce(lead(hour) OVER (PARTITION BY source_id ORDER BY hour), %(until)s) AS next
    FROM usage_sourcehour WHERE source_id = ANY(%(ids)s) AND hour >= %(earliest)s AND hour <= %(until)s
) AS heard WHERE last_at <= next - %(silence)s::interval ORDER BY last_at DESC, source_id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A stretch in which nothing is expected; of one team, or of everybody."""

    starts_at: datetime
    ends_at: datetime
    team_id: int | None


class SilentSource(Declared):
    """Options: `hours`, the slug of one `source` or "".

    A source has to have a key in force that sends usage. A team's planned silence counts for sources whose keys are
    that team's only; one that is planned for a workflow counts for none, since sources send for many.
    """

    key = "silent_source"
    words = "A source stops sending"
    every = timedelta(seconds=60)
    fields = (
        Field("source", "Which source", Kind.TEXT, "", required=False, help="Its short name; empty for all of them."),
        Field("hours", "Silent for", Kind.WHOLE, 24, most=24 * 30, unit="hours"),
    )

    def clean(self, options: Mapping[str, Any]) -> dict[str, Any]:
        found = cleaned(self.fields, options)
        if found["source"] and not Source.objects.filter(slug=found["source"]).exists():
            raise InvalidOptions({"source": f"There is no source “{found['source']}”. Choose another."})
        return found

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        which = f"the source {options['source']}" if options["source"] else "a source"
        hours = "an hour" if options["hours"] == 1 else f"{options['hours']} hours"
        of = f" of {team}" if team else ""
        return f"Tell me when {which}{of} has been silent for {hours}, planned silence left out."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        return self._found(rule, rule.since, now, NEWEST)

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """From quarter hours: a source counts as sending again from the quarter hour of its next event on."""
        return self._found(rule, since, until, GAPS)

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """It sends again, or no key of it can send any more."""
        by_id = {alert.facts["subject"]["source"]: alert for alert in alerts if "source" in alert.facts["subject"]}
        organisation = Organisation.get()
        keys = _keys(by_id)
        found = []
        for source in Source.objects.filter(pk__in=by_id):
            alert = by_id[source.pk]
            since = datetime.fromisoformat(alert.facts["subject"]["last_at"])
            later = SourceHour.objects.filter(
                source_id=source.pk, hour__gt=since - HOUR, last_at__gt=since, last_at__lte=now
            )
            again = later.order_by("hour").values_list("last_at", flat=True).first()
            if again is not None:
                when = moment(organisation.local(again), organisation.local(now))
                found.append(Over(alert.cause, f"{source.name} sends again, since {when}."))
            elif not any(_in_force(key, now) for key in keys[source.pk]):
                found.append(Over(alert.cause, f"{source.name} has no key any more, so nothing is expected of it."))
        return found

    def _found(self, rule: AlertRule, since: datetime, until: datetime, gaps: str) -> list[Finding]:
        silence = rule.options["hours"] * HOUR
        named = {row.pk: row for row in Source.objects.filter(**_named(rule.options["source"]))}
        earliest = since - silence - LONGEST_AGO
        with connection.cursor() as cursor:
            cursor.execute(
                gaps, {"ids": list(named), "earliest": earliest, "until": until, "silence": silence, "most": MOST}
            )
            rows = cursor.fetchall()
        keys, quiet = _keys({source for source, *_ in rows}), _planned(earliest, until) if rows else []
        found = []
        for source, last, ends in rows:
            team = _only_team(keys[source])
            silent_at = _silent_at(last, silence, [one for one in quiet if one.team_id in (None, team)])
            sends = any(_in_force(key, silent_at) for key in keys[source])
            if sends and since <= silent_at <= ends and rule.team_id in (None, team):
                found.append(_finding(named[source], team, last, silent_at, rule.options["hours"]))
        return found


def _named(slug: str) -> dict[str, str]:
    return {"slug": slug} if slug else {}


def _silent_at(last: datetime, silence: timedelta, quiet: Iterable[Quiet]) -> datetime:
    """When it has been silent for so long, leaving out what was planned to be quiet."""
    at, left = last, silence
    for one in sorted(quiet, key=lambda one: one.starts_at):
        if one.ends_at <= at:
            continue
        if one.starts_at > at + left:
            break
        left -= max(one.starts_at - at, timedelta())
        at = one.ends_at
    return at + left


def _planned(starts: datetime, stops: datetime) -> list[Quiet]:
    """When no use at all is expected, of everybody or of a team."""
    zone = Organisation.get().zone
    first, last = day_of(starts, zone), day_of(stops, zone)
    rows = between(first, last, zone).filter(
        Q(expects=PlannedActivity.Expects.NONE) | Q(kind=PlannedActivity.Kind.PAUSE), workflow=None
    )
    return [
        Quiet(one.starts_at, one.ends_at, row.team_id) for row in rows for one in occurrences_of(row, first, last, zone)
    ]


def _keys(sources: Iterable[int]) -> dict[int, list[ApiKey]]:
    found: dict[int, list[ApiKey]] = defaultdict(list)
    rows = ApiKey.objects.filter(
        Q(source__in=list(sources)) | Q(sources__in=list(sources)), scopes__contains=[ApiKey.Scope.INGEST]
    )
    for key in rows.distinct().prefetch_related("teams", "sources"):
        for pk in {key.source_id, *(one.pk for one in key.sources.all())}:
            found[pk].append(key)
    return found


def _in_force(key: ApiKey, when: datetime) -> bool:
    return (key.expires_at is None or key.expires_at > when) and (key.revoked_at is None or key.revoked_at > when)


def _only_team(keys: Sequence[ApiKey]) -> int | None:
    """The team that all of these keys are limited to."""
    teams = {tuple(sorted(team.pk for team in key.teams.all())) for key in keys}
    return next(iter(teams))[0] if len(teams) == 1 and len(next(iter(teams))) == 1 else None


def _finding(source: Source, team_id: int | None, last: datetime, silent_at: datetime, hours: int) -> Finding:
    organisation = Organisation.get()
    return Finding(
        cause=cause_of("silent", source.pk, last.isoformat(), hours),
        title=f"{hours} {'hour' if hours == 1 else 'hours'} of silence: {source.name} has sent nothing.",
        happened_at=silent_at,
        path=page("source", source.slug),
        team_id=team_id,
        facts={"Source": source.name, "Last heard of": moment(organisation.local(last), organisation.local(silent_at))},
        subject={"source": source.pk, "last_at": last.isoformat()},
    )
