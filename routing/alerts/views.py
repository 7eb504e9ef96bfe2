"""Alerts in the browser: what stands, what somebody sees to, one of them, and handling them."""

import json
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.access.reachable import fetched, reachable
from budgets.access.roles import may
from budgets.alerts import handle
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.models import Alert, AlertRule, AuditEntry, Notice, Organisation
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import changes_in_reach, in_reach
from budgets.pages.moments import moment
from budgets.pages.named import team_choices
from budgets.people.names import shown_name
from routing.alerts.listing import (
    OBJECT_TYPE,
    RELATED,
    STATES,
    chosen,
    is_number,
    open_first,
    rows_of,
    rule_name,
    rules_known,
    state_of,
)
from routing.alerts.reaching import CHANGE, HANDLE
from routing.alerts.times import SNOOZES, until
from routing.alerts.words import rule_sentence

PER_PAGE = 50
MOST_AT_ONCE = 200
handles = changes_in_reach(HANDLE, "alerts")
WAITS_NOW = "Waiting to be sent, in quiet hours until they end"
WAITS = "Waiting for the daily digest"
HEADER = [
    "id", "raised_at", "happened_at", "title", "amount", "currency", "state", "rule", "team", "owner",
    "acknowledged_by", "acknowledged_at", "snoozed_until", "resolved_at", "resolution", "muted", "page",
]  # fmt: skip


@require_safe
@never_cache
@in_reach
def alert_list(request: HttpRequest) -> HttpResponseBase:
    """`/alerts/`: open ones first; filters `state`, `rule`, `team`, `q`, `own`."""
    organisation, now = Organisation.get(), timezone.now()
    wanted = chosen(request.GET.dict(), request.user)
    theirs = reachable(Alert, request.user)
    found = open_first(wanted.of(theirs, request.user, now), now).select_related(*RELATED)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    rows = rows_of(list(page.object_list), request.user, organisation, now)  # type: ignore[arg-type]
    standing = theirs.filter(resolved_at=None, acknowledged_at=None)
    rules = list(reachable(AlertRule, request.user))
    return render(
        request,
        "alerts/list.html",
        {
            "here": "alerts",
            "chosen": wanted,
            "page": page,
            "groups": _grouped(rows),
            "open_count": standing.exclude(snoozed_until__gt=now).count(),
            "nothing_yet": wanted.is_any and not page.paginator.count,
            "states": STATES.items(),
            "rules": rules,
            "reachable_rules": {one.pk for one in rules},
            "teams": team_choices("All teams", request.user),
            "snoozes": SNOOZES.items(),
            "picking": any(row.may_handle and row.state == "open" for row in rows),
            "may_make": may(request.user, CHANGE),
        },
    )


def _grouped(rows: list[Any]) -> list[tuple[str, str, list[Any]]]:
    """(state, in words, rows) of the states that the page has rows of."""
    groups = [(key, words, [row for row in rows if row.state == key]) for key, words in STATES.items()]
    return [group for group in groups if group[2]]


