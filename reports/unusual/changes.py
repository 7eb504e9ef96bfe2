"""What people do with unusual spend in the browser. Each answers with the row, the list, or the finding's page."""

import json
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from budgets.access.reachable import fetched
from budgets.access.roles import VIEW, may
from budgets.audit.record import Actor
from budgets.models import AuditEntry, Organisation
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes_in_reach
from reports.models import Finding
from reports.unusual import handling
from reports.unusual.acting import CHANGE_WORKFLOW, RefusedUndo, undo_act
from reports.unusual.handling import HANDLE, OBJECT_TYPE
from reports.unusual.listing import rows_of, undo_of
from reports.unusual.reaching import findings_for
from reports.unusual.views import detail_of, reached

handles = changes_in_reach(HANDLE, "unusual spend")
STATES = {
    "expected": (Finding.State.EXPECTED, "Expected. The same at the same hours of the week will be quiet."),
    "checking": (Finding.State.CHECKING, "You are on it. Others see that."),
    "fixed": (Finding.State.FIXED, "Fixed. If it happens again, it is told again."),
    "reopen": (Finding.State.OPEN, "It is to be checked again."),
}


@require_POST
@never_cache
@handles
def state(request: HttpRequest, pk: int, what: str) -> HttpResponseBase:
    """One of STATES. A fragment request gets the row as it is after that, else the list or the finding's page."""
    finding = reached(request, pk)
    new, said = STATES[what]
    handling.set_state(Actor.of_request(request), finding, new, request.POST.get("reason", "")[:500])
    return _answer(request, pk, said)


@require_POST
@never_cache
@handles
def owner(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`owner` is a user name; empty: nobody."""
    finding = reached(request, pk)
    name = request.POST.get("owner", "").replace("\0", "")[:150]
    person = User.objects.filter(username=name, is_active=True).first() if name else None
    if name and person is None:
        return _answer(request, pk, problem="Nothing was changed: there is nobody with this name.", status=422)
    if person is not None and not may(person, VIEW, finding):
        return _answer(request, pk, problem="Nothing was changed: this person cannot see it.", status=422)
    handling.assign(Actor.of_request(request), finding, person)
    return _answer(request, pk, "Saved." if person else "Nobody sees to it now.")


@require_POST
@never_cache
@handles
def undo(request: HttpRequest, pk: int, entry: int) -> HttpResponseBase:
    """Take back what this row of history tells of, where nothing happened since."""
    reached(request, pk)
    told = get_object_or_404(AuditEntry, pk=entry, object_type=OBJECT_TYPE, object_id=str(pk))
    try:
        handling.undo_handling(Actor.of_request(request), told)
    except handling.RefusedHandling as error:
        return _answer(request, pk, problem=str(error), status=409)
    return _answer(request, pk, "Undone. It is as it was before.", may_undo=False)


@require_POST
@never_cache
@changes_in_reach(CHANGE_WORKFLOW, "workflows")
def take_back(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Resume the workflow, or take back the limits of its runs."""
    finding = fetched(findings_for(request.user), request.user, CHANGE_WORKFLOW, pk=pk)
    try:
        undo_act(Actor.of_request(request), finding)
    except RefusedUndo as error:
        return _answer(request, pk, problem=str(error), status=409)
    return _answer(request, pk, "Taken back. Its calls go on as before.", may_undo=False)


def _answer(
    request: HttpRequest, pk: int, said: str = "", problem: str = "", status: int = 200, *, may_undo: bool = True
) -> HttpResponse:
    finding = fetched(findings_for(request.user), request.user, pk=pk)
    htmx: Any = getattr(request, "htmx", None)
    if htmx and request.POST.get("row"):
        row = rows_of([finding], request.user, Organisation.get(), timezone.now())[0]  # type: ignore[arg-type]
        answer = render(request, "unusual/row.html", {"row": row, "problem": problem, "focus": True}, status=status)
        if said:
            answer["HX-Trigger"] = json.dumps({"toast": {"text": said}})
        return answer
    if problem and not htmx:
        return detail_of(request, finding, problem, status)
    if problem:
        tell_problem(request, problem)
        return go(request, reverse("unusual-finding", args=[pk]))
    entry = undo_of(finding) if may_undo else None
    tell(request, said, reverse("unusual-undo", args=[pk, entry]) if entry else "")
    return go(request, _back(request, pk))


def _back(request: HttpRequest, pk: int) -> str:
    """The list as it was filtered, or the page of the finding."""
    if "back" not in request.POST:
        return reverse("unusual-finding", args=[pk])
    given = QueryDict(request.POST["back"][:1000]).urlencode()
    return reverse("unusual") + (f"?{given}" if given else "")
