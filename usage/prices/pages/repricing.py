"""Pricing past calls anew: ask, watch it being counted, see before and after, confirm, watch it being written."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Organisation, Workflow
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import signed_in
from budgets.pages.moments import moment, place, span_year
from usage.models import RepriceRun
from usage.prices import reprice
from usage.prices.begin import begin_again, begin_preview, begin_reprice
from usage.prices.pages.days import DayField
from usage.prices.pages.entries import CHANGE, changes_prices
from usage.prices.pages.seen import seen_models

PER_PAGE = 50
Status = RepriceRun.Status
MOVING = (Status.PREVIEWING, Status.RUNNING)


class RepriceForm(forms.Form):
    """Which past calls. Days are the organisation's."""

    first_day = DayField(label="First day")
    last_day = DayField(label="Last day", help_text="Of the calls by their own time.")
    model = forms.CharField(
        label="Model",
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"list": "models-seen", "autocomplete": "off"}),
        help_text="Under every name it was sent. Empty: all models.",
    )
    which = forms.ChoiceField(
        label="Which calls",
        choices=[
            ("unpriced", "Only those without a price"),
            ("all", "All of them, for instance after a new agreement"),
        ],
        widget=forms.RadioSelect,
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = values.get("first_day"), values.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", "The last day must not come before the first.")
        elif first and last and last - first >= timedelta(days=800):
            self.add_error("last_day", "One run covers at most 800 days.")
        return values


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def runs(request: HttpRequest) -> HttpResponseBase:
    """`/settings/prices/reprice/`: ask for a run, and those there were."""
    if request.method == "POST":
        return ask(request)
    today = day_of(timezone.now(), Organisation.get().zone)
    initial = {
        "first_day": _day(request.GET.get("from", "")) or today.replace(day=1),
        "last_day": today,
        "model": request.GET.get("model", "")[:128],
        "which": "unpriced",
    }
    return _runs(request, RepriceForm(initial=initial))


@changes_prices
def ask(request: HttpRequest) -> HttpResponseBase:
    """Have a preview counted, in the background."""
    form = RepriceForm(request.POST)
    if not form.is_valid():
        return _runs(request, form, 422)
    zone, asked = Organisation.get().zone, form.cleaned_data
    try:
        run = begin_preview(
            Actor.of_request(request),
            day_starts_at(asked["first_day"], zone),
            day_starts_at(asked["last_day"] + DAY, zone),
            asked["model"],
            only_unpriced=asked["which"] == "unpriced",
        )
    except Problem as problem:
        form.add_error("last_day", " ".join(problem.extra.get("errors", {}).values()) or problem.detail)
        return _runs(request, form, 422)
    return go(request, reverse("reprice-run-page", args=[run.pk]))


def _runs(request: HttpRequest, form: RepriceForm, status: int = 200) -> HttpResponse:
    organisation = Organisation.get()
    page = Paginator(RepriceRun.objects.defer("preview"), PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "prices/reprice.html",
        {
            "here": "settings",
            "organisation": organisation,
            "zone_words": place(organisation.time_zone),
            "form": form,
            "models": seen_models(),
            "page": page,
            "rows": [(one, *_words(one, organisation)) for one in page.object_list],
            "may_change": request.user.has_perm(CHANGE),
        },
        status=status,
    )


@require_safe
@never_cache
@signed_in
def run(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/prices/reprice/<id>/`."""
    return _run(request, pk, "prices/run.html")


@require_safe
@never_cache
@signed_in
def progress(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The moving part of the page; it asks for itself again until the run stands still."""
    return _run(request, pk, "prices/run_body.html")


@require_safe
@never_cache
@signed_in
def run_csv(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/export/reprice/<id>.csv`: each workflow before and after, as previewed; the sums are the page's."""
    found = get_object_or_404(RepriceRun, pk=pk)
    return csv_response(
        f"reprice-{pk}",
        ["workflow", "calls", "calls_without_price", "before", "after", "difference", "currency"],
        (
            [
                row["workflow"],
                row["calls"],
                row["unpriced"],
                "" if _unknown(row) else exact(row["before"]),
                exact(row["after"]),
                exact(row["after"] - row["before"]),
                currency_code(),
            ]
            for row in found.preview
        ),
    )


@require_POST
@changes_prices
def confirm(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Say yes; it is written in the background."""
    return _decide(request, pk, begin_reprice, "")


@require_POST
@changes_prices
def discard(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Say no, also while it is being counted."""
    return _decide(request, pk, reprice.discard, "Discarded. Every call keeps the cost it has.")


@require_POST
@changes_prices
def again(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Count the preview anew: it failed, or prices changed since."""
    return _decide(request, pk, begin_again, "")


def _decide(request: HttpRequest, pk: int, act: Any, words: str) -> HttpResponseBase:
    try:
        act(pk, Actor.of_request(request))
    except Problem as problem:
        tell_problem(request, str(problem.detail or problem.title))
        if problem.status == 404:
            return redirect("reprice")
    else:
        if words:
            tell(request, words)
    return redirect("reprice-run-page", pk)


def _run(request: HttpRequest, pk: int, template: str) -> HttpResponse:
    organisation = Organisation.get()
    found = get_object_or_404(RepriceRun, pk=pk)
    days, made = _words(found, organisation)
    page = Paginator(found.preview, PER_PAGE).get_page(request.GET.get("page"))
    slugs = [row["workflow"] for row in page.object_list]
    names = dict(Workflow.objects.filter(slug__in=slugs).values_list("slug", "name")) if slugs else {}
    done, whole = (found.seen, found.expected) if found.status == Status.PREVIEWING else (found.corrected, found.calls)
    local = organisation.local
    return render(
        request,
        template,
        {
            "here": "settings",
            "organisation": organisation,
            "zone_words": place(organisation.time_zone),
            "run": found,
            "days": days,
            "made": made,
            "moves": found.status in MOVING,
            "done": done,
            "whole": max(whole, done),
            "fill": f"{min(100, done * 100 // max(whole, 1))}%",
            "page": page,
            "rows": [
                {**row, "name": names.get(row["workflow"], row["workflow"]), "unknown": _unknown(row)}
                for row in page.object_list
            ],
            "all_unknown": bool(found.preview) and all(_unknown(row) for row in found.preview),
            "unpriced": sum(row["unpriced"] for row in found.preview),
            "difference": found.after - found.before,
            "finished": moment(local(found.finished_at), local(timezone.now())) if found.finished_at else "",
            "preview_failed": found.status == Status.FAILED and found.confirmed_at is None,
            "may_change": request.user.has_perm(CHANGE),
        },
    )


def _unknown(row: dict[str, Any]) -> bool:
    """None of its calls had a price, so what they cost before is not $0 but unknown."""
    return bool(row["calls"] == row["unpriced"])


def _words(found: RepriceRun, organisation: Organisation) -> tuple[str, str]:
    """Its days and when it was asked for."""
    zone, local = organisation.zone, organisation.local
    first = day_of(found.starts_at, zone)
    last = max(first, day_of(found.ends_at - timedelta(microseconds=1), zone))
    return span_year(first, last), moment(local(found.created_at), local(timezone.now()))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
