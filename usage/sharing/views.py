"""Reading pools: the list, one pool, their CSV. Changing them is in `changes`."""

from collections.abc import Iterable
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.limits import scope as scopes
from budgets.models import Budget, Organisation
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import may_change_budgets, signed_in
from budgets.pages.standings import scope_names
from budgets.pools.membership import live_children
from budgets.pools.reading import Member, could_join, members, pools, sums_of
from usage.sharing.forms import JoinForm, SharesForm, SharingForm, share_text
from usage.sharing.proposal import propose

PER_PAGE = 50
CHILDREN_PER_PAGE = 100
SUGGESTED = 200


@require_safe
@never_cache
@signed_in
def pool_list(request: HttpRequest) -> HttpResponseBase:
    """`/pools/`: every pool with how much of it is given out."""
    query = request.GET.get("q", "").strip()[:100].replace("\0", "")
    page = Paginator(pools(query), PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "pools/list.html",
        {
            "here": "budgets",
            "organisation": Organisation.get(),
            "page": page,
            "query": query,
            "is_empty": not query and not page.paginator.count,
            "may_change": may_change_budgets(request),
        },
    )


@require_safe
@never_cache
@signed_in
def pools_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/pools.csv`: the list with its filter, every row."""
    found: Iterable[Any] = pools(request.GET.get("q", "").strip()[:100].replace("\0", ""))  # with their sums
    return csv_response(
        "pools",
        [
            "pool",
            "slug",
            "period",
            "metric",
            "currency",
            "amount",
            "budgets",
            "given_out",
            "left",
            "sharing",
            "nightly",
        ],
        (
            [
                one.name,
                one.slug,
                one.period,
                one.metric,
                unit(one),
                value(one, one.amount),
                one.members,
                value(one, int(one.given)),
                value(one, one.amount - int(one.given)),
                one.sharing,
                "yes" if one.shares_nightly else "no",
            ]
            for one in found
        ),
    )


def value(budget: Budget, amount: int) -> str:
    """An amount as CSV has it: money in the currency shown."""
    return exact(amount) if budget.metric == Budget.Metric.MONEY else str(amount)


def unit(budget: Budget) -> str:
    return currency_code() if budget.metric == Budget.Metric.MONEY else ""


@require_safe
@never_cache
@signed_in
def pool(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/pools/<slug>/`: the pool, what its budgets have and spent, what is not given out."""
    return pool_page(request, open_pool(slug))


def open_pool(slug: str) -> Budget:
    """The pool at this address; 404 where none is."""
    found = Budget.objects.exclude(status=Budget.Status.ARCHIVED).exclude(sharing="")
    return get_object_or_404(found, slug=slug)


def pool_page(
    request: HttpRequest,
    found: Budget,
    joining: JoinForm | None = None,
    sharing: SharingForm | None = None,
    shares: SharesForm | None = None,
    status: int | None = None,
) -> HttpResponse:
    """The page, with a form that was refused as it was typed."""
    now = timezone.now()
    children = live_children(found).order_by("name", "pk")
    page = Paginator(children, CHILDREN_PER_PAGE).get_page(request.GET.get("page"))
    rows = members(list(page.object_list), now)
    names = scope_names([row.budget.scope for row in rows])
    may_change = may_change_budgets(request)
    refused = any(form is not None for form in (joining, sharing, shares))
    stated = {"sharing": found.sharing, "shares_nightly": found.shares_nightly}
    return render(
        request,
        "pools/pool.html",
        {
            "here": "budgets",
            "organisation": Organisation.get(),
            "pool": found,
            "sums": sums_of(found, now),
            "own": members([found], now)[0],
            "rows": [_row(one, names, shares) for one in rows],
            "page": page,
            "joining": joining or JoinForm(),
            "sharing": sharing or SharingForm(initial=stated),
            "shares": shares,
            "candidates": could_join(found).values_list("slug", "name")[:SUGGESTED] if may_change else [],
            "may_change": may_change,
        },
        status=status or (422 if refused else 200),
    )


def _row(member: Member, names: dict[tuple[str, str], str], shares: SharesForm | None) -> dict[str, Any]:
    child = member.budget
    return {
        "member": member,
        "budget": child,
        "covers": scopes.in_words(child.scope, names),
        "typed": (shares.typed if shares else {}).get(child.pk, share_text(child.pool_share)),
        "error": (shares.errors if shares else {}).get(child.pk, ""),
    }


@require_safe
@never_cache
@signed_in
def pool_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/pools/<slug>.csv`: every budget of the pool."""
    found = open_pool(slug)
    rows = members(list(live_children(found).order_by("name", "pk")), timezone.now())
    names = scope_names([row.budget.scope for row in rows])
    return csv_response(
        f"pool-{slug}",
        ["budget", "slug", "covers", "share_percent", "currency", "amount", "spent"],
        (
            [
                row.budget.name,
                row.budget.slug,
                scopes.in_words(row.budget.scope, names),
                share_text(row.budget.pool_share),
                unit(found),
                value(found, row.budget.amount),
                "" if row.spent is None else value(found, row.spent),
            ]
            for row in rows
        ),
    )


@require_safe
@never_cache
@signed_in
def share_out_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/pools/<slug>/share-out.csv`: what sharing it out now would change."""
    found = open_pool(slug)
    proposal = propose(found, Organisation.get(), timezone.now())
    return csv_response(
        f"share-out-{slug}",
        ["budget", "weight", "recent_use", "days", "spent", "currency", "before", "after", "why"],
        (
            [
                line.budget.name,
                f"{float(line.demand.weight):.4f}",
                value(found, line.demand.used),
                line.demand.days,
                value(found, line.spent),
                unit(found),
                value(found, line.before),
                value(found, line.after),
                line.why,
            ]
            for line in proposal.lines
        ),
    )
