"""Reading budgets: the list, one budget, their CSV and chart data. Changing them is in `changes`."""

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.limits import scope as scopes
from budgets.models import Budget, Organisation
from budgets.pages import detail
from budgets.pages.amounts import amount
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import may_change_budgets, signed_in
from budgets.pages.moments import place, span_year
from budgets.pages.standing import Standing
from budgets.pages.standings import same_end, scope_names, standings, with_sparks

PER_PAGE = 50
FILTERS = {
    "": "All",
    "over": "Over",
    "risk": "Likely or could go over",
    "ok": "On pace",
    "paused": "Paused",
}


@require_safe
@never_cache
@signed_in
def budget_list(request: HttpRequest) -> HttpResponseBase:
    """`/budgets/`: every budget, the riskiest first, by status and name."""
    organisation, now = Organisation.get(), timezone.now()
    rows, starting = standings(organisation, now)
    query, status = request.GET.get("q", "").strip()[:100], request.GET.get("status", "")
    note = "" if status in FILTERS else f"“{status[:40]}” is no status that TokenOps knows; all budgets are shown."
    status = status if status in FILTERS else ""
    fits = [row for row in rows if _fits(row, status, query)]
    page = Paginator(fits, PER_PAGE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    counts = {key: sum(_fits(row, key, "") for row in rows) for key in FILTERS}
    return render(
        request,
        "budgets/list.html",
        {
            "here": "budgets",
            "organisation": organisation,
            "rows": with_sparks(shown, organisation, organisation.local(now).date()),
            "same_end": same_end(shown),
            "zone_words": place(organisation.time_zone),
            "page": page,
            "starting": [one for one in starting if not query and not status],
            "total": len(rows) + len(starting),
            "filters": [(key, text, counts[key]) for key, text in FILTERS.items()],
            "status": status,
            "query": query,
            "note": note,
            "may_change": may_change_budgets(request),
        },
    )


def _fits(row: Standing, status: str, query: str) -> bool:
    kinds = {
        "": True,
        "over": row.is_over and not row.is_paused,
        "risk": row.tone in {"over", "watch"} and not row.is_over,
        "ok": row.tone == "ok",
        "paused": row.is_paused,
    }
    return kinds[status] and (not query or query.casefold() in f"{row.name} {row.covers}".casefold())


@require_safe
@never_cache
@signed_in
def budgets_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/budgets.csv`: the same filter as the list; every row, not one page."""
    organisation = Organisation.get()
    rows, _ = standings(organisation, timezone.now())
    query, status = request.GET.get("q", "").strip()[:100], request.GET.get("status", "")
    fits = [row for row in rows if _fits(row, status if status in FILTERS else "", query)]

    def value(row: Standing, number: int | None) -> str:
        return "" if number is None else exact(number) if row.metric == Budget.Metric.MONEY else str(number)

    return csv_response(
        "budgets",
        ["budget", "covers", "metric", "currency", "from", "to", "limit", "spent", "even_pace", "calls", "status"],
        (
            [
                row.name,
                row.covers,
                row.metric,
                currency_code() if row.metric == Budget.Metric.MONEY else "",
                row.first.isoformat(),
                row.last.isoformat(),
                value(row, row.limit),
                value(row, row.spent),
                value(row, row.landing),
                row.calls,
                row.words,
            ]
            for row in fits
        ),
    )


@require_safe
@never_cache
@signed_in
def budget(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/`: how it stands, its days, its crossings, who changed it."""
    found, organisation, now = _open(slug), Organisation.get(), timezone.now()
    rows, _ = standings(organisation, now, Budget.objects.filter(pk=found.pk))
    standing = rows[0] if rows else None
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
            "history": detail.history(found, organisation, now),
            "may_change": may_change_budgets(request),
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
        ("Expected pace", found.get_pace_display()),
    ]
    if found.carry_over:
        facts.append(("Carries over", f"up to {found.carry_over * 100:.0f}% of the amount, if unspent"))
    if found.owner:
        facts.append(("Owner", found.owner.get_full_name() or found.owner.get_username()))
    return [(label, value) for label, value in facts if value]


@require_safe
@never_cache
@signed_in
def budget_series(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/series/budgets/<slug>.json`: what the budget's chart draws."""
    found, organisation, now = _open(slug), Organisation.get(), timezone.now()
    standing, days = _days(found, organisation, now)
    return JsonResponse(_chart(found, standing, days, organisation))


@require_safe
@never_cache
@signed_in
def budget_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/budgets/<slug>.csv`: its days."""
    found, organisation, now = _open(slug), Organisation.get(), timezone.now()
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
    rows, _ = standings(organisation, now, Budget.objects.filter(pk=found.pk))
    return (rows[0], detail.days_of(found, rows[0], organisation, now)) if rows else (None, [])


def _open(slug: str) -> Budget:
    """The budget at this address; an archived one is gone."""
    found = get_object_or_404(Budget.objects.select_related("owner"), slug=slug)
    if found.status == Budget.Status.ARCHIVED:
        raise Http404
    return found
