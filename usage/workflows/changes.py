"""Changing workflows: new, edit, claim, ignore, merge, life cycle, pause, undo. Rules are in `budgets.workflows`."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.access.reachable import reachable
from budgets.audit.record import Actor
from budgets.models import AuditEntry, Organisation, Workflow
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes, changes_in_reach
from budgets.workflows import edit
from budgets.workflows.claim import UNCLAIMED, claim_many, claim_workflow, ignore_workflow, take_back
from budgets.workflows.lifecycle import put_back_to_draft, put_in_production
from budgets.workflows.merge import merge_workflow, preview_merge, unmerge_workflow
from budgets.workflows.pause import pause_workflow, resume_workflow
from budgets.workflows.undo import undo_change
from budgets.workflows.values import values_of
from usage.workflows.forms import WorkflowForm
from usage.workflows.prefilled import Prefilled, prefilled
from usage.workflows.reading import Month, ever_used, unclaimed_total
from usage.workflows.views import CHANGE, named, people, teams, unassigned_context

changes_workflows = changes_in_reach(CHANGE, "workflows")
Problems = (edit.InvalidWorkflow, edit.StaleEdit, edit.RefusedEdit)
BACK = {"unassigned": "workflows-unassigned", "list": "workflows"}
OFFERED = 300


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_workflows
def new(request: HttpRequest) -> HttpResponseBase:
    """`/workflows/new/`."""
    if request.method != "POST":
        return _form(
            request, _filled(request, None, initial={"owner": request.user.get_username(), "value_weight": "1"})
        )
    form = _filled(request, None, request.POST)
    if not form.is_valid():
        return _form(request, form)
    try:
        made = edit.create_workflow(Actor.of_request(request), form.values)
    except edit.InvalidWorkflow as error:
        form.tell(error.problems)
        return _form(request, form)
    _tell(request, made, f"{made.name} is a draft now. Calls name it {made.slug}.")
    return go(request, reverse("workflow", args=[made.slug]))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_workflows
def change(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/workflows/<slug>/edit/`: all that is stated; saving claims one that nobody answers for.

    The address may fill in limits that another page proposes.
    """
    found = named(request, slug, CHANGE)
    claims = found.status in UNCLAIMED
    if found.status == Workflow.Status.RESERVED or found.merged_into is not None:
        tell_problem(request, f"{found.name} cannot be changed: nobody answers for it itself.")
        return go(request, reverse("workflow", args=[slug]))
    if request.method != "POST":
        initial = {"owner": request.user.get_username()} if claims and found.owner is None else {}
        filled = prefilled(request.GET, found)
        return _form(request, _filled(request, found, initial={**initial, **filled.initial}), found, filled=filled)
    form = _filled(request, found, request.POST)
    if not form.is_valid():
        return _form(request, form, found)
    version = form.cleaned_data["version"]
    expected = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else 0
    reason = form.cleaned_data["reason"].strip()
    save = claim_workflow if claims else edit.change_workflow
    try:
        saved = save(Actor.of_request(request), found, replace(form.values, slug=found.slug), reason, expected)
    except edit.InvalidWorkflow as error:
        form.tell(error.problems)
        return _form(request, form, found)
    except (edit.StaleEdit, edit.RefusedEdit) as error:
        form.add_error(None, str(error))
        return _form(request, form, found, status=409)
    _tell(request, saved, f"{saved.name} is {'claimed' if claims else 'saved'}.")
    return go(request, reverse("workflow", args=[slug]))


def _filled(
    request: HttpRequest, found: Workflow | None, data: Any = None, initial: dict[str, Any] | None = None
) -> WorkflowForm:
    return WorkflowForm(data, edited=found, people=people(), teams=teams(request.user), initial=initial or {})


def _form(
    request: HttpRequest,
    form: WorkflowForm,
    found: Workflow | None = None,
    status: int | None = None,
    filled: Prefilled | None = None,
) -> HttpResponse:
    return render(
        request,
        "workflows/form.html",
        {
            "here": "workflows",
            "organisation": Organisation.get(),
            "form": form,
            "workflow": found,
            "claims": found is not None and found.status in UNCLAIMED,
            "filled": filled,
        },
        status=status or (422 if form.errors else 200),
    )


def act(view: Callable[[HttpRequest, Workflow], tuple[Workflow, str]]) -> Callable[..., HttpResponseBase]:
    """A POST that does one thing to one workflow: `view` does it and says so; here it is answered.

    From a row of the unclaimed spend, the row goes out and the total follows, by htmx or by loading the page again.
    """

    @wraps(view)
    def answer(request: HttpRequest, slug: str) -> HttpResponseBase:
        found, back = named(request, slug, CHANGE), request.POST.get("back", "")
        url = reverse(BACK[back]) if back in BACK else reverse("workflow", args=[slug])
        try:
            row, words = view(request, found)
        except Problems as error:
            return _refused(request, url, str(error), back)
        entry = edit.last_change(row)
        undo_url = _undo_url(row, entry, back) if entry else ""
        if back == "unassigned" and getattr(request, "htmx", None):
            return _row_out(request, {"said": words, "undo_url": undo_url})
        tell(request, words, undo_url)
        return go(request, url)

    guarded: Callable[..., HttpResponseBase] = require_POST(changes_workflows(answer))
    return guarded


