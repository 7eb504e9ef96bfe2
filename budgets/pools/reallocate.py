"""Share a pool out anew: the amounts of its budgets, in one transaction, as they were previewed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.limits.edit import InvalidBudget, RefusedEdit, changing_pools_too
from budgets.limits.evaluate import evaluate_here, publish_change
from budgets.limits.values import MOST, values_of
from budgets.models import AuditEntry, Budget
from budgets.notices.hint import hint_settle
from budgets.pools.membership import live_children
from budgets.pools.words import exactly

SHARED_OUT = "shared out"


@dataclass(frozen=True, slots=True)
class Previewed:
    """What somebody saw and confirms: `amounts` and `versions` (`Budget.edit_version`) by the children's ids."""

    pool_version: int
    amounts: Mapping[int, int]
    versions: Mapping[int, int]


class StalePreview(Exception):
    """The pool or one of its budgets changed since the preview was made. Nothing was saved."""

    def __init__(self) -> None:
        super().__init__(
            "The pool or one of its budgets changed since this preview. Nothing was saved; look at it anew."
        )


def share_out(actor: Actor, pool: Budget, previewed: Previewed, reason: str = "") -> AuditEntry | None:
    """Give each budget of the pool its previewed amount; the pool's row of history, None where nothing changed.

    One row of history for each budget that changes and one for the pool. Raises StalePreview, InvalidBudget.
    """
    with changing_pools_too():
        row, children = _locked(pool)
        if row.edit_version != previewed.pool_version or previewed.versions != {
            child.pk: child.edit_version for child in children
        }:
            raise StalePreview
        return _give(actor, row, children, previewed.amounts, reason)


def undo_share_out(actor: Actor, pool: Budget, entry: AuditEntry, reason: str) -> Budget:
    """Give every budget back what it had before `entry`; each must still have what that gave it, else RefusedEdit."""
    with changing_pools_too():
        row, children = _locked(pool)
        before, after = (entry.before or {})["amounts"], (entry.after or {})["amounts"]
        by_slug = {child.slug: child for child in children}
        if any(slug not in by_slug or by_slug[slug].amount != given for slug, given in after.items()):
            raise RefusedEdit(
                "A budget of this pool was changed or taken out since. Nothing was changed; share it out anew instead."
            )
        try:
            _give(actor, row, children, {by_slug[slug].pk: had for slug, had in before.items()}, reason)
        except InvalidBudget as error:
            raise RefusedEdit(str(error)) from error
    return row


def _locked(pool: Budget) -> tuple[Budget, list[Budget]]:
    row = Budget.objects.select_for_update(no_key=True).get(pk=pool.pk)
    if not row.sharing or row.status == Budget.Status.ARCHIVED:
        raise RefusedEdit(f"{row.name} is no pool, so there is nothing to share out.")
    return row, list(live_children(row).select_for_update(no_key=True).order_by("pk"))


def _give(
    actor: Actor, pool: Budget, children: Sequence[Budget], amounts: Mapping[int, int], reason: str
) -> AuditEntry | None:
    changed = [child for child in children if amounts.get(child.pk, child.amount) != child.amount]
    _check(pool, children, amounts)
    if not changed:
        return None
    before = {child.slug: child.amount for child in changed}
    stated = {child.pk: values_of(child).as_json() for child in changed}
    for child in changed:
        child.amount = amounts[child.pk]
        child.limit_version += 1
        child.edit_version += 1
        child.due_at = timezone.now()
    Budget.objects.bulk_update(changed, ["amount", "limit_version", "edit_version", "due_at"], batch_size=500)
    for child in changed:
        record(actor, "changed", child, stated[child.pk], values_of(child).as_json(), f"Pool {pool.name}: {reason}")
    after: dict[str, Any] = {"amounts": {child.slug: child.amount for child in changed}}
    entry = record(actor, SHARED_OUT, pool, {"amounts": before}, after, reason)
    with connection.cursor() as cursor:  # judged here, while nothing else can be charged
        evaluate_here(cursor, [child.pk for child in changed])
        publish_change(cursor)
    transaction.on_commit(hint_settle)
    return entry


def _check(pool: Budget, children: Sequence[Budget], amounts: Mapping[int, int]) -> None:
    given = [amounts.get(child.pk, child.amount) for child in children]
    if any(not 0 < one <= MOST for one in given):
        raise InvalidBudget({"amount": "Each budget needs an amount above zero."})
    if sum(given) > pool.amount:
        over = exactly(sum(given) - pool.amount, pool.metric)
        raise InvalidBudget({"amount": f"That is {over} more than the pool has. Nothing was changed."})
