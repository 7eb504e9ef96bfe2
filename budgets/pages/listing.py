"""The list of budgets and its CSV: by risk, filtered, searched and paged without building every row."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import reachable
from budgets.limits import scope as scopes
from budgets.limits.bulk import MOST as MOST_AT_ONCE
from budgets.limits.calendar import day_of
from budgets.models import Budget, Organisation
from budgets.pages.amounts import amount
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach, may_change_budgets
from budgets.pages.finding import COVERS, STATUSES, Filters, Found, find, offered
from budgets.pages.moments import day, moment, place
from budgets.pages.standing import EACH, Standing
from budgets.pages.standings import same_end, scope_names, standings, with_sparks

PER_PAGE = 50
IDLE_SHOWN = 10  # below the first page of all; the rest has a filter of its own
HEADER = (
    "budget", "covers", "metric", "currency", "from", "to", "limit", "spent", "even_pace", "calls", "status",
    "short_name", "amount", "period", "owner",
)  # fmt: skip


@require_safe
@never_cache
@in_reach
def budget_list(request: HttpRequest) -> HttpResponseBase:
    """`/budgets/`: every budget, the riskiest first, by status, name, team, owner and what it covers."""
    organisation, now = Organisation.get(), timezone.now()
    filters = Filters.of(request.GET.dict())
    found = find(filters, organisation, now, reachable(Budget, request.user))
    page = _page(filters, found, request.GET.get("page", ""))
    rows = [] if filters.status in OTHERS else _standings(list(page.object_list), organisation, now)
    others: Sequence[Budget] = []
    if filters.status in OTHERS:
        others = list(page.object_list)
    elif not filters.status and page.number == 1 and found.counts["idle"]:
        others = list(found.idle.select_related("owner")[:IDLE_SHOWN])
    names = scope_names(one.scope for one in others)
    return render(
        request,
        "budgets/list.html",
        {
            "here": "budgets",
            "organisation": organisation,
            "rows": rows,
            "same_end": same_end(rows),
            "zone_words": place(organisation.time_zone),
            "page": page,
            "others": [_other(one, names, organisation, now) for one in others],
            "total": found.counts[""] + found.counts["archived"] or _any_budget(request),
            "counts": found.counts,
            "filters": [(key, text, found.counts[key]) for key, text in STATUSES.items()],
            "given": filters,
            "covers": COVERS,
            "offered": offered(request.user),
            "note": filters.note,
            "may_change": may_change_budgets(request),
            "at_once": MOST_AT_ONCE,
            "picking": may_change_budgets(request) and filters.status != "archived",
        },
    )


OTHERS = ("idle", "archived")


def _page(filters: Filters, found: Found, number: str) -> Page[Any]:
    listed: Any = {"idle": found.idle, "archived": found.archived}.get(filters.status, found.ranked)
    if isinstance(listed, QuerySet):
        listed = listed.select_related("owner")
    return Paginator(listed, PER_PAGE).get_page(number)


def _standings(ranked: Sequence[Any], organisation: Organisation, now: datetime) -> list[Standing]:
    """The page's budgets in full, in the order in which they were ranked."""
    budgets = Budget.objects.filter(pk__in=[one.budget_id for one in ranked])
    rows, _ = standings(organisation, now, budgets)
    return with_sparks(rows, organisation, organisation.local(now).date())


def _any_budget(request: HttpRequest) -> bool:
    return reachable(Budget, request.user).exists()


def _other(one: Budget, names: dict[tuple[str, str], str], organisation: Organisation, now: datetime) -> dict[str, Any]:
    """A budget that has no figures now: archived, not begun, over, or just made."""
    local = organisation.local
    archived = one.status == Budget.Status.ARCHIVED
    return {
        "slug": one.slug,
        "name": one.name,
        "covers": scopes.in_words(one.scope, names),
        "terms": f"{amount(one.amount, one.metric)} {EACH.get(one.period, 'in its time')}",
        "is_archived": archived,
        "pill": f"Archived {moment(local(one.updated_at), local(now))}"
        if archived
        else idle_words(one, organisation, now),
    }


def idle_words(one: Budget, organisation: Organisation, now: datetime) -> str:
    """Why a budget has no figures now."""
    today = day_of(now, organisation.zone)
    if one.starts_on and one.starts_on > today:
        return f"Starts on {day(one.starts_on)}"
    if one.ends_on and one.ends_on < today:
        return f"Ended on {day(one.ends_on)}"
    return "Being counted"


@require_safe
@never_cache
@in_reach
def budgets_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/budgets.csv`: the same filters as the list; every row, not one page."""
    organisation, now = Organisation.get(), timezone.now()
    filters = Filters.of(request.GET.dict())
    found = find(filters, organisation, now, reachable(Budget, request.user))
    return csv_response("budgets", HEADER, _lines(filters, found, organisation, now))


def _lines(filters: Filters, found: Found, organisation: Organisation, now: datetime) -> Iterator[list[Any]]:
    ids = [one.budget_id for one in found.ranked]
    others = {"": found.idle, "idle": found.idle, "archived": found.archived}.get(filters.status)
    budgets = Budget.objects.filter(pk__in=ids).select_related("owner").in_bulk()
    rows, _ = standings(organisation, now, Budget.objects.filter(pk__in=ids))
    for row in rows:
        yield _running_line(row, budgets[row.budget_id])
    rest = list(others.select_related("owner")) if others is not None else []
    names = scope_names(one.scope for one in rest)
    for one in rest:
        covers = scopes.in_words(one.scope, names)
        words = "Archived" if one.status == Budget.Status.ARCHIVED else idle_words(one, organisation, now)
        yield [one.name, covers, one.metric, _currency(one.metric), *_dates(one), "", "", "", "", words, *_terms(one)]


def _running_line(row: Standing, budget: Budget) -> list[Any]:
    spent = [_value(number, row.metric) for number in (row.limit, row.spent, row.landing)]
    dates = [row.first.isoformat(), row.last.isoformat()]
    return [
        row.name,
        row.covers,
        row.metric,
        _currency(row.metric),
        *dates,
        *spent,
        row.calls,
        row.words,
        *_terms(budget),
    ]


def _terms(one: Budget) -> list[Any]:
    return [one.slug, _value(one.amount, one.metric), one.period, one.owner.get_username() if one.owner else ""]


def _dates(one: Budget) -> list[str]:
    return [_iso(one.starts_on), _iso(one.ends_on)]


def _iso(value: date | None) -> str:
    return value.isoformat() if value else ""


def _currency(metric: str) -> str:
    return currency_code() if metric == Budget.Metric.MONEY else ""


def _value(number: int | None, metric: str) -> str:
    return "" if number is None else exact(number) if metric == Budget.Metric.MONEY else str(number)
