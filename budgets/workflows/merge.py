"""Two names for one workflow: from now on calls that name the one are posted to the other, and its past counts there.

The ledger is not rewritten. A merged workflow points at the one it counts under, never at another merged one; readers
resolve it (`Workflow.objects.counted_as`, `usage.ledger.opening.NAMED`). Budgets that name either are read anew in the
same transaction, while no usage can be written, so none misses or doubles a call.
"""

from dataclasses import dataclass

from django.db.models import F, QuerySet

from budgets.audit.record import Actor, record
from budgets.limits.opening import reopen
from budgets.models import AuditEntry, Budget, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.edit import OBJECT_TYPE, RefusedEdit, announce, lock, save

Status = Workflow.Status


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What merging would do besides moving the spend. `emptied` are budgets that would count nothing any more."""

    aliases: tuple[Workflow, ...]
    recounted: tuple[Budget, ...]
    emptied: tuple[Budget, ...]


def preview_merge(workflow: Workflow, target: Workflow) -> MergePreview:
    """Raises RefusedEdit with the reason why these two cannot be merged."""
    _refuse(workflow, target)
    aliases = tuple(workflow.aliases.order_by("name"))
    budgets = budgets_naming([workflow.slug, target.slug])
    return MergePreview(
        aliases,
        tuple(one for one in budgets if one.scope["workflow"] == target.slug),
        tuple(one for one in budgets if one.scope["workflow"] == workflow.slug),
    )


def merge_workflow(
    actor: Actor, workflow: Workflow, target: Workflow, reason: str = "", expected_version: int | None = None
) -> Workflow:
    """Count `workflow` under `target`, with everything that was merged into it. Raises StaleEdit or RefusedEdit."""
    with changing_configuration() as generation:
        row = lock(workflow, expected_version)
        into = lock(target)
        _refuse(row, into)
        aliases = list(row.aliases.order_by("slug").values_list("slug", flat=True))
        before = {"status": row.status, "merged_into": None, "aliases": aliases}
        Workflow.objects.filter(merged_into=row).update(merged_into=into, edit_version=F("edit_version") + 1)
        row.status, row.merged_into = Status.MERGED, into
        save(row)
        _count_anew([row.slug, into.slug], generation)
        record(actor, "merged", row, before, {"status": row.status, "merged_into": into.slug, "aliases": []}, reason)
        announce()
    return row


def unmerge_workflow(
    actor: Actor, workflow: Workflow, reason: str = "", expected_version: int | None = None
) -> Workflow:
    """Let it count for itself again, as it did before it was merged; what it had taken in comes back with it.

    What was since merged elsewhere by itself stays there. Calls that came while it was merged stay where they were
    posted. Raises StaleEdit or RefusedEdit.
    """
    with changing_configuration() as generation:
        row = lock(workflow, expected_version)
        into = row.merged_into
        if into is None:
            raise RefusedEdit(f"{row.name} is not merged into another workflow.")
        status, aliases = _as_it_was(row)
        row.status, row.merged_into = status, None
        save(row)
        back = Workflow.objects.filter(pk__in=aliases, merged_into=into)
        brought = sorted(back.values_list("slug", flat=True))
        back.update(merged_into=row, edit_version=F("edit_version") + 1)
        _count_anew([row.slug, into.slug], generation)
        before = {"status": Status.MERGED.value, "merged_into": into.slug, "aliases": []}
        record(actor, "unmerged", row, before, {"status": status, "merged_into": None, "aliases": brought}, reason)
        announce()
    return row


def budgets_naming(slugs: list[str]) -> QuerySet[Budget]:
    """Budgets in use whose scope names one of these workflows."""
    return Budget.objects.exclude(status=Budget.Status.ARCHIVED).filter(scope__workflow__in=slugs).order_by("name")


def _count_anew(slugs: list[str], generation: int) -> None:
    reopen(list(budgets_naming(slugs).values_list("pk", flat=True)), generation)


def _as_it_was(row: Workflow) -> tuple[str, list[int]]:
    """Its status before it was merged, and the ids of those that were merged into it then and were not since."""
    history = AuditEntry.objects.filter(object_type=OBJECT_TYPE)
    entry = history.filter(object_id=str(row.pk), act="merged").order_by("-position").first()
    before = (entry.before if entry else None) or {}
    status = str(before.get("status"))
    known = status in {Status.DISCOVERED, Status.DRAFT, Status.PRODUCTION, Status.IGNORED}
    aliases = Workflow.objects.filter(slug__in=before.get("aliases", [])).values_list("pk", flat=True)
    moved = history.filter(
        position__gt=entry.position if entry else 0, act="merged", object_id__in=[str(one) for one in aliases]
    ).values_list("object_id", flat=True)
    return (status if known else Status.DISCOVERED.value), [one for one in aliases if str(one) not in set(moved)]


def _refuse(row: Workflow, into: Workflow) -> None:
    if row.pk == into.pk:
        raise RefusedEdit("Choose another workflow to merge it into: this is the same one.")
    if row.status == Status.RESERVED:
        raise RefusedEdit("Calls without a workflow are kept here, so it cannot be merged into another.")
    if row.merged_into is not None:
        raise RefusedEdit(f"{row.name} is merged into {row.merged_into.name} already.")
    if into.merged_into is not None:
        raise RefusedEdit(f"{into.name} is itself merged into {into.merged_into.name}. Choose that one.")
    if not into.is_claimed:
        raise RefusedEdit(f"Nobody answers for {into.name} yet. Claim it first, or choose another workflow.")
    if row.paused_at is not None:
        raise RefusedEdit(f"{row.name} is paused, and merging would let its calls through. Resume it first.")
