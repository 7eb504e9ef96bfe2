"""Stop a run by hand, and let it go on: from its own page, or from the unusual spend that comes from it."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from budgets.access.reachable import fetched
from budgets.audit.record import Actor
from budgets.models import Organisation, Workflow
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes_in_reach
from budgets.workflows.edit import RefusedEdit
from budgets.workflows.stopping import stop_run
from reports.models import Finding
from reports.spend.addresses import run_address
from reports.unusual.acting import CHANGE_WORKFLOW, let_go_on
from reports.unusual.reaching import findings_for
from reports.unusual.switches import address, told
from reports.unusual.wording import title
from usage.models import Run

changes_workflows = changes_in_reach(CHANGE_WORKFLOW, "workflows")


@require_POST
@never_cache
@changes_workflows
def stop(request: HttpRequest, workflow: str) -> HttpResponseBase:
    """`/runs/<workflow>/stop/?id=<run>&finding=<id>`: block its calls for a day; `reason` is told to callers."""
    row, run_id, finding = _asked(request, workflow)
    reason = _reason(request) or (f"{title(finding)}." if finding else "")
    now = timezone.now()
    try:
        stopped = stop_run(Actor.of_request(request), row, run_id, reason, finding.pk if finding else None, now)
    except RefusedEdit as error:
        tell_problem(request, str(error))
    else:
        undo = address("run-go-on", row, run_id, finding.pk if finding else None)
        tell(request, told(stopped, Organisation.get(), now), undo)
    return go(request, _back(row, run_id, finding))


@require_POST
@never_cache
@changes_workflows
def go_on(request: HttpRequest, workflow: str) -> HttpResponseBase:
    """`/runs/<workflow>/go-on/?id=<run>&finding=<id>`: let its calls through again."""
    row, run_id, finding = _asked(request, workflow)
    if let_go_on(Actor.of_request(request), row, run_id, _reason(request)):
        undo = address("run-stop", row, run_id, finding.pk if finding else None)
        tell(request, f"Run {run_id} may make calls again, as far as limits and budgets allow.", undo)
    else:
        tell(request, f"Run {run_id} is not stopped.")
    return go(request, _back(row, run_id, finding))


def _asked(request: HttpRequest, slug: str) -> tuple[Workflow, str, Finding | None]:
    """The workflow that the run counts as, the run, and the unusual spend that it is about."""
    run_id, finding = request.GET.get("id", ""), request.GET.get("finding", "")
    row = workflow_of(request.user, slug, run_id)
    number = int(finding) if finding.isascii() and finding.isdecimal() and len(finding) < 19 else 0
    names = Workflow.objects.counted_as(row.slug)
    return row, run_id, findings_for(request.user).filter(pk=number, workflow__in=names).first()


def workflow_of(who: Any, slug: str, run_id: str) -> Workflow:
    """What the run counts as, for whom may stop it. Http404 out of reach, and for a run that made no call;
    PermissionDenied without the right."""
    if "\0" in slug + run_id:
        raise Http404
    row = fetched(Workflow.objects.select_related("merged_into"), who, CHANGE_WORKFLOW, slug=slug)
    row = row.merged_into or row
    ids = list(Workflow.objects.counted_as(row.slug).values_list("pk", flat=True))
    if not Run.objects.filter(workflow_id__in=ids, run_id=run_id, calls__gt=0).exists():
        raise Http404
    return row


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\0", "").strip()[:500]


def _back(row: Workflow, run_id: str, finding: Finding | None) -> str:
    return reverse("unusual-finding", args=[finding.pk]) if finding else run_address(row.slug, run_id)
