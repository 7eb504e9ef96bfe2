"""Other AI costs in the browser: the list with its totals and CSV, and what stands beside metered spend elsewhere."""

from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.limits.calendar import day_of
from budgets.limits.scope import DIMENSIONS
from budgets.models import Organisation
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import signed_in
from budgets.pages.moments import span
from budgets.pages.named import team_choices
from usage.costs.figures import beside, months_of, spent_on
from usage.costs.forms import money, typed_amount
from usage.costs.listing import PERIODS, Chosen, bounds, chosen
from usage.costs.values import FIRST_DAY, LAST_DAY
from usage.models import OtherCost

PER_PAGE = 50
CHANGE = "usage.change_othercost"
HEADER = [
    "name", "kind", "vendor", "team", "workflow", "first_day", "last_day", "amount", "currency", "cost",
    "cost_in_period", "shown_currency", "reference", "note",
]  # fmt: skip


@require_safe
@never_cache
@signed_in
def cost_list(request: HttpRequest) -> HttpResponseBase:
    """`/settings/costs/`: by kind, team, time and words; what they come to by month."""
    organisation = Organisation.get()
    wanted = chosen(request.GET.dict(), organisation)
    months = months_of(wanted.rows(), wanted.first, wanted.last)
    page = Paginator(wanted.rows(), PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "costs/list.html",
        {
            "here": "settings",
            "organisation": organisation,
            "chosen": wanted,
            "page": page,
            "rows": [_row(row, wanted) for row in page.object_list],
            "total": sum(months.values()),
            "months": sorted(months.items(), reverse=True),
            "kinds": OtherCost.Kind.choices,
            "teams": team_choices("All teams"),
            "periods": PERIODS.items(),
            "may_change": request.user.has_perm(CHANGE),
        },
    )


def _row(row: OtherCost, wanted: Chosen) -> dict[str, Any]:
    counted = row.workflow and (row.workflow.merged_into or row.workflow)
    team = row.team or (counted.team if counted else None)
    places = [team.name if team else "", row.workflow.name if row.workflow else ""]
    return {
        "cost": row,
        "for_whom": ", ".join(filter(None, places)) or "The whole organisation",
        "own": money(row.amount, row.currency),
        "share": wanted.share(row),
        "days": span(row.first_day, row.last_day) + (f" {row.last_day.year}" if row.last_day else ""),
    }


@require_safe
@never_cache
@signed_in
def costs_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/costs.csv`: the list's filter, every row; `cost_in_period` adds up to the page's total."""
    wanted = chosen(request.GET.dict(), Organisation.get())
    return csv_response(
        "other-costs",
        HEADER,
        (
            [
                row.name,
                row.kind,
                row.vendor,
                row.team.slug if row.team else "",
                row.workflow.slug if row.workflow else "",
                row.first_day.isoformat(),
                row.last_day.isoformat(),
                typed_amount(row.amount).replace(",", ""),
                row.currency,
                exact(row.cost),
                exact(wanted.share(row)),
                currency_code(),
                row.reference,
                row.note,
            ]
            for row in wanted.rows().iterator()
        ),
    )


@require_safe
@never_cache
@signed_in
def months_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/costs-by-month.csv`: the same, summed by month."""
    wanted = chosen(request.GET.dict(), Organisation.get())
    months = months_of(wanted.rows(), wanted.first, wanted.last)
    return csv_response(
        "other-costs-by-month",
        ["month", "cost", "currency"],
        ([f"{month:%Y-%m}", exact(cost), currency_code()] for month, cost in sorted(months.items())),
    )


@require_safe
@never_cache
@signed_in
def beside_spend(request: HttpRequest) -> HttpResponseBase:
    """`/settings/costs/beside/?first=&last=&team=…`: a line for other pages; empty where there is nothing.

    Without days it is about this month.
    """
    organisation = Organisation.get()
    first, last = _days(request, organisation)
    scope = {name: value.replace("\0", "")[:128] for name, value in request.GET.dict().items() if name in DIMENSIONS}
    found = beside(first, last, scope)
    labels = dict(OtherCost.Kind.choices)
    return render(
        request,
        "costs/beside.html",
        {
            "found": found if found and found.count else None,
            "kinds": [labels[kind].lower() for kind, _ in found.by_kind] if found else [],
            "days": span(first, last),
            "is_this_month": (first, last) == bounds("this-month", organisation),
            "team": scope.get("team", ""),
        },
    )


@require_safe
@never_cache
@signed_in
def closing_spend(request: HttpRequest) -> HttpResponseBase:
    """`/settings/close/spend/?first=&last=`: what days that are about to be closed hold; no `first`: all before."""
    organisation = Organisation.get()
    try:
        first = date.fromisoformat(request.GET.get("first") or FIRST_DAY.isoformat())
        last = date.fromisoformat(request.GET.get("last", ""))
    except ValueError as error:
        raise Http404 from error
    if not FIRST_DAY <= first <= last <= LAST_DAY:
        raise Http404
    return render(request, "costs/closing.html", {"spent": spent_on(first, last, organisation.zone)})


def _days(request: HttpRequest, organisation: Organisation) -> tuple[date, date]:
    today = day_of(timezone.now(), organisation.zone)
    try:
        first = date.fromisoformat(request.GET.get("first", ""))
        last = date.fromisoformat(request.GET.get("last", ""))
    except ValueError:
        return bounds("this-month", organisation)
    return (first, last) if first <= last else (today, today)
