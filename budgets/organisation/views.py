"""The organisation in the browser: its settings, closing days, opening them again, undo."""

from datetime import date, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.limits.calendar import day_of
from budgets.models import AuditEntry, Budget, Organisation
from budgets.organisation import edit
from budgets.organisation.forms import MONTHS, CloseForm, OpenForm, OrganisationForm, values_of, zones
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import REFUSAL, changes, signed_in
from budgets.pages.moments import day_year, place, span_year

CHANGE = "budgets.change_organisation"
CLOSE = "budgets.close_days"
may_change = changes(CHANGE, "the organisation")
may_close = changes(CLOSE, "closed days")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def settings(request: HttpRequest) -> HttpResponseBase:
    """`/settings/`: shown to everybody, changed by those who may."""
    if request.method == "POST":
        return _change(request)
    organisation = Organisation.get()
    form = OrganisationForm(initial=values_of(organisation)) if request.user.has_perm(CHANGE) else None
    return _page(request, organisation, form)


@may_change
def _change(request: HttpRequest) -> HttpResponseBase:
    organisation, form = Organisation.get(), OrganisationForm(request.POST)
    if not form.is_valid():
        return _page(request, organisation, form, status=422)
    wanted = form.changes
    problems = edit.problems_of(wanted, organisation)
    if not problems and edit.REOPENED_BY & set(wanted) and not request.POST.get("sure"):
        return _page(request, organisation, form, warn=_warning(organisation, wanted))
    try:
        saved = edit.change_organisation(Actor.of_request(request), wanted, form.cleaned_data["reason"])
    except edit.InvalidOrganisation as error:
        form.refuse(error.problems)
        return _page(request, organisation, form, status=422)
    _tell(request, f"{saved.name} is saved." + (" Budgets are being counted anew." if "time_zone" in wanted else ""))
    return go(request, reverse("settings"))


def _warning(organisation: Organisation, wanted: dict[str, Any]) -> dict[str, Any]:
    """What another zone or fiscal year does, before it is done."""
    budgets = Budget.objects.exclude(status=Budget.Status.ARCHIVED).count()
    lines = []
    if "time_zone" in wanted:
        lines.append(
            f"Days begin at midnight in {place(wanted['time_zone'])} instead of {place(organisation.time_zone)}, "
            "in budgets, pages and files, for past days too."
        )
    if "fiscal_year_starts" in wanted:
        lines.append(f"Years and quarters count from {MONTHS[wanted['fiscal_year_starts'] - 1]}.")
    words = f"{budgets} budget{' is' if budgets == 1 else 's are'}"
    lines.append(f"{words} counted anew from the ledger, and may warn again. The ledger itself does not change.")
    return {"lines": lines}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_close
def close(request: HttpRequest) -> HttpResponseBase:
    """`/settings/close/?before=`: what would be closed; POST closes it."""
    organisation = Organisation.get()
    form = CloseForm(request.POST or (request.GET if "before" in request.GET else None))
    if not form.is_bound:
        return redirect("settings")
    before = form.cleaned_data.get("before") if form.is_valid() else None
    problem = edit.why_not_close(organisation, before) if before else ""
    if problem:
        form.add_error("before", problem)
    if before and not problem and request.method == "POST":
        try:
            edit.close_days(Actor.of_request(request), before, form.cleaned_data["reason"])
        except edit.InvalidOrganisation as error:
            form.add_error("before", str(error))
        else:
            _tell(request, f"Days before {day_year(before)} are closed.")
            return go(request, reverse("settings"))
    return render(
        request,
        "organisation/close.html",
        {"here": "settings", "form": form, "before": None if form.errors else before}
        | _closing(organisation, None if form.errors else before),
        status=422 if form.errors else 200,
    )


def _closing(organisation: Organisation, before: date | None) -> dict[str, Any]:
    if before is None:
        return {}
    first, last = organisation.closed_before, before - timedelta(days=1)
    return {
        "first": first.isoformat() if first else "",
        "last": last.isoformat(),
        "days": span_year(first, last) if first else f"all days up to {day_year(last)}",
        "count": (before - first).days if first else None,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_close
def reopen(request: HttpRequest) -> HttpResponseBase:
    """`/settings/open/`: open closed days again, with a reason."""
    organisation = Organisation.get()
    form = OpenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        try:
            edit.open_days(Actor.of_request(request), sent["before"], sent["reason"])
        except edit.InvalidOrganisation as error:
            for name, sentence in error.problems.items():
                form.add_error(name, sentence)
        else:
            _tell(
                request,
                f"Days from {day_year(sent['before'])} on are open." if sent["before"] else "All days are open.",
            )
            return go(request, reverse("settings"))
    context = {"here": "settings", "form": form, "organisation": organisation}
    return render(request, "organisation/open.html", context, status=422 if form.errors else 200)


@require_POST
@may_close
def undo(request: HttpRequest, entry: int) -> HttpResponseBase:
    """Take back the change that this row of history tells of."""
    found = get_object_or_404(AuditEntry, pk=entry, object_type=Organisation._meta.label_lower)
    if set(found.after or {}) != {"closed_before"} and not request.user.has_perm(CHANGE):
        raise PermissionDenied(REFUSAL.format(what="the organisation"))
    try:
        edit.undo_organisation(Actor.of_request(request), found)
    except (edit.RefusedOrganisation, edit.InvalidOrganisation) as error:
        tell_problem(request, str(error))
    else:
        tell(request, "The organisation is as it was before.")
    return redirect("settings")


def _tell(request: HttpRequest, text: str) -> None:
    entry = newest_entry(Organisation, 1)
    tell(request, text, reverse("settings-undo", args=[entry.pk]) if entry else "")


def _page(
    request: HttpRequest,
    organisation: Organisation,
    form: OrganisationForm | None,
    status: int = 200,
    warn: dict[str, Any] | None = None,
) -> HttpResponse:
    today = day_of(timezone.now(), organisation.zone)
    seen = (
        values_of(organisation)
        if form and not form.is_bound
        else {name: form.data.get(f"seen_{name}", "") for name in edit.FIELDS}
        if form
        else {}
    )
    return render(
        request,
        "organisation/page.html",
        {
            "here": "settings",
            "organisation": organisation,
            "form": form,
            "seen": seen,
            "warn": warn,
            "zones": zones(),
            "may_close": request.user.has_perm(CLOSE),
            "close_form": CloseForm(initial={"before": today.replace(day=1)}),
            "month": MONTHS[organisation.fiscal_year_starts - 1],
            "now": organisation.local(timezone.now()),
        },
        status=status,
    )
