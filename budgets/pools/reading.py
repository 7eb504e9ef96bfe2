"""Pools and their budgets as pages and API read them: in SQL, a fixed number of statements for any number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from budgets.models import Budget, BudgetState
from budgets.pools.membership import live_children

LIVE = ~Q(children__status=Budget.Status.ARCHIVED) & Q(children__isnull=False)


@dataclass(frozen=True, slots=True)
class Member:
    """A budget of a pool. `spent` in its present period; None while it is being counted."""

    budget: Budget
    spent: int | None

    @property
    def percent(self) -> int | None:
        """Of its amount, rounded down."""
        return None if self.spent is None else self.spent * 100 // self.budget.amount


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all budgets of a pool. `shares`: 0 to 1."""

    count: int
    given: int
    spent: int
    left: int
    shares: float


def pools(search: str = "") -> QuerySet[Budget]:
    """Every pool in use, by name, with `members` (how many share it) and `given` (what they have in all)."""
    found = Budget.objects.exclude(sharing="").exclude(status=Budget.Status.ARCHIVED)
    if search:
        found = found.filter(Q(name__icontains=search) | Q(slug__icontains=search))
    return found.annotate(
        members=Count("children", filter=LIVE), given=Coalesce(Sum("children__amount", filter=LIVE), Value(0))
    ).order_by("name", "pk")


def sums_of(pool: Budget, now: datetime) -> Sums:
    """Two statements."""
    found = live_children(pool).aggregate(
        count=Count("pk"), given=Sum("amount", default=0), shares=Sum("pool_share", default=0)
    )
    spent = BudgetState.objects.filter(
        budget__pool=pool, budget__in=live_children(pool), starts_at__lte=now, ends_at__gt=now
    ).aggregate(total=Sum("spent", default=0))
    given = int(found["given"])
    return Sums(found["count"], given, int(spent["total"]), pool.amount - given, found["shares"])


def members(budgets: Sequence[Budget], now: datetime) -> list[Member]:
    """These budgets with what each has spent. One statement."""
    states = BudgetState.objects.filter(budget__in=[one.pk for one in budgets], starts_at__lte=now, ends_at__gt=now)
    spent = dict(states.values_list("budget_id", "spent"))
    return [Member(one, spent.get(one.pk)) for one in budgets]


def could_join(pool: Budget) -> QuerySet[Budget]:
    """Budgets that count the same over the same time and are in no pool yet."""
    return (
        Budget.objects.filter(
            pool=None,
            sharing="",
            metric=pool.metric,
            period=pool.period,
            starts_on=pool.starts_on,
            ends_on=pool.ends_on,
        )
        .exclude(status=Budget.Status.ARCHIVED)
        .order_by("name")
    )
