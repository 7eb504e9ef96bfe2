"""Unusual spend in the browser: what was found, one finding, the card of the Overview, CSV."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import fetched
from budgets.access.roles import may
from budgets.alerts.trigger import page
from budgets.models import AuditEntry, Organisation, StoppedRun, Workflow
from budgets.pages.amounts import whole
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from budgets.pages.moments import clock, moment, weekday
from budgets.pages.named import team_choices
from budgets.people.names import shown_name
from reports.models import Finding
from reports.unusual.acting import CHANGE_WORKFLOW
from reports.unusual.drawing import Drawing, draw
from reports.unusual.handling import HANDLE, OBJECT_TYPE
from reports.unusual.listing import KINDS, STATES, begins_on, chosen, open_first, rows_of
from reports.unusual.reaching import findings_for
from reports.unusual.scopes import epoch, instant
from reports.unusual.switches import RunSwitch, switches_of
from reports.unusual.wording import DAY, by_what, title
from routing.alerts.reaching import CHANGE as CHANGE_RULE

PER_PAGE = 50
ON_CARD = 3
SWITCHES = 50
HEADER = [
    "id", "title", "kind", "dimension", "name", "about", "team", "since", "until", "ended_at", "found_at", "state",
    "owner", "spent", "usual", "above_usual", "currency", "stood_out", "likely_cause", "planned", "done_about_it",
]  # fmt: skip


@require_safe
@never_cache
@in_reach
def finding_list(request: HttpRequest) -> HttpResponseBase:
    """`/unusual/`: what is to be checked first; filters `state`, `kind`, `team`, `q`, `own`."""
    organisation, now = Organisation.get(), timezone.now()
    wanted = chosen(request.GET.dict(), request.user)
    theirs = findings_for(request.user)
    paginator = Paginator(open_first(wanted.of(theirs, request.user)), PER_PAGE)
    found = paginator.get_page(request.GET.get("page"))
    rows = rows_of(list(found.object_list), request.user, organisation, now)  # type: ignore[arg-type]
    groups = [(key, words, [row for row in rows if row.finding.state == key]) for key, words in STATES.items()]
    return render(
        request,
        "unusual/list.html",
        {
            "here": "unusual",
            "chosen": wanted,
            "page": found,
            "groups": [group for group in groups if group[2]],
            "nothing_yet": wanted.is_any and not paginator.count,
            "begins": begins_on(organisation.zone, now),
            "states": STATES.items(),
            "kinds": KINDS.items(),
            "teams": team_choices("All teams", request.user),
            "may_make_rules": may(request.user, CHANGE_RULE),
        },
    )


@require_safe
@never_cache
@in_reach
def findings_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/unusual.csv`: the list's filter, every row."""
    wanted = chosen(request.GET.dict(), request.user)
    rows = open_first(wanted.of(findings_for(request.user), request.user))
    return csv_response("unusual-spend", HEADER, (_line(row) for row in rows.iterator(chunk_size=500)))


def _line(row: Finding) -> list[Any]:
    return [
        row.pk,
        title(row),
        row.kind,
        row.dimension,
        row.name,
        row.subject,
        row.team.slug if row.team else "",
        row.since.isoformat(),
        row.until.isoformat(),
        row.ended_at.isoformat() if row.ended_at else "",
        row.found_at.isoformat(),
        row.state,
        row.owner.username if row.owner else "",
        exact(row.actual),
        "" if row.expected is None else exact(row.expected),
        "" if row.amount is None else exact(row.amount),
        currency_code(),
        " ".join(row.measures),
        row.cause,
        row.planned,
        "" if row.acted_undone else row.acted,
    ]


@require_safe
@never_cache
@in_reach
def card(request: HttpRequest) -> HttpResponseBase:
    """`/unusual/card/`: the newest that somebody should look at, for the Overview."""
    organisation, now = Organisation.get(), timezone.now()
    rows = findings_for(request.user).filter(state__in=[Finding.State.OPEN, Finding.State.CHECKING])
    rows = rows.filter(Q(amount=None) | Q(amount__gt=0))  # calls may have been taken back since
    newest = list(open_first(rows)[: ON_CARD + 1])
    context = {
        "rows": rows_of(newest[:ON_CARD], request.user, organisation, now),  # type: ignore[arg-type]
        "more": len(newest) > ON_CARD,
        "begins": begins_on(organisation.zone, now),
    }
    return render(request, "unusual/card.html", context)


