"""`/workflows/<slug>/audit/`: start an audit, watch it, stop it, print its report."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.access.roles import may
from budgets.audit.record import Actor
from budgets.models import Organisation, Workflow
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import changes_in_reach, in_reach
from budgets.pages.moments import day_year, moment, place, span_year
from reports.models import WorkflowAudit
from reports.workflow_audit import drawing
from reports.workflow_audit.follow import DAYS, RefusedAudit, start, stop
from reports.workflow_audit.propose import offered
from reports.workflow_audit.report import lines_of, sentence
from reports.workflow_audit.values import Figures, read_baseline, read_days, read_proposals, run_up
from usage.workflows.views import CHANGE, named

changes_workflows = changes_in_reach(CHANGE, "workflows")
State = WorkflowAudit.State


@dataclass(frozen=True, slots=True)
class Earlier:
    """An audit in the list of those before."""

    audit: WorkflowAudit
    days: str


@require_safe
@never_cache
@in_reach
def audit(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The newest audit of the workflow, and how to start one."""
    found = named(request, slug)
    rows = list(WorkflowAudit.objects.filter(workflow=found)[:20])
    context = _frame(request, found) | {"audit": rows[0] if rows else None}
    if rows:
        context |= _shown(rows[0], found)
    context["earlier"] = [Earlier(row, span_year(row.first_day, row.last_day)) for row in rows[1:]]
    context["can_start"] = found.is_claimed and not (rows and rows[0].state == State.RUNNING)
    return render(request, "audit/page.html", context)


@require_safe
@never_cache
@in_reach
def report(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """One page to print: what was before, what was done, what came of it. While it runs, as it stands."""
    found = named(request, slug)
    row = get_object_or_404(WorkflowAudit, pk=pk, workflow=found)
    return render(request, "audit/report.html", _frame(request, found) | {"audit": row} | _shown(row, found))


@require_POST
@changes_workflows
def begin(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Start one."""
    found = named(request, slug, CHANGE)
    try:
        made = start(Actor.of_request(request), found, request.POST.get("goal", ""))
    except RefusedAudit as refusal:
        tell_problem(request, str(refusal))
    else:
        tell(request, f"The audit of {found.name} runs until {day_year(made.last_day)}.")
    return go(request, reverse("workflow-audit", args=[slug]))


@require_POST
@changes_workflows
def end(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """Stop it before its time."""
    found = named(request, slug, CHANGE)
    row = get_object_or_404(WorkflowAudit, pk=pk, workflow=found)
    try:
        stop(Actor.of_request(request), row)
    except RefusedAudit as refusal:
        tell_problem(request, str(refusal))
    else:
        tell(request, "The audit is stopped. Its report is of the days until now.")
    return go(request, reverse("workflow-audit", args=[slug]))


@require_safe
@never_cache
@in_reach
def audit_csv(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """`/export/workflows/<slug>/audits/<id>.csv`: the baseline in one row, then day by day."""
    row = get_object_or_404(WorkflowAudit, pk=pk, workflow=named(request, slug))
    baseline, code = read_baseline(row.baseline), currency_code()
    header = [
        "part", "first_day", "last_day", "cost", "cost_of_runs", "currency", "calls", "calls_without_cost", "runs",
        "approved", "reworked", "retries", "cost_per_approved",
    ]  # fmt: skip

    def line(part: str, first: Any, last: Any, of: Figures) -> list[Any]:
        each = exact(round(of.per_asset)) if of.per_asset is not None else ""
        return [part, first, last, exact(of.cost), exact(of.in_runs), code, of.calls, of.without_cost, of.runs,
                of.approved, of.reworked, of.retries, each]  # fmt: skip

    lines = [line("baseline", baseline.first, baseline.last, baseline.figures)]
    lines += [line("audit", one.day, one.day, one.figures) for one in read_days(row.days)]
    return csv_response(f"audit-{slug}-{row.first_day}", header, ([str(cell) for cell in one] for one in lines))


def _frame(request: HttpRequest, found: Workflow) -> dict[str, Any]:
    return {
        "here": "workflows",
        "organisation": Organisation.get(),
        "workflow": found,
        "may_change": may(request.user, CHANGE, found),
        "length": DAYS,
    }


def _shown(row: WorkflowAudit, found: Workflow) -> dict[str, Any]:
    organisation, now = Organisation.get(), timezone.now()
    baseline, days = read_baseline(row.baseline), run_up(read_days(row.days))
    so_far = days[-1].so_far if days else Figures()
    local = organisation.local
    return {
        "zone_words": place(row.zone),
        "baseline": baseline.figures,
        "baseline_days": span_year(baseline.first, baseline.last),
        "days_words": span_year(row.first_day, row.last_day),
        "days": days,
        "so_far": so_far,
        "lines": lines_of(baseline.figures, so_far),
        "say": sentence(baseline.figures, so_far, row.state == State.RUNNING),
        "drawn": drawing.per_asset(baseline.figures, days, DAYS),
        "offered": offered(read_proposals(row.proposals), found),
        "followed": moment(local(row.followed_at), local(now)) if row.followed_at else "",
        "ended": day_year(local(row.ended_at).date()) if row.ended_at else "",
    }
