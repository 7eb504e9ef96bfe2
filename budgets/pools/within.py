"""What a pool allows its budgets, and they it: said in a sentence before the database's trigger says no."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError
from django.db.models import Count, Q, Sum

from budgets.models import Budget
from budgets.pools.words import exactly

CONSTRAINT = "budget_pool_amounts"
ALIKE = ("metric", "period", "starts_on", "ends_on")
ONCE_MORE = "Somebody changed another budget of the same pool in this moment. Nothing was saved; look again and repeat."


class PoolChangedMeanwhile(Exception):
    """The database refused at the end of a transaction what the sentences here had let pass; nothing was saved."""

    def __init__(self) -> None:
        super().__init__(ONCE_MORE)


def problems_with(row: Budget) -> dict[str, str]:
    """Field → sentence for what `row`, changed and not saved yet, would break of its pool or as a pool.

    Under the configuration lock, so that no other budget changes meanwhile. No statement for a budget outside pools.
    """
    if row.pool_id is not None and row.status != Budget.Status.ARCHIVED:
        return _as_child(row)
    return _as_pool(row) if row.sharing else {}


def _as_child(row: Budget) -> dict[str, str]:
    pool = row.pool
    assert pool is not None  # asked for budgets of pools only
    if pool.status == Budget.Status.ARCHIVED:
        return {"amount": f"It belongs to the pool “{pool.name}”, which is archived. Take it out of that pool first."}
    for name in ALIKE:
        if getattr(row, name) != getattr(pool, name):
            said = (
                f"It belongs to the pool “{pool.name}”, whose budgets all count {pool.metric} over the same time "
                f"({pool.get_period_display().lower()}). Take it out of the pool first."
            )
            return {name: said}
    others = Budget.objects.filter(pool=pool).exclude(pk=row.pk).exclude(status=Budget.Status.ARCHIVED)
    sums = others.aggregate(given=Sum("amount", default=0), shares=Sum("pool_share", default=0))
    left = pool.amount - int(sums["given"])
    if row.amount > left:
        return {"amount": _too_much(row, pool, left)}
    if (row.pool_share or 0) + sums["shares"] > 1:
        return {"pool_share": f"The shares of the pool “{pool.name}” would come to more than 100 percent."}
    return {}


def _too_much(row: Budget, pool: Budget, left: int) -> str:
    whole, metric = exactly(pool.amount, pool.metric), pool.metric
    if left <= 0:
        rest = f"all of its {whole} is given out. Lower another budget of the pool first, or raise the pool."
    else:
        rest = (
            f"of its {whole} only {exactly(left, metric)} is left for this budget. "
            "Lower another budget of the pool first, or raise the pool."
        )
    return f"{exactly(row.amount, metric)} does not fit into the pool “{pool.name}”: {rest}"


def _as_pool(row: Budget) -> dict[str, str]:
    unlike = Q()
    for name in ALIKE:
        value = getattr(row, name)
        unlike |= Q(**{f"{name}__isnull": False}) if value is None else ~Q(**{name: value})
    found = (
        Budget.objects.filter(pool=row)
        .exclude(status=Budget.Status.ARCHIVED)
        .aggregate(count=Count("pk"), given=Sum("amount", default=0), unlike=Count("pk", filter=unlike))
    )
    if not found["count"]:
        return {}
    budgets = "1 budget shares" if found["count"] == 1 else f"{found['count']} budgets share"
    if row.status == Budget.Status.ARCHIVED:
        return {"status": f"{budgets} this pool. Take them out of it first, then archive it."}
    if found["unlike"]:
        return {"period": f"{budgets} this pool, over the same time and counted alike. Take them out of it first."}
    if row.amount < found["given"]:
        given = exactly(int(found["given"]), row.metric)
        return {"amount": f"{budgets} this pool and have {given} in all. It cannot have less; lower them first."}
    return {}


@contextmanager
def told_in_words() -> Iterator[None]:
    """Around a whole transaction: what the trigger refuses at its end is raised as PoolChangedMeanwhile."""
    try:
        yield
    except IntegrityError as error:
        said = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if said == CONSTRAINT:
            raise PoolChangedMeanwhile from error
        raise
