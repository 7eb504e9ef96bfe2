"""Reading workflows: the list, what nobody claims, one workflow, their CSV and chart. Changing them is in `changes`."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import fetched, reachable
from budgets.access.roles import VIEW, may, reach
from budgets.models import Budget, Organisation, Team, Workflow
from budgets.pages.amounts import per_unit
from budgets.pages.csv import csv_response, currency_code
from budgets.pages.door import in_reach, signed_in
from budgets.pages.moments import MONTHS, place
from budgets.pages.standings import standings
from budgets.workflows.guardrails import COUNTED, LIMITS, in_words
from budgets.workflows.lifecycle import boundaries
from usage.prices.known import Costing, known_cost
from usage.prices.showing import cost_in_file, cost_words
from usage.workflows.filters import NO_TEAM, TABS, Filters
from usage.workflows.history import history_of
from usage.workflows.reading import (
    PER_PAGE,
    TIERS,
    Listed,
    Month,
    list_workflows,
    nameless_total,
    outcome_of,
    tab_counts,
    unclaimed_total,
)
from usage.workflows.spending import daily_of, spending_of

CHANGE = "budgets.change_workflow"
OFFERED = 300
COLUMNS = (
    ("name", "Workflow", ""), ("spend", "Spent", "n"), ("calls", "Calls", "n"), ("", "Per asset", "n"),
    ("team", "Team", ""), ("owner", "Owner", ""), ("tier", "Usual models", ""), ("status", "Status", ""),
)  # fmt: skip


def month_words(month: Month) -> str:
    return f"{MONTHS[month.first.month - 1]} {month.first.year}"


def people() -> list[tuple[str, str]]:
    """(user name, what they are called) of everybody who may answer for a workflow. One statement."""
    found = get_user_model().objects.filter(is_active=True).order_by("username")[:OFFERED]
    return [(person.get_username(), person.get_full_name() or person.get_username()) for person in found]


def teams(who: Any) -> list[tuple[str, str]]:
    """(short name, name) of those in reach."""
    return list(reachable(Team, who).order_by("name").values_list("slug", "name")[:OFFERED])


@require_safe
@never_cache
@in_reach
def workflow_list(request: HttpRequest) -> HttpResponseBase:
    """`/workflows/`: who answers for what, and what it spent this month."""
    organisation, now = Organisation.get(), timezone.now()
    month, filters = Month.of(organisation, now), Filters.of(request.GET.dict(), reach(request.user, VIEW))
    counts = tab_counts(filters)
    page = Paginator(range(counts[filters.status]), PER_PAGE).get_page(request.GET.get("page"))
    listed = list_workflows(filters, month, page.number) if counts[filters.status] else Listed(())
    return render(
        request,
        "workflows/list.html",
        _frame(organisation)
        | {
            "month_words": month_words(month),
            "filters": filters,
            "tabs": [
                (key, words, counts[key], filters.address(status=key), key == filters.status)
                for key, (words, _) in TABS.items()
            ],
            "columns": _columns(filters),
            "listed": listed,
            "costs": [(row, _per_asset(row, row.runs_cost, row.assets)) for row in listed.rows],
            "page": page,
            "teams": [(NO_TEAM, "No team"), *teams(request.user)],
            "is_first": not any(counts.values()) and not filters.is_narrowed,
            "may_change": request.user.has_perm(CHANGE),
        },
    )


def _per_asset(used: Costing, runs_cost: int, assets: int) -> str:
    """What an approved asset costs of what was used; "" where there is none."""
    is_unknown = assets > 0 and not runs_cost and known_cost(used) is None
    return cost_words(used) if is_unknown else per_unit(runs_cost, assets)


def _frame(organisation: Organisation) -> dict[str, Any]:
    return {"here": "workflows", "organisation": organisation, "zone_words": place(organisation.time_zone)}


def _columns(filters: Filters) -> list[dict[str, str]]:
    """Heading, address that sorts by it (the other way at the second click), and which way it is sorted now."""
    found = []
    for key, words, kind in COLUMNS:
        if not key:
            found.append({"words": words, "kind": kind, "address": "", "way": ""})
            continue
        first = f"-{key}" if kind else key
        other = key if kind else f"-{key}"
        way = {key: "ascending", f"-{key}": "descending"}.get(filters.sort, "")
        address = filters.address(sort=other if filters.sort == first else first)
        found.append({"words": words, "kind": kind, "address": address, "way": way})
    return found


@require_safe
@never_cache
@in_reach
def workflows_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/workflows.csv`: the same filter as the list; every row, not one page."""
    organisation, now = Organisation.get(), timezone.now()
    month = Month.of(organisation, now)
    listed = list_workflows(Filters.of(request.GET.dict(), reach(request.user, VIEW)), month, page=None)
    header = [
        "workflow", "short_name", "status", "paused", "team", "owner", "tier", "counts_under", "month", "spent",
        "currency", "calls", "calls_without_price",
    ]  # fmt: skip
    return csv_response(
        f"workflows-{month.first:%Y-%m}",
        header,
        (
            [
                row.name,
                row.slug,
                row.status,
                "yes" if row.is_paused else "no",
                row.team_slug,
                row.owner,
                row.tier or "",
                row.merged_into_slug,
                month.first.strftime("%Y-%m"),
                cost_in_file(row),
                currency_code(),
                row.calls,
                row.unpriced,
            ]
            for row in listed.rows
        ),
    )


@require_safe
@never_cache
@signed_in
def unassigned(request: HttpRequest) -> HttpResponseBase:
    """`/workflows/unassigned/`: spend that no workflow claims, dearest first, to claim, merge or ignore."""
    return render(request, "workflows/unassigned.html", unassigned_context(request, request.GET.dict()))


