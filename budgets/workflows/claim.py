"""Say who answers for a workflow that was discovered from its calls, or that nobody needs to."""

from collections.abc import Sequence

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import F

from budgets.audit.record import Actor, record
from budgets.models import Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.edit import (
    InvalidWorkflow,
    RefusedEdit,
    announce,
    checked,
    lock,
    refuse_outside,
    refuse_special,
    save,
    state,
)
from budgets.workflows.values import WorkflowValues, values_of

UNCLAIMED = (Workflow.Status.DISCOVERED, Workflow.Status.IGNORED)
MOST_AT_ONCE = 200


def claim_workflow(
    actor: Actor, workflow: Workflow, values: WorkflowValues, reason: str = "", expected_version: int | None = None
) -> Workflow:
    """Make a discovered or ignored one a draft with an owner or a team; its spend, past and future, is claimed.

    Raises InvalidWorkflow, StaleEdit or RefusedEdit.
    """
    values = checked(values)
    if not (values.owner or values.team):
        raise InvalidWorkflow({"owner": "Choose who answers for it: a person, a team, or both."})
    with changing_configuration():
        row = lock(workflow, expected_version)
        _refuse_claimed(row)
        before = values_of(row).as_json() | {"status": row.status}
        state(row, values)
        refuse_outside(actor, row)
        row.status = Workflow.Status.DRAFT
        save(row)
        record(actor, "claimed", row, before, values_of(row).as_json() | {"status": row.status}, reason)
        announce()
    return row


def claim_many(actor: Actor, workflows: Sequence[Workflow], owner: str, team: str, reason: str = "") -> list[Workflow]:
    """Claim all of them for one owner and team, each under the name it has; all or none, in one transaction.

    Raises InvalidWorkflow or RefusedEdit.
    """
    if not workflows:
        raise InvalidWorkflow({"chosen": "Choose at least one workflow."})
    if len(workflows) > MOST_AT_ONCE:
        raise InvalidWorkflow({"chosen": f"Choose at most {MOST_AT_ONCE} workflows at once."})
    claimed = WorkflowValues(name="Claimed", owner=owner, team=team)
    checked(claimed)
    if not (owner or team):
        raise InvalidWorkflow({"owner": "Choose who answers for them: a person, a team, or both."})
    person: User | None = get_user_model().objects.get(username=owner.strip()) if owner.strip() else None
    group = Team.objects.get(slug=team.strip()) if team.strip() else None
    with changing_configuration():
        chosen = Workflow.objects.filter(pk__in=[one.pk for one in workflows]).order_by("pk")
        rows = list(chosen.select_for_update(no_key=True, of=("self",)).select_related("team", "owner"))
        for row in rows:
            _refuse_claimed(row)
        befores = [values_of(row).as_json() | {"status": row.status} for row in rows]
        chosen.update(team=group, owner=person, status=Workflow.Status.DRAFT, edit_version=F("edit_version") + 1)
        for row, before in zip(rows, befores, strict=True):
            row.team, row.owner, row.status = group, person, Workflow.Status.DRAFT
            record(actor, "claimed", row, before, values_of(row).as_json() | {"status": row.status}, reason)
        announce()
    return rows


def ignore_workflow(
    actor: Actor, workflow: Workflow, reason: str = "", expected_version: int | None = None
) -> Workflow:
    """Set it aside: still counted, shown apart, asked about no more. Raises StaleEdit or RefusedEdit."""
    with changing_configuration():
        row = lock(workflow, expected_version)
        refuse_special(row)
        if row.status == Workflow.Status.PRODUCTION:
            raise RefusedEdit(f"{row.name} is in production. Put it back to draft first.")
        return _turn(actor, row, "ignored", Workflow.Status.IGNORED, reason)


def take_back(
    actor: Actor,
    workflow: Workflow,
    reason: str = "",
    expected_version: int | None = None,
    status: str = Workflow.Status.DISCOVERED,
) -> Workflow:
    """No longer ignored: back to `status`. Raises StaleEdit or RefusedEdit."""
    with changing_configuration():
        row = lock(workflow, expected_version)
        if row.status != Workflow.Status.IGNORED:
            raise RefusedEdit(f"{row.name} is not ignored.")
        return _turn(actor, row, "restored", status, reason)


def _turn(actor: Actor, row: Workflow, act: str, status: str, reason: str) -> Workflow:
    if row.status == status:
        return row
    before, row.status = row.status, status
    save(row)
    record(actor, act, row, {"status": before}, {"status": status}, reason)
    announce()
    return row


def _refuse_claimed(row: Workflow) -> None:
    refuse_special(row)
    if row.status not in UNCLAIMED:
        raise RefusedEdit(f"{row.name} is claimed already. Change its owner or team instead.")
