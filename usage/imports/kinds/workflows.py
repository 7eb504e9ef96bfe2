"""Workflows from CSV: a line for each. A short name that is there already is changed or claimed, another is made.

Identity: the short name, or the one that the name gives. Columns that a file does not have leave things as they are.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.utils.text import slugify

from budgets.audit.record import Actor
from budgets.models import UNASSIGNED, AuditEntry, Team, Workflow
from budgets.workflows import edit
from budgets.workflows.claim import UNCLAIMED, claim_workflow
from budgets.workflows.lifecycle import boundaries, put_back_to_draft, put_in_production
from budgets.workflows.undo import undo_change, undo_step
from budgets.workflows.values import WorkflowValues, validate, values_of
from usage.imports.edits import differences, first_problem, undo_each, write_each
from usage.imports.kind import THERE, Column, Kind, LineError, Written
from usage.models import Import

MOST_SHOWN = 40
TEXTS = ("name", "description", "owner", "cost_centre", "ledger_code")
WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("name", "description", "team", "owner", "cost_centre", "ledger_code"), str),
    "stages": ", ".join,
    "risk_categories": ", ".join,
    "value_weight": str,
    "default_tier": lambda tier: str(tier or ""),
}
STATUSES = {Workflow.Status.DRAFT.value, Workflow.Status.PRODUCTION.value}


@dataclass(slots=True)
class Prepared:
    """Workflows by short name, teams by short name and name, and which short names came up before."""

    workflows: Mapping[str, Workflow]
    teams: Mapping[str, str]
    seen: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class WorkflowLine:
    """What one line states; `status` is "" where it says nothing of it. `is_new` and the values are for the dry run."""

    slug: str
    stated: Mapping[str, Any]
    status: str
    before: WorkflowValues | None
    after: WorkflowValues
    changes_status: bool


def prepare(run: Import) -> Prepared:
    workflows = Workflow.objects.select_related("team", "owner", "merged_into")
    teams: dict[str, str] = {}
    for slug, name in Team.objects.values_list("slug", "name"):
        teams.setdefault(name.casefold(), slug)
    return Prepared({one.slug: one for one in workflows}, teams | {slug: slug for slug in teams.values()})


def read(line: Mapping[str, str], prepared: Prepared) -> WorkflowLine:
    """Raises LineError."""
    at = "slug" if "slug" in line else "name"
    slug = line.get("slug") or slugify(line.get("name", ""))[:110].strip("-_.")
    if not slug:
        raise LineError("name", "Give the workflow a name or a short name.")
    if slug in prepared.seen:
        raise LineError(at, f"“{slug}” was in this file before.")
    prepared.seen.add(slug)
    workflow = prepared.workflows.get(slug)
    if slug == UNASSIGNED:
        raise LineError(at, "Calls without a workflow are kept under this name; it cannot be changed.")
    if workflow is not None and workflow.merged_into is not None:
        raise LineError(at, f"“{slug}” is merged into {workflow.merged_into.name}. Change that one.")
    status = line.get("status", "").casefold()
    if status and status not in STATUSES:
        raise LineError("status", "A workflow can be brought in as draft or production.")
    stated = _stated(line, prepared)
    before = values_of(workflow) if workflow else None
    after = applied(stated, slug, before)
    problems = validate(after)
    if problems:
        raise first_problem(problems, {})
    if status == Workflow.Status.PRODUCTION:
        _refuse_unbounded(workflow, stated)
    changes_status = workflow is not None and bool(
        (status and status != workflow.status) or (workflow.status in UNCLAIMED and (after.owner or after.team))
    )
    return WorkflowLine(slug, stated, status, before, after.tidied(), changes_status)


def _refuse_unbounded(workflow: Workflow | None, stated: Mapping[str, Any]) -> None:
    """Production needs its limits, which no column holds."""
    if workflow is None:
        raise LineError("status", "A new workflow begins as a draft. Production needs its limits first.")
    if workflow.status != Workflow.Status.PRODUCTION:
        missing = [one.missing for one in boundaries(workflow) if not one.met and not stated.get(one.code)]
        if missing:
            raise LineError("status", f"Not in production yet. {' '.join(missing)}")


def applied(stated: Mapping[str, Any], slug: str, before: WorkflowValues | None) -> WorkflowValues:
    if before is not None:
        return replace(before, **stated)
    return WorkflowValues(**{"name": slug, **stated, "slug": slug})


def _stated(line: Mapping[str, str], prepared: Prepared) -> dict[str, Any]:
    stated: dict[str, Any] = {name: line[name] for name in TEXTS if name in line}
    if "team" in line:
        team = prepared.teams.get(line["team"]) or prepared.teams.get(line["team"].casefold())
        if team is None:
            raise LineError("team", f"There is no team “{line['team'][:128]}”. Add the team first.")
        stated["team"] = team
    for name in ("stages", "risk_categories"):
        if name in line:
            stated[name] = tuple(part.strip() for part in re.split(r"[,;|]", line[name]) if part.strip())
    if "value_weight" in line:
        stated["value_weight"] = Decimal(line["value_weight"])
    if "default_tier" in line:
        tier = Decimal(line["default_tier"])
        if tier != tier.to_integral_value():
            raise LineError(
                "default_tier", "Give the tier as its number: 1 for Economy, 2 for Standard, 3 for Premium."
            )
        stated["default_tier"] = int(tier)
    return stated


def judge(values: Sequence[WorkflowLine], prepared: Prepared) -> list[str | LineError | None]:
    """Lines that state what is so already change nothing."""
    return [THERE if value.before == value.after and not value.changes_status else None for value in values]


def write(actor: Actor, values: Sequence[WorkflowLine], run: Import) -> Written:
    reason = f"Import of {run.file_name}"

    def apply(value: WorkflowLine) -> str:
        workflow = Workflow.objects.filter(slug=value.slug).first()
        try:
            if workflow is None:
                made = edit.create_workflow(actor, applied(value.stated, value.slug, None), reason)
                _turn(actor, made, value.status, reason)
                return str(made.pk)
            wanted = applied(value.stated, value.slug, values_of(workflow))
            if workflow.status in UNCLAIMED and (wanted.owner or wanted.team):
                row = claim_workflow(actor, workflow, wanted, reason)
            else:
                row = edit.change_workflow(actor, workflow, wanted, reason)
            row = _turn(actor, row, value.status, reason)
        except edit.InvalidWorkflow as error:
            raise first_problem(error.problems, {}) from error
        except edit.RefusedEdit as error:
            raise LineError("", str(error)) from error
        return str(row.pk) if row.edit_version != workflow.edit_version else ""

    return write_each(values, apply, edit.OBJECT_TYPE)


def _turn(actor: Actor, row: Workflow, status: str, reason: str) -> Workflow:
    """Into the status that the line states."""
    if not status or status == row.status:
        return row
    if status == Workflow.Status.PRODUCTION:
        return put_in_production(actor, row, reason)
    if row.status == Workflow.Status.PRODUCTION:
        return put_back_to_draft(actor, row, reason)
    raise LineError("status", "Give it an owner or a team: then it is claimed, and a draft.")


def undo(actor: Actor, run: Import) -> str:
    """Made ones are ignored, since calls may have come; changed and claimed ones are as they were before."""

    def take_back(entry: AuditEntry, is_last: bool) -> object:
        workflow = Workflow.objects.get(pk=entry.object_id)
        if is_last:
            return undo_change(actor, workflow, entry)
        return undo_step(actor, edit.lock(workflow), entry, f"Undo of the import of {run.file_name}"[:500])

    refused = (edit.StaleEdit, edit.RefusedEdit, edit.InvalidWorkflow, Workflow.DoesNotExist)
    return undo_each(run, take_back, refused)


def summary(values: Sequence[WorkflowLine]) -> list[tuple[str, str]]:
    """New ones by name, changed ones with before and after."""
    new = [value.after.name for value in values if value.before is None]
    changed = [value for value in values if value.before is not None]
    found = [("New workflows", f"{len(new):,}"), ("Changed workflows", f"{len(changed):,}")]
    if new:
        more = f" and {len(new) - MOST_SHOWN:,} more" if len(new) > MOST_SHOWN else ""
        found.append(("New", ", ".join(new[:MOST_SHOWN]) + more))
    for value in changed[:MOST_SHOWN]:
        before = {name: getattr(value.before, name) for name in WORDS}
        after = {name: getattr(value.after, name) for name in WORDS}
        said = differences(before, after, WORDS)
        if value.changes_status:
            said = f"{said}; {value.status or 'claimed'}".strip("; ")
        found.append((f"Changed: {value.after.name}", said))
    left = len(changed) - MOST_SHOWN
    return [*found, ("And more", f"{left:,}")] if left > 0 else found


KIND = Kind(
    key="workflows",
    title="Workflows",
    noun="workflow",
    about="New workflows, or owner, team, cost centre and weight of those that are there.",
    columns=(
        Column("slug", "Short name", "What calls name it by.", aliases=("short_name", "id", "key", "workflow")),
        Column("name", "Name", "What its readers know it by.", aliases=("title",)),
        Column("team", "Team", "Short name or name.", aliases=("business_unit", "department")),
        Column("owner", "Owner", "User name.", aliases=("username", "responsible")),
        Column("description", "Description", aliases=("note", "about")),
        Column("cost_centre", "Cost centre", aliases=("cost_center", "kostenstelle")),
        Column("ledger_code", "Ledger code", aliases=("account", "gl_code")),
        Column("stages", "Stages", "In order, with commas between."),
        Column("risk_categories", "Risk", "public, sensitive, reversible, irreversible.", aliases=("risk", "risks")),
        Column("value_weight", "Value weight", "0.5 to 5.", aliases=("weight",), type="number"),
        Column("default_tier", "Usual tier", "1 Economy, 2 Standard, 3 Premium.", aliases=("tier",), type="number"),
        Column("status", "Status", "draft or production."),
    ),
    prepare=prepare,
    read=read,
    judge=judge,
    write=write,
    undo=undo,
    summary=summary,
    permission="budgets.change_workflow",
    example="slug,name,team,owner,cost_centre,value_weight,status\nseo-briefs,SEO briefs,,,4711,2,draft\n"
    "social-posts,Social posts,,,4712,1,draft\n",
    chunk=50,
    most=10_000,
)
