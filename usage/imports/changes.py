"""What people do with imports: upload, choose columns, confirm, go on, discard, undo."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import REFUSAL, signed_in
from usage.imports import decide
from usage.imports.kinds import all_kinds
from usage.imports.sheet import Unreadable
from usage.imports.upload import TOO_LARGE, refusal_of_size, take_file
from usage.imports.views import listed, open_run, shown
from usage.models import Import

FIELD, OPTION = "column_", "option_"  # before the names in the form of the columns


@require_POST
@signed_in
def upload(request: HttpRequest) -> HttpResponseBase:
    """Take a file in. What cannot be read is refused with a sentence beside the form."""
    key = request.POST.get("kind", "")
    kind = all_kinds().get(key)
    if request.META.get(TOO_LARGE):
        return listed(request, refusal_of_size(), key)
    if kind is None:
        return listed(request, "Choose what the file holds.")
    if not request.user.has_perm(kind.permission):
        raise PermissionDenied(REFUSAL.format(what="what this file brings"))
    sent = request.FILES.get("file")
    if sent is None or isinstance(sent, list):
        return listed(request, "Choose a file.", key)
    try:
        run = take_file(Actor.of_request(request), kind, sent.name or "", sent.chunks())
    except Unreadable as error:
        return listed(request, str(error), key)
    return go(request, reverse("import", args=[run.pk]))


@require_POST
@signed_in
def columns(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Which column is what; then the file is checked."""
    run = open_run(request, pk)
    typed = _named(request, FIELD)
    options = _named(request, OPTION)
    try:
        decide.choose(Actor.of_request(request), pk, typed, options)
    except decide.InvalidChoice as error:
        return shown(request, run, error.problems, typed, options)
    except Problem as problem:
        tell_problem(request, problem.detail)
    return go(request, reverse("import", args=[pk]))


def _named(request: HttpRequest, prefix: str) -> dict[str, str]:
    sent = request.POST.items()
    return {name.removeprefix(prefix): str(value).strip() for name, value in sent if name.startswith(prefix)}


def _act(decision: Callable[[Actor, int], Import], said: str, to: str = "import") -> Callable[..., HttpResponseBase]:
    @require_POST
    @signed_in
    def view(request: HttpRequest, pk: int) -> HttpResponseBase:
        run = open_run(request, pk)
        try:
            decision(Actor.of_request(request), pk)
        except Problem as problem:
            tell_problem(request, problem.detail)
            return go(request, reverse("import", args=[pk]))
        if said:
            tell(request, said.format(run=run))
        return go(request, reverse(to, args=[pk] if to == "import" else []))

    return view


confirm = _act(decide.confirm, "")
again = _act(decide.choose_again, "")
go_on = _act(decide.go_on, "")
undo = _act(decide.begin_undo, "")
discard = _act(decide.discard, "{run.file_name} is discarded. Nothing of it was imported.", "imports")
