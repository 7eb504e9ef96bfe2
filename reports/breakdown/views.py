"""A budget by model: the card on its page, the same as a page of its own, and its CSV."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import fetched
from budgets.models import Budget, Organisation
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from budgets.pages.moments import span_year
from budgets.pages.standings import standings
from reports.breakdown.models import Shares, shares_of


@require_safe
@never_cache
@in_reach
def budget_models(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/models/`: the whole page."""
    return _render(request, "breakdown/page.html", slug)


@require_safe
@never_cache
@in_reach
def budget_models_card(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/models/card/`: the card alone."""
    return _render(request, "breakdown/models.html", slug)


def _render(request: HttpRequest, template: str, slug: str) -> HttpResponse:
    budget, organisation = _found(request, slug), Organisation.get()
    rows, _ = standings(organisation, timezone.now(), Budget.objects.filter(pk=budget.pk))
    shares = shares_of(budget, rows[0], organisation) if rows else None
    return render(
        request,
        template,
        {
            "here": "budgets",
            "organisation": organisation,
            "budget": budget,
            "shares": shares,
            "days_words": span_year(rows[0].first, rows[0].last) if rows else "",
            "unpriced": sum(max(0, one.unpriced) for one in shares.rows) if shares else 0,
        },
    )


@require_safe
@never_cache
@in_reach
def budget_models_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/budgets/<slug>/models.csv`: the same rows; `used` sums to what the budget has spent."""
    budget, organisation = _found(request, slug), Organisation.get()
    rows, _ = standings(organisation, timezone.now(), Budget.objects.filter(pk=budget.pk))
    header = ["from", "to", "provider", "model", "used", "unit", "calls", "calls_without_price"]
    dates = [rows[0].first.isoformat(), rows[0].last.isoformat()] if rows else []
    lines = _lines(budget, shares_of(budget, rows[0], organisation), dates) if rows else iter(())
    return csv_response(f"budget-{slug}-models", header, lines)


def _lines(budget: Budget, shares: Shares, dates: list[str]) -> Iterator[list[Any]]:
    money = budget.metric == Budget.Metric.MONEY
    unit = currency_code() if money else budget.metric

    def value(number: int) -> str:
        return exact(number) if money else str(number)

    for one in shares.rows:
        yield [*dates, one.provider, one.model, value(one.used), unit, one.calls, one.unpriced]
    if shares.rest:
        words = "not in the summaries yet" if shares.held else "not summed by model"
        yield [*dates, "", words, value(shares.rest), unit, "", ""]


def _found(request: HttpRequest, slug: str) -> Budget:
    return fetched(Budget.objects.exclude(status=Budget.Status.ARCHIVED), request.user, slug=slug)