@require_safe
@never_cache
@in_reach
def alerts_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/alerts.csv`: the list's filter, every row."""
    now = timezone.now()
    wanted = chosen(request.GET.dict(), request.user)
    rows = open_first(wanted.of(reachable(Alert, request.user), request.user, now), now).select_related(*RELATED)
    known = rules_known(request.user)
    return csv_response("alerts", HEADER, (_line(row, now, known) for row in rows.iterator(chunk_size=500)))


def _line(row: Alert, now: datetime, known: Collection[int] | None) -> list[Any]:
    def iso(value: datetime | None) -> str:
        return value.isoformat() if value else ""

    return [
        row.pk,
        iso(row.raised_at),
        iso(row.happened_at),
        row.title,
        "" if row.amount is None else exact(row.amount),
        "" if row.amount is None else currency_code(),
        state_of(row, now),
        rule_name(row, known),
        row.team.slug if row.team else "",
        row.owner.username if row.owner else "",
        row.acknowledged_by.username if row.acknowledged_by else "",
        iso(row.acknowledged_at),
        iso(row.snoozed_until),
        iso(row.resolved_at),
        row.resolution,
        "yes" if row.muted else "",
        row.facts.get("path", ""),
    ]


@require_safe
@never_cache
@in_reach
def detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/alerts/<id>/`: what it is about, who was told when, and its history."""
    return _detail(request, _fetched(request, pk))


def _detail(request: HttpRequest, alert: Alert, problem: str = "", status: int = 200) -> HttpResponse:
    organisation, now = Organisation.get(), timezone.now()
    local = organisation.local
    rule = reachable(AlertRule, request.user).filter(pk=alert.rule_id).select_related("team").first()
    history = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(alert.pk)).select_related("who")
    facts = alert.facts.get("facts")
    return render(
        request,
        "alerts/detail.html",
        {
            "here": "alerts",
            "row": rows_of([alert], request.user, organisation, now)[0],  # type: ignore[arg-type]
            "happened": moment(local(alert.happened_at), local(now)),
            "facts": list(facts.items()) if isinstance(facts, dict) else [],
            "path": alert.facts.get("path", ""),
            "rule": rule,
            "sentence": rule_sentence(rule) if rule else "",
            "notices": [_notice(one, local, now) for one in _notices(alert)],
            "may_see_deliveries": may(request.user, "budgets.change_channel"),
            "history": [
                {
                    "who": shown_name(entry.who) if entry.who else entry.who_text,
                    "act": entry.act,
                    "when": moment(local(entry.at), local(now)),
                    "from": entry.get_origin_display(),
                    "reason": entry.reason,
                }
                for entry in history.order_by("pk")
            ],
            "snoozes": SNOOZES.items(),
            "problem": problem,
        },
        status=status,
    )


def _notices(alert: Alert) -> list[Notice]:
    return list(alert.notices.select_related("channel", "delivery").order_by("created_at", "pk"))


def _notice(one: Notice, local: Any, now: datetime) -> dict[str, Any]:
    sent = one.delivery
    when = sent.sent_at if sent and sent.sent_at else one.created_at
    return {
        "channel": one.channel,
        "what": one.get_kind_display(),
        "state": sent.get_state_display() if sent else WAITS_NOW if one.urgent else WAITS,
        "problem": sent.problem if sent else "",
        "when": moment(local(when), local(now)),
    }


def _fetched(request: HttpRequest, pk: int, permission: str = "budgets.view") -> Alert:
    return fetched(reachable(Alert, request.user).select_related(*RELATED), request.user, permission, pk=pk)


Act = Callable[[HttpRequest, Actor, Alert, datetime], str]


def _acknowledge(request: HttpRequest, actor: Actor, alert: Alert, now: datetime) -> str:
    handle.acknowledge(actor, alert, now)
    return "Acknowledged. Others see that you know."


def _own(request: HttpRequest, actor: Actor, alert: Alert, now: datetime) -> str:
    handle.own(actor, alert, actor.user)
    return "It is yours now."


def _disown(request: HttpRequest, actor: Actor, alert: Alert, now: datetime) -> str:
    handle.own(actor, alert, None)
    return "Nobody sees to it now."


def _snooze(request: HttpRequest, actor: Actor, alert: Alert, now: datetime) -> str:
    organisation = Organisation.get()
    when = until(request.POST.get("until", ""), now, organisation.zone)
    if when is None:
        raise handle.InvalidSnooze(f"Choose until when: {', '.join(SNOOZES.values())}.")
    handle.snooze(actor, alert, when, now)
    return f"Snoozed until {moment(organisation.local(when), organisation.local(now))}."


def _unsnooze(request: HttpRequest, actor: Actor, alert: Alert, now: datetime) -> str:
    handle.unsnooze(actor, alert)
    return "No longer snoozed."


ACTS: dict[str, Act] = {
    "acknowledge": _acknowledge, "own": _own, "disown": _disown, "snooze": _snooze, "unsnooze": _unsnooze,
}  # fmt: skip


@require_POST
@never_cache
@handles
def act(request: HttpRequest, pk: int, what: str) -> HttpResponseBase:
    """One of ACTS. A fragment request gets the row as it is after that, else the list or the alert's page."""
    alert, now = _fetched(request, pk, HANDLE), timezone.now()
    status, problem, said = 200, "", ""
    try:
        said = ACTS[what](request, Actor.of_request(request), alert, now)
    except handle.InvalidSnooze as error:
        status, problem = 422, str(error)
    except handle.RefusedHandling as error:
        status, problem = 409, str(error)
    return _answer(request, pk, said, problem, status)


