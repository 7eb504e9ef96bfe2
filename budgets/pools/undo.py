"""Take back what was last done to a pool, or to a budget's place in one."""

from decimal import Decimal

from budgets.audit.record import Actor
from budgets.limits.edit import InvalidBudget, RefusedEdit
from budgets.models import AuditEntry, Budget
from budgets.pools.membership import DIVIDED, JOINED, LEFT, SHARED, join_pool, leave_pool, set_shares, set_sharing
from budgets.pools.reallocate import SHARED_OUT, undo_share_out

ACTS = (SHARED, JOINED, LEFT, DIVIDED, SHARED_OUT)


def undo_of_pools(actor: Actor, budget: Budget, entry: AuditEntry, reason: str) -> Budget:
    """Undo `entry`, one of ACTS and the newest of `budget`. Raises RefusedEdit where that no longer fits."""
    before = entry.before or {}
    try:
        if entry.act == SHARED_OUT:
            return undo_share_out(actor, budget, entry, reason)
        if entry.act == SHARED:
            return set_sharing(actor, budget, before["sharing"], before["shares_nightly"], reason)
        if entry.act == DIVIDED:
            now = dict(budget.children.values_list("slug", "pk"))
            shares = {now[slug]: _share(share) for slug, share in before["shares"].items() if slug in now}
            return set_shares(actor, budget, shares, reason)
        if before["pool"] is None:
            return leave_pool(actor, budget, reason)
        pool = Budget.objects.filter(slug=before["pool"]).first()
        if pool is None:
            raise RefusedEdit("The pool it was in is gone.")
        return join_pool(actor, pool, budget, _share(before["pool_share"]), reason)
    except InvalidBudget as error:
        raise RefusedEdit(str(error)) from error


def _share(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
