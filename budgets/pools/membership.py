"""Which budgets share a pool, and how: each change in one transaction with its row of history."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.limits.calendar import day_of
from budgets.limits.edit import InvalidBudget, RefusedEdit, StaleEdit, changing_pools_too
from budgets.models import Budget, Organisation
from budgets.notices.hint import hint_settle
from budgets.pools.within import ALIKE, problems_with

SHARED, JOINED, LEFT, DIVIDED = "set sharing of", "pooled", "unpooled", "divided"
STEP = Decimal("0.0001")
ALL = Decimal(1)


def set_sharing(
    actor: Actor,
    budget: Budget,
    sharing: str,
    shares_nightly: bool = False,
    reason: str = "",
    expected_version: int | None = None,
) -> Budget:
    """Make a budget a pool, share it otherwise, or (`sharing` empty) make it a plain budget again.

    Raises InvalidBudget, StaleEdit, or RefusedEdit where it is archived, in a pool itself or still shared.
    """
    if sharing not in {"", *Budget.Sharing.values}:
        raise InvalidBudget({"sharing": f"Choose from: {', '.join(Budget.Sharing.values)}."})
    with changing_pools_too():
        row = _locked(budget, expected_version)
        if row.status == Budget.Status.ARCHIVED:
            raise RefusedEdit(f"{row.name} is archived and can no longer be shared. Choose another budget.")
        if row.pool_id is not None:
            raise RefusedEdit(f"{row.name} is itself part of a pool. Take it out of that one first.")
        if not sharing and live_children(row).exists():
            raise RefusedEdit(f"Budgets still share {row.name}. Take them out of it first.")
        before = {"sharing": row.sharing, "shares_nightly": row.shares_nightly}
        if shares_nightly and not row.shares_nightly:
            row.shared_on = day_of(timezone.now(), Organisation.get().zone)  # the first turn is tonight's
        row.sharing, row.shares_nightly = sharing, shares_nightly and bool(sharing)
        after = {"sharing": row.sharing, "shares_nightly": row.shares_nightly}
        if after != before:
            _save(actor, row, SHARED, before, after, reason)
    return row


def join_pool(actor: Actor, pool: Budget, child: Budget, share: Decimal | None = None, reason: str = "") -> Budget:
    """Put a budget into a pool; it keeps its amount, which must fit. `share` (0 to 1): see `Budget.pool_share`.

    Raises InvalidBudget or RefusedEdit.
    """
    share = _checked(share)
    with changing_pools_too():
        pool, row = _locked(pool, None), _locked(child, None)
        _refuse_joining(pool, row)
        before = _membership(row)
        row.pool, row.pool_share = pool, share
        if problems := problems_with(row):
            raise InvalidBudget(problems)
        if _membership(row) != before:
            _save(actor, row, JOINED, before, _membership(row), reason)
    return row


def leave_pool(actor: Actor, child: Budget, reason: str = "") -> Budget:
    """Take a budget out of its pool; it keeps its amount. Raises RefusedEdit where it is in none."""
    with changing_pools_too():
        row = _locked(child, None)
        if row.pool is None:
            raise RefusedEdit(f"{row.name} is in no pool.")
        before = _membership(row)
        row.pool, row.pool_share = None, None
        _save(actor, row, LEFT, before, _membership(row), reason)
    return row


def set_shares(
    actor: Actor,
    pool: Budget,
    shares: Mapping[int, Decimal | None],
    reason: str = "",
    expected_version: int | None = None,
) -> Budget:
    """Set what share of the pool (0 to 1, None: none stated) its budgets get; `shares` by their ids.

    Amounts stay as they are until the pool is shared out. Raises InvalidBudget, StaleEdit.
    """
    shares = {pk: _checked(share) for pk, share in shares.items()}
    with changing_pools_too():
        row = _locked(pool, expected_version)
        children = list(live_children(row).select_for_update(no_key=True).order_by("pk"))
        if set(shares) - {child.pk for child in children}:
            raise StaleEdit(row)
        before = {child.slug: _text(child.pool_share) for child in children}
        for child in children:
            child.pool_share = shares.get(child.pk, child.pool_share)
        if sum((child.pool_share or Decimal(0) for child in children), Decimal(0)) > ALL:
            raise InvalidBudget({"pool_share": f"The shares come to {_total(children)} percent; 100 is all there is."})
        after = {child.slug: _text(child.pool_share) for child in children}
        if after != before:
            Budget.objects.bulk_update(children, ["pool_share"])
            _save(actor, row, DIVIDED, {"shares": before}, {"shares": after}, reason)
    return row


def live_children(pool: Budget) -> Any:
    """The budgets that share a pool now."""
    return Budget.objects.filter(pool=pool).exclude(status=Budget.Status.ARCHIVED)


def _total(children: list[Budget]) -> str:
    return f"{sum((child.pool_share or Decimal(0) for child in children), Decimal(0)) * 100:f}".rstrip("0").rstrip(".")


def _checked(share: Decimal | None) -> Decimal | None:
    if share is None:
        return None
    if not share.is_finite() or not 0 <= share <= 1 or share != share.quantize(STEP):
        raise InvalidBudget({"pool_share": "A share is 0 to 100 percent, with at most two digits after the point."})
    return share.quantize(STEP)


def _refuse_joining(pool: Budget, row: Budget) -> None:
    if not pool.sharing or pool.status == Budget.Status.ARCHIVED:
        raise RefusedEdit(f"{pool.name} is no pool. Choose a pool, or make it one first.")
    if row.pk == pool.pk:
        raise InvalidBudget({"budget": "A pool cannot be part of itself."})
    if row.status == Budget.Status.ARCHIVED:
        raise InvalidBudget({"budget": f"{row.name} is archived. Choose a budget that is in use."})
    if row.sharing:
        raise InvalidBudget({"budget": f"{row.name} is itself a pool, and pools are not shared among pools."})
    if row.pool_id not in {None, pool.pk}:
        raise InvalidBudget({"budget": f"{row.name} is in another pool. Take it out of that one first."})
    if any(getattr(row, name) != getattr(pool, name) for name in ALIKE):
        said = (
            f"{row.name} counts {row.metric} ({row.get_period_display().lower()}), the pool {pool.metric} "
            f"({pool.get_period_display().lower()}). Both must be the same."
        )
        raise InvalidBudget({"budget": said})


def _locked(budget: Budget, expected_version: int | None) -> Budget:
    row = Budget.objects.select_for_update(no_key=True, of=("self",)).select_related("pool").get(pk=budget.pk)
    if expected_version is not None and row.edit_version != expected_version:
        raise StaleEdit(row)
    return row


def _membership(row: Budget) -> dict[str, Any]:
    return {"pool": row.pool.slug if row.pool else None, "pool_share": _text(row.pool_share)}


def _text(share: Decimal | None) -> str | None:
    return None if share is None else str(share.quantize(STEP))


def _save(actor: Actor, row: Budget, act: str, before: dict[str, Any], after: dict[str, Any], reason: str) -> None:
    row.edit_version += 1
    row.save()
    record(actor, act, row, before, after, reason)
    transaction.on_commit(hint_settle)