@require_POST
@never_cache
@handles
def undo(request: HttpRequest, pk: int, entry: int) -> HttpResponseBase:
    """Take back what this row of history tells of, where nothing happened since."""
    _fetched(request, pk, HANDLE)
    told = get_object_or_404(AuditEntry, pk=entry, object_type=OBJECT_TYPE, object_id=str(pk))
    try:
        handle.undo_handling(Actor.of_request(request), told)
    except handle.RefusedHandling as error:
        return _answer(request, pk, "", str(error), 409)
    return _answer(request, pk, "Undone. It is as it was before.", "", 200, may_undo=False)


def _answer(
    request: HttpRequest, pk: int, said: str, problem: str, status: int, *, may_undo: bool = True
) -> HttpResponse:
    alert = _fetched(request, pk)
    htmx: Any = getattr(request, "htmx", None)
    if htmx and request.POST.get("row"):
        organisation, now = Organisation.get(), timezone.now()
        context = {
            "row": rows_of([alert], request.user, organisation, now)[0],  # type: ignore[arg-type]
            "problem": problem,
            "focus": True,
            "snoozes": SNOOZES.items(),
            "reachable_rules": {one.pk for one in reachable(AlertRule, request.user).filter(pk=alert.rule_id)},
        }
        answer = render(request, "alerts/row.html", context, status=status)
        if said:
            answer["HX-Trigger"] = json.dumps({"toast": {"text": said}})
        return answer
    if problem and not htmx:
        return _detail(request, alert, problem, status)
    if problem:
        tell_problem(request, problem)
        return go(request, reverse("alert", args=[pk]))
    entry = newest_entry(Alert, pk) if may_undo else None
    tell(request, said, reverse("alert-undo", args=[pk, entry.pk]) if entry else "")
    return go(request, _back(request, pk))


def _back(request: HttpRequest, pk: int) -> str:
    """The list as it was filtered, or the page of the alert."""
    if "back" not in request.POST:
        return reverse("alert", args=[pk])
    given = QueryDict(request.POST["back"][:1000]).urlencode()
    return reverse("alerts") + (f"?{given}" if given else "")


@require_POST
@never_cache
@handles
def acknowledge_several(request: HttpRequest) -> HttpResponseBase:
    """Acknowledge the chosen ones (`pick`, 200 at most) in one act, which the toast offers to undo."""
    ids = [int(one) for one in request.POST.getlist("pick")[:MOST_AT_ONCE] if is_number(one)]
    actor, now = Actor.of_request(request).in_one_act(), timezone.now()
    rows = reachable(Alert, request.user, HANDLE).filter(pk__in=ids, acknowledged_at=None).order_by("pk")
    done = [handle.acknowledge(actor, row, now) for row in rows]
    if not done:
        tell_problem(request, "Nothing was changed. Choose alerts that nobody has acknowledged yet.")
    else:
        count = f"{len(done)} alert{'' if len(done) == 1 else 's'}"
        tell(request, f"{count} acknowledged.", reverse("alerts-undo", args=[actor.together]))
    back = QueryDict(request.POST.get("back", "")[:1000]).urlencode()
    return go(request, reverse("alerts") + (f"?{back}" if back else ""))


@require_POST
@never_cache
@handles
def undo_several(request: HttpRequest, together: str) -> HttpResponseBase:
    """Take back what one act did to several, but for those with which something happened since."""
    entries = AuditEntry.objects.filter(
        object_type=OBJECT_TYPE, after__together=together, who=request.user.pk, act="acknowledged"
    )
    actor, undone, kept = Actor.of_request(request), 0, 0
    theirs = set(
        reachable(Alert, request.user, HANDLE)
        .filter(pk__in=[int(one.object_id) for one in entries])
        .values_list("pk", flat=True)
    )
    for entry in entries.order_by("pk")[:MOST_AT_ONCE]:
        try:
            if int(entry.object_id) in theirs:
                handle.undo_handling(actor, entry)
                undone += 1
        except handle.RefusedHandling:
            kept += 1
    if undone:
        rest = f" {kept} changed since and stayed." if kept else ""
        tell(request, f"{undone} alert{' is' if undone == 1 else 's are'} as before.{rest}")
    else:
        tell_problem(request, "Nothing was undone: somebody changed them since.")
    return go(request, reverse("alerts"))
