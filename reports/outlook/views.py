"""`/forecast/`: where budgets, teams, workflows and the company will land, and how sure that is."""

from collections.abc import Iterator
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.access.roles import CHANGE_BUDGET, reach
from budgets.audit.record import Actor
from budgets.limits.calendar import DAY
from budgets.models import Organisation
from budgets.notices.hint import hint_task
from budgets.pages.answers import go, tell
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import changes, in_reach
from budgets.pages.moments import moment, place
from reports.asking.window import unknown
from reports.models import Outlook
from reports.outlook import drawing
from reports.outlook.expecting import DAYS_NEEDED
from reports.outlook.listing import (
    Row,
    hours_of,
    is_stale,
    last_run,
    past_of,
    row_of,
    rows_of,
    used_by_day,
    with_quality,
)
from reports.outlook.make import TASK, ask

Kind = Outlook.Kind
KINDS = {"budgets": Kind.BUDGET, "teams": Kind.TEAM, "workflows": Kind.WORKFLOW}
PER_PAGE = 50
WORDS = {"budgets": "Budgets", "teams": "Teams", "workflows": "Workflows"}
FIVE = ("expected", "likely_least", "likely_most", "almost_surely_least", "almost_surely_most")


def _asked(request: HttpRequest) -> tuple[str, str]:
    """Which kind, and what of the address was not understood."""
    note = unknown(request.GET.keys(), {"of", "page"})
    of = request.GET.get("of", "budgets")
    if of in KINDS:
        return of, note
    return "budgets", f"“{of[:40]}” cannot be forecast here; budgets are shown. {note}".strip()


@require_safe
@never_cache
@in_reach
def forecasts(request: HttpRequest) -> HttpResponseBase:
    """`/forecast/?of=budgets|teams|workflows`: the company's landing, and a table."""
    organisation, now = Organisation.get(), timezone.now()
    of, note = _asked(request)
    rows, run = rows_of(KINDS[of], request.user), last_run()
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page", ""))
    whole = row_of(Kind.ORGANISATION, "-", request.user)
    return render(
        request,
        "outlook/page.html",
        {
            "here": "forecast",
            "organisation": organisation,
            "of": of,
            "kinds": WORDS.items(),
            "rows": with_quality(list(page.object_list)),
            "page": page,
            "whole": whole,
            "run": run,
            "made": moment(organisation.local(rows[0].outlook.made_at), organisation.local(now)) if rows else "",
            "stale": is_stale(rows, now),
            "needed": DAYS_NEEDED,
            "may_ask": reach(request.user, CHANGE_BUDGET).everything,
            "zone_words": place(organisation.time_zone),
            "note": note,
        },
    )


@require_POST
@never_cache
@changes(CHANGE_BUDGET, "forecasts")
def make_now(request: HttpRequest) -> HttpResponseBase:
    """`/forecast/make/`: make all forecasts anew."""
    _, is_new = ask(Actor.of_request(request))
    hint_task(TASK)
    tell(request, "The forecasts are being made." if is_new else "They are being made already.")
    return go(request, reverse("forecast"))


def _found(request: HttpRequest, kind: str, key: str) -> Row:
    if kind in Kind.values and (row := row_of(kind, key, request.user)):
        return row
    raise Http404


@require_safe
@never_cache
@in_reach
def forecast(request: HttpRequest, kind: str, key: str) -> HttpResponseBase:
    """`/forecast/<kind>/<key>/`: one subject, its days and hours ahead, and how good earlier forecasts were."""
    organisation, row = Organisation.get(), _found(request, kind, key)
    outlook, hours = row.outlook, hours_of(row)
    used = used_by_day(row, organisation, drawing.first_shown(outlook), outlook.made_for - DAY)
    return render(
        request,
        "outlook/one.html",
        {
            "here": "forecast",
            "organisation": organisation,
            "row": row,
            "outlook": outlook,
            "kind_words": outlook.get_kind_display(),
            "chart": drawing.chart(outlook, used, row.landing, row.most) if drawing.is_drawn(outlook) else None,
            "days": drawing.days_ahead(outlook),
            "hours": drawing.hours_ahead(hours, organisation.zone) if hours else [],
            "past": past_of(row),
            "needed": DAYS_NEEDED,
            "money": outlook.metric == "money",
            "zone_words": place(organisation.time_zone),
        },
    )


@require_safe
@never_cache
@in_reach
def forecast_series(request: HttpRequest, kind: str, key: str) -> HttpResponseBase:
    """`/series/forecast/<kind>/<key>.json`: what the chart draws."""
    organisation, row = Organisation.get(), _found(request, kind, key)
    if not drawing.is_drawn(row.outlook):
        raise Http404
    used = used_by_day(row, organisation, drawing.first_shown(row.outlook), row.outlook.made_for - DAY)
    return JsonResponse(drawing.chart(row.outlook, used, row.landing, row.most))


@require_safe
@never_cache
@in_reach
def forecasts_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/forecast.csv?of=`: the table."""
    of, _ = _asked(request)
    header = ["name", "from", "to", "unit", "used_before", *FIVE, "limit", "runs_out", "earliest", "latest", "ready_on"]
    return csv_response(f"forecast-{of}", header, (_line(row) for row in rows_of(KINDS[of], request.user)))


def _line(row: Row) -> list[Any]:
    one = row.outlook
    value = exact if one.metric == "money" else str
    landing = [value(number) for number in row.landing] if row.is_ready else [""] * 5
    runs_out = [day or "" for day in one.runs_out] if one.runs_out else [""] * 3
    first, last = one.period_first or "", one.period_end or ""
    unit = currency_code() if one.metric == "money" else one.metric
    limit = "" if row.most is None else value(row.most)
    return [row.name, first, last, unit, value(one.spent), *landing, limit, *runs_out, one.ready_on or ""]


@require_safe
@never_cache
@in_reach
def forecast_csv(request: HttpRequest, kind: str, key: str) -> HttpResponseBase:
    """`/export/forecast/<kind>/<key>.csv`: the days and hours ahead."""
    organisation, row = Organisation.get(), _found(request, kind, key)
    hours = hours_of(row)

    def lines() -> Iterator[list[Any]]:
        value = exact if row.outlook.metric == "money" else str
        unit = currency_code() if row.outlook.metric == "money" else row.outlook.metric
        for grain, steps in (
            ("day", drawing.days_ahead(row.outlook)),
            ("hour", drawing.hours_ahead(hours, organisation.zone) if hours else []),
        ):
            for step in steps:
                yield [grain, step.iso, unit, *(value(number) for number in step.numbers)]

    return csv_response(f"forecast-{kind}-{row.slug}", ["grain", "at", "unit", *FIVE], lines())
