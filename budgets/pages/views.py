"""Reading one budget: its page, CSV and chart data. The list is in `listing`, changing in `changes` and `bulk`."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import fetched
from budgets.access.roles import CHANGE_BUDGET, may
from budgets.limits import scope as scopes
from budgets.models import Budget, Organisation
from budgets.pages import detail
from budgets.pages.amounts import amount
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from budgets.pages.listing import idle_words
from budgets.pages.moments import place, span_year
from budgets.pages.reserved import reserved
from budgets.pages.standing import Standing
from budgets.pages.standings import scope_names, standings


@require_safe
@never_cache
@in_reach
def budget(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/`: how it stands, its days, its crossings, who changed it."""
    found, organisation, now = _open(request, slug), Organisation.get(), timezone.now()
    standing = _standing(found, organisation, now)
    days = detail.days_of(found, standing, organisation, now) if standing else []
    return render(
        request,
        "budgets/detail.html",
        {
            "here": "budgets",
            "organisation": organisation,
            "zone_words": place(organisation.time_zone),
            "budget": found,
            "row": standing,
            "days_words": span_year(standing.first, standing.last) if standing else "",
            "days": days[::-1],
            "chart": _chart(found, standing, days, organisation),
            "facts": _facts(found, standing),
            "crossings": detail.crossings(found, organisation, now),
            "past": detail.past(found, standing),
            "reserved": reserved(found, organisation, now),
            "idle": "" if standing else idle_words(found, organisation, now),
            "history": detail.history(found, organisation, now),
            "may_change": may(request.user, CHANGE_BUDGET, found),
        },
    )


def _chart(found: Budget, standing: Standing | None, days: list[Any], organisation: Organisation) -> dict[str, Any]:
    used_before = any(row.used for row in days if not row.is_today)
    return detail.chart(found, standing, days, organisation) if standing and used_before else {}


def _facts(found: Budget, standing: Standing | None) -> list[tuple[str, str]]:
    """What was agreed, as label and value."""
    period = found.get_period_display()
    facts = [
        ("Covers", standing.covers if standing else scopes.in_words(found.scope, scope_names([found.scope]))),
        ("Amount", f"{amount(found.amount, found.metric)}, {period[0].lower()}{period[1:]}"),
        ("Warns at", ", ".join(f"{one}%" for one in found.thresholds) or "nothing"),
        ("When it runs out", found.get_on_exhausted_display()),
        ("Held exactly", "yes: callers reserve money before they call" if found.is_hard else ""),
        ("Expected pace", found.get_pace_display()),
    ]
    if found.carry_over:
        facts.append(("Carries over", f"up to {found.carry_over * 100:.0f}% of the amount, if unspent"))
    if found.owner:
        facts.append(("Owner", found.owner.get_full_name() or found.owner.get_username()))
    return [(label, value) for label, value in facts if value]


@require_safe
@never_cache
@in_reach
def budget_series(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/series/budgets/<slug>.json`: what the budget's chart draws."""
    found, organisation, now = _open(request, slug), Organisation.get(), timezone.now()
    standing, days = _days(found, organisation, now)
    return JsonResponse(_chart(found, standing, days, organisation))


@require_safe
@never_cache
@in_reach
def budget_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/budgets/<slug>.csv`: its days."""
    found, organisation, now = _open(request, slug), Organisation.get(), timezone.now()
    _, days = _days(found, organisation, now)
    money = found.metric == Budget.Metric.MONEY

    def value(number: int) -> str:
        return exact(number) if money else str(number)

    return csv_response(
        f"budget-{slug}",
        ["day", "complete", "used", "running_total", "expected", "unit"],
        (
            [
                row.day.isoformat(),
                "no" if row.is_today else "yes",
                value(row.used),
                value(row.total),
                value(row.expected),
                currency_code() if money else found.metric,
            ]
            for row in days
        ),
    )


def _days(found: Budget, organisation: Organisation, now: datetime) -> tuple[Standing | None, list[detail.DayRow]]:
    standing = _standing(found, organisation, now)
    return standing, detail.days_of(found, standing, organisation, now) if standing else []


def _standing(found: Budget, organisation: Organisation, now: datetime) -> Standing | None:
    """None where nothing is counted now: archived, just made, or outside its dates."""
    if found.status == Budget.Status.ARCHIVED:
        return None
    rows, _ = standings(organisation, now, Budget.objects.filter(pk=found.pk))
    return rows[0] if rows else None


def _open(request: HttpRequest, slug: str) -> Budget:
    """The budget at this address; of an archived one the past stays to be read."""
    return fetched(Budget.objects.select_related("owner"), request.user, slug=slug)