def unassigned_context(request: HttpRequest, query: Mapping[str, str]) -> dict[str, Any]:
    """What the page shows; also after a bulk claim that was refused."""
    organisation, now = Organisation.get(), timezone.now()
    month = Month.of(organisation, now)
    filters = Filters.of({"status": "discovered", "q": query.get("q", "")})
    count = tab_counts(filters)["discovered"]
    page = Paginator(range(count), PER_PAGE).get_page(query.get("page"))
    listed = list_workflows(filters, month, page.number) if count else Listed(())
    return _frame(organisation) | {
        "month_words": month_words(month),
        "filters": filters,
        "rows": listed.rows,
        "page": page,
        "unclaimed": unclaimed_total(month),
        "nameless": nameless_total(month),
        "people": people(),
        "teams": teams(request.user),
        "chosen": {"owner": request.user.get_username(), "team": ""},
        "may_change": request.user.has_perm(CHANGE),
        "problems": {},
    }


@require_safe
@never_cache
@in_reach
def workflow(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/workflows/<slug>/`: all about one of them."""
    found = named(request, slug)
    return render(request, "workflows/detail.html", detail_context(request, found))


def named(request: HttpRequest, slug: str, permission: str = VIEW) -> Workflow:
    """The workflow with this slug, its people joined; 404 where none is in reach, 403 without the permission for it."""
    rows = Workflow.objects.select_related("team", "owner", "merged_into")
    return fetched(rows, request.user, permission, slug=slug)


def detail_context(request: HttpRequest, found: Workflow) -> dict[str, Any]:
    """What the page shows; a fixed number of statements."""
    organisation, now = Organisation.get(), timezone.now()
    month = Month.of(organisation, now)
    spending = spending_of(found, organisation, month)
    used = spending.of(month.first)
    assets, runs_cost = outcome_of(found, month)
    said = in_words(found.guardrails if isinstance(found.guardrails, dict) else {})
    return _frame(organisation) | {
        "workflow": found,
        "facts": _facts(found),
        "tier_words": TIERS.get(found.default_tier or 0, ""),
        "month_words": month_words(month),
        "used": used,
        "is_known": known_cost(used) is not None,
        "assets": assets,
        "per_asset": _per_asset(used, runs_cost, assets),
        "spending": spending,
        "daily": daily_of(found, organisation, month),
        "limits": [one for one in said if not one.task_type],
        "own_limits": _by_task_type(said),
        "counted": COUNTED,
        "limit_count": len(LIMITS),
        "aliases": list(found.aliases.order_by("name")),
        "budgets": _budgets(request, found, organisation, now),
        "boundaries": boundaries(found) if found.is_claimed else [],
        "history": history_of(found, organisation, now),
        "may_change": may(request.user, CHANGE, found),
    }


def _by_task_type(said: list[Any]) -> list[tuple[str, list[Any]]]:
    names = dict.fromkeys(one.task_type for one in said if one.task_type)
    return [(name, [one for one in said if one.task_type == name]) for name in names]


def _facts(found: Workflow) -> list[tuple[str, str]]:
    """What is stated about it, as label and value; what is not stated is left out."""
    risks = found.risk_categories if isinstance(found.risk_categories, list) else []
    stages = found.stages if isinstance(found.stages, list) else []
    owner = (found.owner.get_full_name() or found.owner.get_username()) if found.owner else "nobody yet"
    group = found.team
    from_team = f"{group.cost_centre}, the team’s" if group and group.cost_centre else ""
    code_from_team = f"{group.ledger_code}, the team’s" if group and group.ledger_code else ""
    facts = [
        ("Owner", owner),
        ("Team", group.name if group else "none"),
        ("Cost centre", found.cost_centre or from_team),
        ("Ledger code", found.ledger_code or code_from_team),
        ("Stages", ", ".join(map(str, stages))),
        ("Risk", ", ".join(map(str, risks))),
        ("Usual models", TIERS.get(found.default_tier, f"Tier {found.default_tier}") if found.default_tier else ""),
        ("Value weight", f"{found.value_weight.normalize():f}"),
        ("Short name", found.slug),
    ]
    return [(label, value) for label, value in facts if value]


def _budgets(request: HttpRequest, found: Workflow, organisation: Organisation, now: Any) -> list[Any]:
    """Standings of the budgets that count its calls, all or some of them, the riskiest first."""
    names = {"workflow": found.slug} | ({"team": found.team.slug} if found.team else {})
    covering = reachable(Budget, request.user).exclude(status=Budget.Status.ARCHIVED)
    own = covering.filter(scope__workflow=found.slug) | covering.filter(scope__contained_by=names)
    return standings(organisation, now, own)[0]


@require_safe
@never_cache
@in_reach
def workflow_series(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/series/workflows/<slug>.json`: what the workflow's chart draws."""
    organisation = Organisation.get()
    found = daily_of(named(request, slug), organisation, Month.of(organisation, timezone.now()))
    return JsonResponse(found.chart if found else {})


@require_safe
@never_cache
@in_reach
def workflow_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/workflows/<slug>.csv`: its months and models."""
    organisation = Organisation.get()
    spending = spending_of(named(request, slug), organisation, Month.of(organisation, timezone.now()))
    return csv_response(
        f"workflow-{slug}",
        ["month", "model", "spent", "currency", "calls", "calls_without_price"],
        (
            [row.month.strftime("%Y-%m"), row.model, cost_in_file(row), currency_code(), row.calls, row.unpriced]
            for row in spending.rows
        ),
    )
