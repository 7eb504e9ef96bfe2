"""Changing the calendar in the browser: new, edit, remove, undo."""

from datetime import date

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.access.reachable import fetched, reachable
from budgets.access.roles import VIEW, reach
from budgets.activities import edit
from budgets.activities.forms import ActivityForm, first_values, typed_values
from budgets.activities.views import CHANGE, repeats_words
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.limits.calendar import day_of
from budgets.models import AuditEntry, Organisation, PlannedActivity
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes_in_reach
from budgets.pages.moments import place

may_change = changes_in_reach(CHANGE, "planned activity")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def new(request: HttpRequest) -> HttpResponseBase:
    """`/calendar/new/?day=2026-11-27`."""
    organisation = Organisation.get()
    if request.method != "POST":
        return _form(
            request, ActivityForm(initial=first_values(_day(request, organisation)), who=request.user), organisation
        )
    form = ActivityForm(request.POST, who=request.user)
    if not form.is_valid():
        return _form(request, form, organisation, status=422)
    try:
        made = edit.create_activity(Actor.of_request(request), form.values(organisation.zone))
    except edit.InvalidActivity as error:
        form.refuse(error.problems)
        return _form(request, form, organisation, status=422)
    _tell(request, made.pk, f"{made.name} is in the calendar.")
    return go(request, _month_of(made, organisation))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def change(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/calendar/<id>/`."""
    organisation = Organisation.get()
    row = fetched(PlannedActivity.objects.select_related("team", "workflow"), request.user, CHANGE, pk=pk)
    if request.method != "POST":
        form = ActivityForm(initial=typed_values(row, organisation.zone), activity=row, who=request.user)
        return _form(request, form, organisation)
    form = ActivityForm(request.POST, activity=row, who=request.user)
    if not form.is_valid():
        return _form(request, form, organisation, status=422)
    try:
        saved = edit.change_activity(Actor.of_request(request), row, form.values(organisation.zone))
    except edit.InvalidActivity as error:
        form.refuse(error.problems)
        return _form(request, form, organisation, status=422)
    except edit.RefusedActivity as error:
        form.add_error(None, str(error))
        return _form(request, form, organisation, status=409)
    _tell(request, saved.pk, f"{saved.name} is saved.")
    return go(request, _month_of(saved, organisation))


@require_POST
@may_change
def remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Out of the calendar; the toast offers to undo it."""
    row = reachable(PlannedActivity, request.user).filter(pk=pk).first()
    if row is None and not reach(request.user, VIEW).everything:
        raise Http404
    if row is None:
        tell_problem(request, "This is no longer in the calendar: somebody removed it.")
        return go(request, reverse("calendar"))
    try:
        edit.remove_activity(Actor.of_request(request), row)
    except edit.RefusedActivity as error:
        tell_problem(request, str(error))
    else:
        _tell(request, pk, f"{row.name} is removed from the calendar.")
    return go(request, _month_of(row, Organisation.get()))


@require_POST
@may_change
def undo(request: HttpRequest, entry: int) -> HttpResponseBase:
    """Take back the change that this row of history tells of."""
    found = get_object_or_404(AuditEntry, pk=entry, object_type=PlannedActivity._meta.label_lower)
    try:
        name = edit.undo_activity(Actor.of_request(request), found)
    except (edit.RefusedActivity, edit.InvalidActivity) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{name} is as it was before.")
    row = reachable(PlannedActivity, request.user).filter(pk=found.object_id).first()
    return go(request, _month_of(row, Organisation.get()) if row else reverse("calendar"))


def _tell(request: HttpRequest, pk: int, text: str) -> None:
    entry = newest_entry(PlannedActivity, pk)
    tell(request, text, reverse("calendar-undo", args=[entry.pk]) if entry else "")


def _month_of(row: PlannedActivity, organisation: Organisation) -> str:
    return f"{reverse('calendar')}?month={organisation.local(row.starts_at):%Y-%m}"


def _day(request: HttpRequest, organisation: Organisation) -> date:
    try:
        return date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return day_of(timezone.now(), organisation.zone)


def _form(request: HttpRequest, form: ActivityForm, organisation: Organisation, status: int = 200) -> HttpResponse:
    context = {
        "here": "calendar",
        "form": form,
        "activity": form.activity,
        "repeats_now": repeats_words(form.activity) if form.activity else "",
        "workflows": form.workflows(),
        "zone_words": place(organisation.time_zone),
    }
    return render(request, "calendar/form.html", context, status=status)
