"""`/settings/reports/`: the reports that come to me, how the next one looks, one at once."""

from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.roles import reach
from budgets.audit.record import Actor
from budgets.models import Delivery, Organisation
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import in_reach
from budgets.pages.moments import moment, place
from reports.mailed import edit
from reports.mailed.forms import WEEKDAYS, ReportForm
from reports.mailed.letter import csv_of, letter
from reports.mailed.reading import report_of
from reports.mailed.sending import ASKED_FOR, has_lost_its_view, put, times_of
from reports.models import Subscription

CHANNELS = "budgets.change_channel"


def _mine(request: HttpRequest, pk: int) -> Subscription:
    return get_object_or_404(Subscription.objects.select_related("view", "channel", "owner"), pk=pk, owner=request.user)


def _row(one: Subscription, now: datetime) -> dict[str, Any]:
    weekly = one.cadence == Subscription.Cadence.WEEKLY
    often = f"every {WEEKDAYS[one.weekday - 1]}" if weekly else "on the first of the month"
    upcoming = times_of(one, Organisation.get().zone).next(now)
    return {
        "one": one,
        "name": one.view.name if one.view else "Everything",
        "often": f"{often} at {one.hour:02}:00, {place(one.time_zone)}",
        "to": f"Channel {one.channel.name}" if one.channel else one.owner.email or "no e-mail address",
        "next": moment(upcoming.astimezone(ZoneInfo(one.time_zone)), now.astimezone(ZoneInfo(one.time_zone))),
        "lost": has_lost_its_view(one),
    }


@require_safe
@never_cache
@in_reach
def mailed_reports(request: HttpRequest) -> HttpResponseBase:
    """`/settings/reports/`: mine, the newest first."""
    now = timezone.now()
    rows = Subscription.objects.filter(owner_id=request.user.pk, stopped_at=None).select_related(
        "view", "channel", "owner"
    )
    return render(request, "mailed/list.html", {"here": "settings", "rows": [_row(one, now) for one in rows]})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@in_reach
def new_report(request: HttpRequest) -> HttpResponseBase:
    """`/settings/reports/new/?view=`: order one."""
    form = ReportForm(request.POST or None, user=request.user, may_post=reach(request.user, CHANNELS).everything)
    if "view" in request.GET and not form.is_bound:
        form.initial["view"] = request.GET["view"]
    if request.method == "POST" and form.is_valid():
        try:
            made = edit.order(Actor.of_request(request), request.user, form.values())
        except edit.RefusedReport as error:
            form.add_error(None, str(error))
        else:
            tell(request, f"The report comes {_row(made, timezone.now())['often']}.")
            return go(request, reverse("mailed-report", args=[made.pk]))
    status = 422 if form.errors else 200
    return render(request, "mailed/form.html", {"here": "settings", "form": form}, status=status)


@require_safe
@never_cache
@in_reach
def preview(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/reports/<pk>/`: the newest report as it would be sent now; to print, too."""
    one, now = _mine(request, pk), timezone.now()
    day, _ = times_of(one, Organisation.get().zone).last(now)
    found = report_of(one, day, now)
    message = letter(found, stop_path="", cadence=one.cadence)
    context = {"here": "settings", "row": _row(one, now), "report": found, "message": message, "csv": csv_of(found)}
    return render(request, "mailed/preview.html", context)


@require_POST
@never_cache
@in_reach
def send_one(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/reports/<pk>/send/`: one now, marked as a test."""
    one, now = _mine(request, pk), timezone.now()
    waiting = Delivery.objects.filter(key__startswith=f"{ASKED_FOR}:{one.pk}:", state=Delivery.State.QUEUED)
    if waiting.count() >= 3:
        tell_problem(request, "Three tests are on their way already. Wait until they have left.")
    elif put(one, now, f"{ASKED_FOR}:{one.pk}:{uuid4().hex}", test=True):
        tell(request, "The report is on its way.")
    else:
        tell_problem(request, "Nothing was sent: its view was removed, or there is no address it could go to.")
    return go(request, reverse("mailed-report", args=[one.pk]))


@require_POST
@never_cache
@in_reach
def stop_one(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/reports/<pk>/end/`: it does not come any more."""
    one = _mine(request, pk)
    edit.stop(Actor.of_request(request), one)
    tell(request, "The report does not come any more.", reverse("mailed-report-resume", args=[one.pk]))
    return go(request, reverse("mailed-reports"))


@require_POST
@never_cache
@in_reach
def resume_one(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/reports/<pk>/resume/`: undo that."""
    try:
        edit.resume(Actor.of_request(request), _mine(request, pk))
    except edit.RefusedReport as error:
        tell_problem(request, str(error))
    else:
        tell(request, "The report comes again.")
    return go(request, reverse("mailed-reports"))
