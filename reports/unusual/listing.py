"""Findings as the page lists them: which are asked for, in which order, each in words; and when detection begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Case, IntegerField, Min, Q, QuerySet, Value, When

from budgets.access.reachable import reachable, teams_of
from budgets.access.roles import reach
from budgets.audit.newest import newest_entry
from budgets.limits.calendar import day_of
from budgets.models import AuditEntry, Organisation, Team
from budgets.pages.moments import moment
from budgets.people.names import shown_name
from reports.models import Finding, WatchedSeries
from reports.unusual.handling import HANDLE, OBJECT_TYPE, UNDOABLE
from reports.unusual.measures import MONEY, QUARTER
from reports.unusual.watch import LEARNING
from reports.unusual.wording import measured, title, when
from routing.alerts.listing import is_number

STATES: Mapping[str, str] = dict(Finding.State.choices)
KINDS: Mapping[str, str] = dict(Finding.Kind.choices)
MOST_LETTERS = 100
FILTERS = {"state", "kind", "team", "q", "own", "page"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the query string asks for; `note` says what of it was ignored."""

    state: str = ""
    kind: str = ""
    team: str = ""
    query: str = ""
    own: bool = False
    note: str = ""

    @property
    def is_any(self) -> bool:
        return not (self.state or self.kind or self.team or self.query or self.own)

    def of(self, rows: QuerySet[Finding], user: Any) -> QuerySet[Finding]:
        if self.state:
            rows = rows.filter(state=self.state)
        if self.kind:
            rows = rows.filter(kind=self.kind)
        if self.team:
            of_workflow = Q(workflow__merged_into=None, workflow__team__slug=self.team)
            merged = Q(workflow__merged_into__team__slug=self.team)
            rows = rows.filter(of_workflow | merged | Q(workflow=None, team__slug=self.team))
        if self.own:
            rows = rows.filter(owner=user)
        if self.query:
            rows = rows.filter(Q(name__icontains=self.query) | Q(cause__icontains=self.query) | Q(subject=self.query))
        return rows


def chosen(given: Mapping[str, str], user: Any) -> Chosen:
    """Understand the query string; what makes no sense is ignored with a note, as is a team out of sight."""
    ignored = []
    state, kind = given.get("state", ""), given.get("kind", "")
    team = given.get("team", "").replace("\0", "")[:128]
    if state and state not in STATES:
        ignored.append(f"“{state[:20]}” is no state of unusual spend")
        state = ""
    if kind and kind not in KINDS:
        ignored.append(f"“{kind[:20]}” is no kind of unusual spend")
        kind = ""
    if team and not reachable(Team, user).filter(slug=team).exists():
        ignored.append(f"there is no team “{team[:20]}”")
        team = ""
    if (page := given.get("page", "")) and not is_number(page):
        ignored.append(f"“{page[:20]}” is no page")
    ignored += [f"this page has no filter “{name[:40]}”" for name in sorted(set(given) - FILTERS)[:5]]
    note = "; ".join(ignored).replace("\0", "")
    return Chosen(
        state,
        kind,
        team,
        given.get("q", "").replace("\0", "").strip()[:MOST_LETTERS],
        given.get("own") == "1",
        f"{note[:1].upper()}{note[1:]}. It was ignored." if note else "",
    )


def open_first(rows: QuerySet[Finding]) -> QuerySet[Finding]:
    """In the order of STATES, in each the newest first."""
    places = [When(state=state, then=Value(place)) for place, state in enumerate(STATES)]
    return rows.annotate(place=Case(*places, output_field=IntegerField())).order_by("place", "-found_at", "-pk")


@dataclass(frozen=True, slots=True)
class Row:
    """A finding for a template; moments in words, in the organisation's time."""

    finding: Finding
    title: str
    when: str
    found: str
    state_words: str
    measured: str
    owner: str
    is_mine: bool
    is_over: bool
    may_handle: bool
    undo: int | None


def rows_of(findings: Sequence[Finding], user: User, organisation: Organisation, now: datetime) -> list[Row]:
    """One statement for what can be undone, whatever their number; `findings_for` reads what else they need."""
    reached, undoable = reach(user, HANDLE), _newest_acts(findings)
    local = organisation.local

    def one(finding: Finding) -> Row:
        may = reached.everything or reached.has(teams_of(finding))
        owner = shown_name(finding.owner) if finding.owner else ""
        return Row(
            finding=finding,
            title=title(finding),
            when=when(finding, organisation),
            found=moment(local(finding.found_at), local(now)),
            state_words=_state(finding, owner),
            measured=measured(finding),
            owner=owner,
            is_mine=finding.owner_id == user.pk,
            is_over=finding.ended_at is not None,
            may_handle=may,
            undo=undoable.get(finding.pk) if may else None,
        )

    return [one(finding) for finding in findings]


def _state(finding: Finding, owner: str) -> str:
    """ "Ana is on it" for what is being checked by somebody."""
    if finding.state == Finding.State.CHECKING and owner:
        return f"{owner} is on it"
    return STATES[finding.state]


def _newest_acts(findings: Sequence[Finding]) -> dict[int, int]:
    """Finding → the row of history that can be taken back: its newest, where that is an act on it."""
    rows = (
        AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id__in=[str(one.pk) for one in findings])
        .order_by("object_id", "-at", "-pk")
        .distinct("object_id")
        .values_list("object_id", "pk", "act")
    )
    return {int(one): pk for one, pk, act in rows if act in UNDOABLE}


def undo_of(finding: Finding) -> int | None:
    """The newest row of its history, where that can be taken back."""
    entry = newest_entry(Finding, finding.pk)
    return entry.pk if entry is not None and entry.act in UNDOABLE else None


def begins_on(zone: Any, now: datetime) -> date | None:
    """The day on which detection begins: after seven whole days of use. None where it has begun; without any use so
    far the day that it would be, if use began today."""
    first = WatchedSeries.objects.filter(measure=MONEY, grain=QUARTER).aggregate(first=Min("began_at"))["first"]
    if first is not None and first + LEARNING <= now:
        return None
    return day_of((first or now) + LEARNING, zone)
