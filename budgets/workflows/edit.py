"""Make and change workflows: each act in one transaction, with its row of history, and the bundle is told.

While one of these holds the configuration lock no usage is written, so every ledger row says exactly under which team
and tier it was posted.
"""

from dataclasses import replace

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils.text import slugify

from budgets.access.reachable import outside
from budgets.audit.record import Actor, record
from budgets.limits.evaluate import publish_change
from budgets.models import UNASSIGNED, AuditEntry, Team, Workflow
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.values import WorkflowValues, validate, values_of

OBJECT_TYPE = "budgets.workflow"
CHANGE = "budgets.change_workflow"


class InvalidWorkflow(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class StaleEdit(Exception):
    """Somebody else changed the workflow since it was read; `workflow` is how it is now. Nothing was saved."""

    def __init__(self, workflow: Workflow) -> None:
        super().__init__("Somebody changed this workflow meanwhile. Nothing was saved; look at it again and repeat.")
        self.workflow = workflow


class RefusedEdit(Exception):
    """What the workflow's status does not allow; the message says why, for a reader."""


def create_workflow(actor: Actor, values: WorkflowValues, reason: str = "") -> Workflow:
    """Make a draft. Raises InvalidWorkflow."""
    values = checked(values)
    with changing_configuration():
        workflow = Workflow(slug=_free_slug(values), status=Workflow.Status.DRAFT)
        state(workflow, values)
        refuse_outside(actor, workflow)
        workflow.save(force_insert=True)
        record(actor, "created", workflow, None, values_of(workflow).as_json(), reason)
        announce()
    return workflow


def change_workflow(
    actor: Actor, workflow: Workflow, values: WorkflowValues, reason: str = "", expected_version: int | None = None
) -> Workflow:
    """Save new values; `expected_version` is the `Workflow.edit_version` that the editor saw.

    Raises InvalidWorkflow, StaleEdit, or RefusedEdit for the reserved and merged ones. Values that change nothing leave
    no history. A new team or tier counts for calls from now on; the ledger keeps what it was stamped with.
    """
    values = checked(replace(values, slug=workflow.slug))
    with changing_configuration():
        row = lock(workflow, expected_version)
        refuse_special(row)
        before = values_of(row)
        state(row, values)
        after = values_of(row)
        if before == after:
            return row
        if before.team != after.team:
            refuse_outside(actor, row)
        save(row)
        record(actor, "changed", row, before.as_json(), after.as_json(), reason)
        announce()
    return row


def refuse_outside(actor: Actor, row: Workflow) -> None:
    """Whose role is for a team gives workflows to that team only; the row is stated anew and not saved yet."""
    if sentence := outside(actor.who, CHANGE, row):
        raise InvalidWorkflow({"team": sentence})


def checked(values: WorkflowValues) -> WorkflowValues:
    """The values in their written form. Raises InvalidWorkflow."""
    problems = validate(values)
    if problems:
        raise InvalidWorkflow(problems)
    return values.tidied()


def lock(workflow: Workflow, expected_version: int | None = None) -> Workflow:
    """The row as it is, held until the transaction ends. Raises StaleEdit."""
    # Of the row alone: team and owner may be missing, and nobody else waits for them.
    row = Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    if expected_version is not None and row.edit_version != expected_version:
        raise StaleEdit(row)
    return row


def refuse_special(row: Workflow) -> None:
    """The reserved workflow is nobody's, and a merged one speaks through another."""
    if row.slug == UNASSIGNED or row.status == Workflow.Status.RESERVED:
        raise RefusedEdit("Calls without a workflow are kept here, so it cannot be changed or claimed.")
    if row.merged_into is not None:
        raise RefusedEdit(f"It is merged into {row.merged_into.name}. Take it apart first, or change that one.")


def state(row: Workflow, values: WorkflowValues) -> None:
    """Put checked values on the row. Raises InvalidWorkflow."""
    row.name, row.description = values.name, values.description
    row.team = Team.objects.filter(slug=values.team).first() if values.team else None
    row.owner = get_user_model().objects.filter(username=values.owner).first() if values.owner else None
    if bool(values.team) != bool(row.team) or bool(values.owner) != bool(row.owner):
        raise InvalidWorkflow(validate(values))  # gone since the values were checked
    row.cost_centre, row.ledger_code = values.cost_centre, values.ledger_code
    row.stages, row.risk_categories = list(values.stages), list(values.risk_categories)
    row.value_weight, row.default_tier = values.value_weight, values.default_tier
    row.guardrails = dict(values.guardrails)


def save(row: Workflow) -> None:
    """With a version that tells editors of the one before."""
    row.edit_version += 1
    row.save()


def announce() -> None:
    """Have a new bundle made; last in the transaction."""
    with connection.cursor() as cursor:
        publish_change(cursor)
    transaction.on_commit(hint_settle)


def last_change(workflow: Workflow) -> AuditEntry | None:
    """The newest row of the workflow's history."""
    entries = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(workflow.pk))
    return entries.order_by("-at", "-id").first()


def _free_slug(values: WorkflowValues) -> str:
    """The wanted slug, or one made from the name; with a number where that is taken."""
    wanted = (values.slug or slugify(values.name))[:110].strip("-_.") or "workflow"
    taken = set(Workflow.objects.filter(slug__startswith=wanted).values_list("slug", flat=True))
    if values.slug and values.slug in taken:
        raise InvalidWorkflow({"slug": f"There is already a workflow with the short name “{values.slug}”."})
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, len(taken) + 3) if f"{wanted}-{n}" not in taken)
