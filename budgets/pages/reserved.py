"""What gateways have set aside of a hard budget: a section of its page, and its CSV."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import fetched
from budgets.leases.holdings import Holding, holdings
from budgets.leases.reading import standing_of_budget
from budgets.models import Budget, Organisation
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from budgets.pages.moments import clock


@dataclass(frozen=True)
class Row:
    """One gateway; `until` as text, in the organisation’s zone."""

    held: Holding
    until: str


@dataclass(frozen=True)
class Reserved:
    """Who holds how much, nano-dollars; `free`: what may still be given, None where the period is not counted yet."""

    rows: tuple[Row, ...]
    total: int
    free: int | None


def reserved(budget: Budget, organisation: Organisation, now: datetime) -> Reserved | None:
    """For a budget that is reserved before it is spent; None for any other. Three statements at most."""
    if not budget.is_hard or budget.status != Budget.Status.ACTIVE:
        return None
    held = holdings(budget, now)
    with connection.cursor() as cursor:
        standing = standing_of_budget(cursor, budget.pk, now)
    rows = tuple(Row(one, clock(organisation.local(one.until))) for one in held)
    return Reserved(rows, sum(one.amount for one in held), max(0, standing.free) if standing else None)


@require_safe
@never_cache
@in_reach
def reserved_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/budgets/<slug>/reserved.csv`: who holds how much of it."""
    budget = fetched(Budget, request.user, slug=slug)
    found = reserved(budget, Organisation.get(), timezone.now())
    return csv_response(
        f"reserved-{slug}",
        ["gateway", "reservations", "amount", "waiting_for_usage", "until", "currency"],
        (
            [
                row.held.holder,
                str(row.held.leases),
                exact(row.held.amount),
                exact(row.held.waiting),
                row.held.until.isoformat(),
                currency_code(),
            ]
            for row in (found.rows if found else ())
        ),
    )
