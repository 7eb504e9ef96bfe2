"""The calendar in the browser: a month as table or list, and as files."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import reachable
from budgets.access.roles import may
from budgets.activities.expand import Occurrence, occurrences
from budgets.activities.month import Month, month_of
from budgets.activities.recurrence import DAY_NAMES, BadRule, in_words, read
from budgets.activities.writing import calendar_file
from budgets.limits.calendar import day_of
from budgets.models import Organisation, PlannedActivity
from budgets.pages.csv import csv_response
from budgets.pages.door import in_reach
from budgets.pages.moments import clock, place, span
from budgets.pages.named import team_choices

CHANGE = "budgets.change_plannedactivity"
PER_PAGE = 100
ICONS = {
    "campaign": "mega", "launch": "rocket", "batch": "moon", "publishing": "send", "pause": "pause", "other": "cal",
}  # fmt: skip
HEADER = [
    "name", "kind", "first_day", "last_day", "starts_at", "ends_at", "all_day", "team", "workflow", "expects", "factor",
    "repeats", "note",
]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What of the calendar is asked for. `note` says what was ignored."""

    month: Month
    team: str
    kind: str
    is_list: bool
    note: str
    organisation: Organisation
    who: Any

    def found(self, whole_weeks: bool = False) -> list[Occurrence]:
        month = self.month
        bounds = (month.table_first, month.table_last) if whole_weeks else (month.first, month.last)
        return occurrences(*bounds, team=self.team or None, kind=self.kind, who=self.who)


def asked(request: HttpRequest) -> Asked:
    """Understand the query string; what is unknown is ignored with a note."""
    organisation, ignored = Organisation.get(), []
    today = day_of(timezone.now(), organisation.zone)
    wanted, kind = request.GET.get("month", ""), request.GET.get("kind", "")
    month = month_of(wanted)
    if wanted and month is None:
        ignored.append(f"“{wanted[:20]}” is no month")
    if kind and kind not in PlannedActivity.Kind.values:
        ignored.append(f"“{kind[:20]}” is no kind of activity")
        kind = ""
    return Asked(
        Month.of(month or today, today),
        request.GET.get("team", "").replace("\0", "")[:128],
        kind,
        request.GET.get("view") == "list",
        f"{'; '.join(ignored)}; it was ignored." if ignored else "",
        organisation,
        request.user,
    )


@require_safe
@never_cache
@in_reach
def calendar(request: HttpRequest) -> HttpResponseBase:
    """`/calendar/?month=2026-11&team=&kind=&view=list`."""
    wanted = asked(request)
    found = wanted.found(whole_weeks=not wanted.is_list)
    zone = wanted.organisation.zone
    context: dict[str, Any] = {
        "here": "calendar",
        "organisation": wanted.organisation,
        "asked": wanted,
        "month": wanted.month,
        "weekdays": DAY_NAMES,
        "teams": team_choices("All teams", request.user),
        "kinds": [(key, text, ICONS[key]) for key, text in PlannedActivity.Kind.choices],
        "zone_words": place(wanted.organisation.time_zone),
        "is_filtered": bool(wanted.team or wanted.kind),
        "is_empty": not found,
        "nothing_yet": not found and not reachable(PlannedActivity, request.user).exists(),
        "may_change": request.user.has_perm(CHANGE),
    }
    if wanted.is_list:
        page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
        context |= {"page": page, "rows": [shown(one, zone, request.user) for one in page.object_list]}
    else:
        weeks = wanted.month.weeks(found)
        context["weeks"] = [
            (
                any(day.is_in_month and day.shown for day in week),
                [
                    (day, [shown(one, zone, request.user) | {"goes_on": goes_on} for one, goes_on in day.entries])
                    for day in week
                ],
            )
            for week in weeks
        ]
        context["is_empty"] = not any(holds for holds, _ in context["weeks"])
    return render(request, "calendar/page.html", context)


def shown(one: Occurrence, zone: Any, who: Any) -> dict[str, Any]:
    """An occurrence for a template: in words, in the organisation's zone."""
    row = one.activity
    starts, ends = one.starts_at.astimezone(zone), one.ends_at.astimezone(zone)
    return {
        "row": row,
        "may_change": may(who, CHANGE, row),
        "icon": ICONS[row.kind],
        "kind": row.get_kind_display(),
        "at": "" if row.is_all_day else clock(starts),
        "when": span(one.first, one.last) if row.is_all_day else _when(one, starts, ends),
        "first": one.first,
        "expects": expects_words(row),
        "repeats": repeats_words(row),
        "for_whom": for_whom(row),
    }


def _when(one: Occurrence, starts: datetime, ends: datetime) -> str:
    if one.first == one.last:
        return f"{span(one.first, one.last)}, {clock(starts)}–{clock(ends)}"
    return f"{span(one.first, one.first)}, {clock(starts)} to {span(ends.date(), ends.date())}, {clock(ends)}"


def for_whom(row: PlannedActivity) -> str:
    names = [row.team.name if row.team else "", row.workflow.name if row.workflow else ""]
    return ", ".join(filter(None, names)) or "Everybody"


def expects_words(row: PlannedActivity) -> str:
    """ "More use than usual, about 2 times"."""
    times = "" if row.factor is None or not row.factor else f", about {row.factor.normalize():f} times"
    return f"{row.get_expects_display()}{times}"


def repeats_words(row: PlannedActivity) -> str:
    if not row.recurrence:
        return ""
    try:
        return in_words(read(row.recurrence))
    except BadRule:
        return "By a rule that is not understood"


@require_safe
@never_cache
@in_reach
def calendar_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/calendar.csv`: every occurrence of the month shown, same filter."""
    wanted = asked(request)
    zone = wanted.organisation.zone
    return csv_response(
        f"calendar-{wanted.month.first:%Y-%m}",
        HEADER,
        (
            [
                one.activity.name,
                one.activity.kind,
                one.first.isoformat(),
                one.last.isoformat(),
                one.starts_at.astimezone(zone).isoformat(),
                one.ends_at.astimezone(zone).isoformat(),
                "yes" if one.activity.is_all_day else "no",
                one.activity.team.slug if one.activity.team else "",
                one.activity.workflow.slug if one.activity.workflow else "",
                one.activity.expects,
                "" if one.activity.factor is None else f"{one.activity.factor:f}",
                one.activity.recurrence,
                one.activity.note,
            ]
            for one in wanted.found()
        ),
    )


@require_safe
@never_cache
@in_reach
def calendar_ics(request: HttpRequest) -> HttpResponseBase:
    """`/export/calendar.ics`: all activity of the team asked for, what repeats by its rule."""
    organisation, team = Organisation.get(), request.GET.get("team", "").replace("\0", "")[:128]
    rows = reachable(PlannedActivity.objects.select_related("team"), request.user)
    if team:
        rows = rows.filter(team__slug=team)
    answer = HttpResponse(calendar_file(rows, organisation.zone, timezone.now()), content_type="text/calendar")
    answer["Content-Disposition"] = 'attachment; filename="calendar.ics"'
    return answer