def _row_out(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    unclaimed = unclaimed_total(Month.of(Organisation.get(), timezone.now()))
    return render(request, "workflows/row_out.html", context | {"unclaimed": unclaimed, "oob": True}, status=status)


def _refused(request: HttpRequest, url: str, words: str, back: str) -> HttpResponseBase:
    if back == "unassigned" and getattr(request, "htmx", None):
        answer = _row_out(request, {"said": words, "bad": True}, status=409)
        answer["HX-Reswap"] = "none"
        return answer
    tell_problem(request, words)
    return go(request, url)


def _undo_url(row: Workflow, entry: AuditEntry, back: str = "") -> str:
    url = reverse("workflow-undo", args=[row.slug, entry.pk])
    return f"{url}?back={back}" if back in BACK else url


def _tell(request: HttpRequest, row: Workflow, words: str) -> None:
    """A toast that offers to undo what was just done."""
    entry = edit.last_change(row)
    tell(request, words, _undo_url(row, entry) if entry else "")


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\0", "").strip()[:500]


@act
def claim(request: HttpRequest, found: Workflow) -> tuple[Workflow, str]:
    """One click: the person who is signed in answers for it, under the name it has."""
    values = replace(values_of(found), owner=request.user.get_username())
    row = claim_workflow(Actor.of_request(request), found, values, _reason(request))
    return row, f"{row.name} is claimed: you answer for it."


def plain(do: Callable[[Actor, Workflow, str], Workflow], words: str) -> Callable[..., HttpResponseBase]:
    """An act that needs no more than a reason; `words` say with the workflow's `name` what came of it."""

    def view(request: HttpRequest, found: Workflow) -> tuple[Workflow, str]:
        row = do(Actor.of_request(request), found, _reason(request))
        return row, words.format(name=row.name)

    return act(view)


ignore = plain(ignore_workflow, "{name} is ignored. It is still counted, among the ignored ones.")
unignore = plain(take_back, "{name} is no longer ignored; it waits to be claimed.")
unmerge = plain(
    unmerge_workflow, "{name} counts for itself again. Calls that came meanwhile stay where they were counted."
)
pause = plain(pause_workflow, "{name} is paused: all its calls are stopped.")
resume = plain(resume_workflow, "{name} runs again, as far as its budgets allow.")
produce = plain(put_in_production, "{name} is in production.")
back_to_draft = plain(put_back_to_draft, "{name} is a draft again.")


@require_POST
@changes_workflows
def undo(request: HttpRequest, slug: str, entry: int) -> HttpResponseBase:
    """Take back the change that this row of history tells of, if nothing happened since."""
    found = named(request, slug, CHANGE)
    told = get_object_or_404(AuditEntry, pk=entry, object_type=edit.OBJECT_TYPE, object_id=str(found.pk))
    try:
        row = undo_change(Actor.of_request(request), found, told)
    except Problems as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{row.name} is as it was before.")
    back = request.GET.get("back", "")
    return go(request, reverse(BACK[back]) if back in BACK else reverse("workflow", args=[slug]))


@require_POST
@changes(CHANGE, "workflows")
def assign(request: HttpRequest) -> HttpResponseBase:
    """`/workflows/assign/`: claim all that were chosen for one owner and team."""
    slugs = [slug[:128] for slug in request.POST.getlist("chosen") if "\0" not in slug][:1000]
    chosen = {"owner": request.POST.get("owner", ""), "team": request.POST.get("team", "")}
    found = list(Workflow.objects.filter(slug__in=slugs))
    try:
        rows = claim_many(Actor.of_request(request), found, chosen["owner"], chosen["team"], _reason(request))
    except edit.InvalidWorkflow as error:
        context = unassigned_context(request, request.GET.dict())
        context |= {"problems": error.problems, "chosen": chosen, "chosen_slugs": slugs}
        return render(request, "workflows/unassigned.html", context, status=422)
    except edit.RefusedEdit as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{len(rows)} workflow{' is' if len(rows) == 1 else 's are'} claimed.")
    return go(request, reverse("workflows-unassigned"))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_workflows
def merge(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/workflows/<slug>/merge/`: choose a workflow, see what merging would do, confirm."""
    found = named(request, slug, CHANGE)
    typed = (request.POST if request.method == "POST" else request.GET).get("into", "").replace("\0", "").strip()
    context: dict[str, Any] = {
        "here": "workflows",
        "organisation": Organisation.get(),
        "workflow": found,
        "typed": typed,
        "back": request.POST.get("back") or request.GET.get("back", ""),
        "offered": reachable(Workflow, request.user, CHANGE)
        .filter(status__in=["draft", "production"])
        .exclude(pk=found.pk)[:OFFERED],
    }
    target = _target(request, typed) if typed else None
    if typed and target is None:
        context["problem"] = f"There is no workflow called “{typed[:128]}”."
    elif target is not None:
        try:
            if request.method == "POST":
                row = merge_workflow(Actor.of_request(request), found, target, _reason(request))
                return _merged(request, row, target, context["back"])
            context |= {"target": target, "preview": preview_merge(found, target), "used": ever_used(found)}
        except (edit.StaleEdit, edit.RefusedEdit) as error:
            context |= {"problem": str(error), "target": None}
    elif request.method == "POST":
        context["problem"] = "Choose the workflow that it belongs to."
    return render(request, "workflows/merge.html", context, status=422 if "problem" in context else 200)


def _merged(request: HttpRequest, row: Workflow, target: Workflow, back: str) -> HttpResponse:
    entry = edit.last_change(row)
    undo_url = _undo_url(row, entry, back) if entry else ""
    tell(request, f"{row.name} counts under {target.name} now.", undo_url)
    return go(request, reverse(BACK[back]) if back in BACK else reverse("workflow", args=[target.slug]))


def _target(request: HttpRequest, typed: str) -> Workflow | None:
    """By its short name, else by its name."""
    return (
        reachable(Workflow, request.user, CHANGE)
        .select_related("merged_into")
        .filter(Q(slug=typed[:128]) | Q(name__iexact=typed[:128]))
        .order_by("status", "name")
        .first()
    )