@require_safe
@never_cache
@in_reach
def detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/unusual/<id>/`: what was spent against what is usual, why, what is behind it, and what was done with it."""
    return detail_of(request, fetched(findings_for(request.user), request.user, pk=pk))


def detail_of(request: HttpRequest, finding: Finding, problem: str = "", status: int = 200) -> HttpResponse:
    """The page of one finding. `problem` is a sentence about what was not done."""
    organisation, now = Organisation.get(), timezone.now()
    history = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(finding.pk)).select_related("who")
    row = rows_of([finding], request.user, organisation, now)[0]  # type: ignore[arg-type]
    workflow = (finding.workflow.merged_into or finding.workflow) if finding.workflow else None
    may_change = workflow is not None and may(request.user, CHANGE_WORKFLOW, workflow)
    can_undo = finding.can_be_taken_back and workflow is not None
    return render(
        request,
        "unusual/detail.html",
        {
            "here": "unusual",
            "row": row,
            "finding": finding,
            "workflow": workflow,
            "drawing": drawing_of(finding, organisation),
            "points": _points(finding, organisation),
            "grain": by_what(finding),
            "links": links(finding, workflow, organisation),
            "may_take_back": can_undo and may_change,
            "can_take_back": can_undo,
            "switches": _switches(finding, workflow, organisation, now),
            "may_switch": may_change,
            "may_make_rules": may(request.user, CHANGE_RULE),
            "people": owners() if row.may_handle else [],
            "history": [_told(entry, organisation, now) for entry in history.order_by("pk")],
            "problem": problem,
        },
        status=status,
    )


def _switches(
    finding: Finding, workflow: Workflow | None, organisation: Organisation, now: datetime
) -> list[RunSwitch]:
    """Of the runs that it comes from, or came from, those that were stopped, and while it goes on those that can be."""
    if workflow is None:
        return []
    before = StoppedRun.objects.filter(finding=finding.pk).values_list("run_id", flat=True)[:SWITCHES]
    found = switches_of(workflow, list(dict.fromkeys([*finding.runs, *before])), organisation, now, finding.pk)
    return [one for one in found if one.said or finding.ended_at is None]


def owners() -> list[tuple[str, str]]:
    """(user name, name) of everybody who may sign in. One statement."""
    people = User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")[:300]
    return [(one.username, shown_name(one)) for one in people]


def _told(entry: AuditEntry, organisation: Organisation, now: datetime) -> dict[str, str]:
    return {
        "who": shown_name(entry.who) if entry.who else entry.who_text,
        "act": entry.act,
        "when": moment(organisation.local(entry.at), organisation.local(now)),
        "from": entry.get_origin_display(),
        "reason": entry.reason,
    }


def label(organisation: Organisation, grain: int, at: int) -> str:
    """ "Wed 18 Nov, 13:00"; "Wed 18 Nov" of days."""
    local = organisation.local(instant(at))
    return weekday(local.date()) if grain >= DAY else f"{weekday(local.date())}, {clock(local)}"


def drawing_of(finding: Finding, organisation: Organisation) -> Drawing | None:
    """The chart; None where there is nothing to draw."""
    if not finding.points:
        return None
    return draw(
        finding.points,
        epoch(finding.since),
        lambda at: label(organisation, finding.grain, at),
        whole,
    )


def _points(finding: Finding, organisation: Organisation) -> list[dict[str, Any]]:
    """The grains of the finding alone, for the table, whose sums are its figures."""
    since = epoch(finding.since)
    return [
        {
            "when": label(organisation, finding.grain, at),
            "at": instant(at),
            "actual": actual,
            "expected": expected,
            "low": low,
            "high": high,
            "above": None if expected is None else actual - expected,
        }
        for at, actual, expected, low, high in finding.points
        if at >= since
    ]


@require_safe
@never_cache
@in_reach
def points_csv(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/export/unusual/<id>.csv`: the table of one finding."""
    finding = fetched(findings_for(request.user), request.user, pk=pk)

    def money(nano: int | None) -> str:
        return "" if nano is None else exact(nano)

    return csv_response(
        f"unusual-spend-{pk}",
        ["from", "spent", "usual", "usual_from", "usual_to", "above_usual", "currency"],
        (
            [
                one["at"].isoformat(), exact(one["actual"]), money(one["expected"]), money(one["low"]),
                money(one["high"]), money(one["above"]), currency_code(),
            ]
            for one in _points(finding, Organisation.get())
        ),
    )  # fmt: skip


def links(finding: Finding, workflow: Workflow | None, organisation: Organisation) -> list[tuple[str, str]]:
    """(words, address) of what is behind it: its days in the explorer, its calls, its run; what there is of these."""
    first, last = organisation.local(finding.since).date(), organisation.local(finding.until).date()
    asked: dict[str, str] = {"period": "custom", "from": first.isoformat(), "to": last.isoformat()}
    asked[finding.dimension] = workflow.slug if workflow else finding.key
    query = urlencode(asked)
    found = [
        ("Spend of these days", f"{url}?{query}" if (url := page("spend")) else ""),
        ("Runs of these days", f"{url}?{query}" if (url := page("spend-runs")) else ""),
        ("Calls of these days", f"{url}?{query}" if (url := page("spend-calls")) else ""),
    ]
    if workflow is not None:
        if finding.kind in {Finding.Kind.LOOP, Finding.Kind.CONTEXT}:
            found.insert(0, ("This run, step by step", page("spend-run", workflow.slug, finding.subject)))
        found.append(("The workflow", page("workflow", workflow.slug)))
    return [one for one in found if one[1]]


def reached(request: HttpRequest, pk: int, permission: str = HANDLE) -> Finding:
    """One that the person may handle: 404 out of reach, 403 without the right."""
    return fetched(findings_for(request.user), request.user, permission, pk=pk)
