"""After a change of rates: other costs in those currencies are converted anew, except those of closed days."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date

from budgets.audit.record import Actor, record
from budgets.currency.rates import RefusedRate, converted
from budgets.models import CurrencyRate, Organisation
from budgets.pages.amounts import MOST
from budgets.pages.moments import day_year
from usage.models import OtherCost


def convert_costs(actor: Actor, currencies: Collection[str], reason: str = "A rate changed.") -> int:
    """Bring the costs' dollars up to date, with a row of history each; how many changed.

    Inside `changing_rates`. Raises RefusedRate where a cost would be left without a rate. Three statements and two for
    each cost that changes.
    """
    closed = Organisation.get().closed_before
    rows = OtherCost.objects.select_for_update(no_key=True).filter(currency__in=currencies, removed_at=None)
    if closed is not None:
        rows = rows.filter(first_day__gte=closed)
    found = list(rows.order_by("pk"))
    if not found:
        return 0
    known: dict[str, list[CurrencyRate]] = defaultdict(list)
    for rate in CurrencyRate.objects.filter(currency__in={row.currency for row in found}).order_by("day"):
        known[rate.currency].append(rate)
    changed = 0
    for row in found:
        rate_then = newest(known[row.currency], row.first_day)
        if rate_then is None:
            raise RefusedRate(
                f"“{row.name}” ({row.currency}, from {day_year(row.first_day)}) is converted by this rate, and none "
                "would be left for it. Add another rate first."
            )
        cost = converted(row.amount, rate_then.per_dollar)
        if abs(cost) > MOST:
            raise RefusedRate(f"At this rate “{row.name}” would be more than TokenOps can count in dollars.")
        if cost != row.cost:
            before, row.cost = row.cost, cost
            row.save(update_fields=["cost"])
            record(actor, "converted", row, {"cost": before}, {"cost": cost}, reason)
            changed += 1
    return changed


def newest(rates: Sequence[CurrencyRate], day: date) -> CurrencyRate | None:
    """Of one currency's rates, oldest first, the one that holds on `day`."""
    at = bisect_right(rates, day, key=lambda one: one.day)
    return rates[at - 1] if at else None
