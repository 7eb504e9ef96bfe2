"""Changing budgets: new, copy, edit, pause, resume, archive, restore, undo, and the check of a field being typed."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.access.reachable import fetched
from budgets.access.roles import CHANGE_BUDGET
from budgets.audit.record import Actor
from budgets.limits import edit
from budgets.models import AuditEntry, Budget, Organisation
from budgets.pages.amounts import amount
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes_budgets_in_reach
from budgets.pages.forms import (
    ACTION_HINTS,
    CHECKED,
    COVERS,
    BudgetForm,
    copy_of,
    empty_form,
    form_of,
    people,
    read_form,
    suggestions,
    with_amount,
)
from budgets.pages.standing import EACH
from budgets.templatetags.form_parts import field_error

TIERS = [("1", "Economy"), ("2", "Standard")]
OFFERED = {"", *(number for number, _ in TIERS)}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_budgets_in_reach
def new(request: HttpRequest) -> HttpResponseBase:
    """`/budgets/new/`; with `copy` in the address it begins as another budget stands."""
    if request.method != "POST":
        return _form(request, _begun(request))
    if "use" in request.POST:
        return _form(request, with_amount(request.POST.dict(), request.POST["use"]))
    form = read_form(request.POST.dict(), owner_id=request.user.pk)
    if form.values is None:
        return _form(request, form)
    try:
        made = edit.create_budget(Actor.of_request(request), form.values)
    except edit.InvalidBudget as error:
        return _form(request, BudgetForm(form.typed, error.problems))
    _tell(request, made, f"Budget saved. {_may_spend(made)}")
    return go(request, reverse("budget", args=[made.slug]))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_budgets_in_reach
def change(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/edit/`."""
    budget = _live(request, slug)
    if request.method != "POST":
        return _form(request, form_of(budget), budget)
    if "use" in request.POST:
        return _form(request, with_amount(request.POST.dict(), request.POST["use"]), budget)
    form = read_form(request.POST.dict(), owner_id=budget.owner_id, edited=budget)
    if form.values is None:
        return _form(request, form, budget)
    version = form.typed["version"]
    expected = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else 0
    try:
        saved = edit.change_budget(
            Actor.of_request(request), budget, form.values, form.typed["reason"].strip(), expected_version=expected
        )
    except edit.InvalidBudget as error:
        return _form(request, BudgetForm(form.typed, error.problems), budget)
    except (edit.StaleEdit, edit.RefusedEdit) as error:
        return _form(request, BudgetForm(form.typed, {"conflict": str(error)}), budget, status=409)
    _tell(request, saved, f"Budget saved. {_may_spend(saved)}{_over_already(saved)}")
    return go(request, reverse("budget", args=[slug]))


@require_POST
@changes_budgets_in_reach
def pause(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Stop telling and stopping; counting goes on. The toast offers to undo it."""
    budget = edit.pause_budget(Actor.of_request(request), _live(request, slug))
    _tell(request, budget, f"{budget.name} is paused: still counted, but it tells nobody and stops nothing.")
    return redirect("budget", slug)


@require_POST
@changes_budgets_in_reach
def resume(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Back to work; what was spent meanwhile counts."""
    budget = edit.resume_budget(Actor.of_request(request), _live(request, slug))
    _tell(request, budget, f"{budget.name} is active again. What was spent meanwhile counts.")
    return redirect("budget", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_budgets_in_reach
def archive(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/archive/`: says what that means, and does it once confirmed."""
    budget = _live(request, slug)
    refused = ""
    if request.method == "POST":
        try:
            edit.archive_budget(Actor.of_request(request), budget, request.POST.get("reason", "").strip()[:500])
        except (edit.InvalidBudget, edit.RefusedEdit) as error:
            refused = str(error)
        else:
            _tell(request, budget, f"{budget.name} is archived. It counts and limits nothing any more.")
            return go(request, reverse("budgets"))
    context = {"here": "budgets", "organisation": Organisation.get(), "budget": budget, "refused": refused}
    return render(request, "budgets/archive.html", context, status=409 if refused else 200)


@require_POST
@changes_budgets_in_reach
def restore(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Out of the archive; what was spent meanwhile is read from the ledger."""
    budget = fetched(Budget, request.user, CHANGE_BUDGET, slug=slug)
    try:
        budget = edit.restore_budget(Actor.of_request(request), budget, request.POST.get("reason", "").strip()[:500])
    except (edit.InvalidBudget, edit.RefusedEdit) as error:
        tell_problem(request, str(error))
    else:
        _tell(request, budget, f"{budget.name} is back. What was spent meanwhile is being added up.")
    return redirect("budget", slug)


@require_POST
@changes_budgets_in_reach
def undo(request: HttpRequest, slug: str, entry: int) -> HttpResponseBase:
    """Take back the change that this row of history tells of, if nothing happened since."""
    budget = fetched(Budget, request.user, CHANGE_BUDGET, slug=slug)
    told = get_object_or_404(AuditEntry, pk=entry, object_type=edit.OBJECT_TYPE, object_id=str(budget.pk))
    try:
        budget = edit.undo_change(Actor.of_request(request), budget, told)
    except (edit.StaleEdit, edit.RefusedEdit, edit.InvalidBudget) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{budget.name} is as it was before.")
    return redirect("budget", slug)


@require_POST
@changes_budgets_in_reach
def check(request: HttpRequest) -> HttpResponseBase:
    """The message line of the field that is being typed in: 422 with a sentence, or 200 and an empty line."""
    name = request.GET.get("field", "")
    if name not in CHECKED:
        raise Http404
    form = read_form(request.POST.dict())
    return HttpResponse(field_error(form, name), status=422 if name in form.errors else 200)


def _live(request: HttpRequest, slug: str) -> Budget:
    live = Budget.objects.select_related("owner").exclude(status=Budget.Status.ARCHIVED)
    return fetched(live, request.user, CHANGE_BUDGET, slug=slug)


def _tell(request: HttpRequest, budget: Budget, text: str) -> None:
    """A toast that offers to undo what was just done."""
    entry = edit.last_change(budget)
    tell(request, text, reverse("budget-undo", args=[budget.slug, entry.pk]) if entry else "")


def _may_spend(budget: Budget) -> str:
    when = EACH.get(budget.period, "in its time")
    return f"{budget.name} may use {amount(budget.amount, budget.metric)} {when}."


def _over_already(budget: Budget) -> str:
    """What must be told of an amount that is below what was spent; it was judged with the edit."""
    now = timezone.now()
    state = budget.states.filter(starts_at__lte=now, ends_at__gt=now).first()
    if state is None or state.spent < state.limit:
        return ""
    return f" {amount(state.spent, budget.metric)} is already spent, so it has run out."


def _begun(request: HttpRequest) -> BudgetForm:
    if slug := request.GET.get("copy"):
        return copy_of(fetched(Budget.objects.select_related("owner"), request.user, slug=slug.replace("\0", "")))
    return empty_form(request.GET.dict(), request.user.get_username())


def _form(
    request: HttpRequest, form: BudgetForm, budget: Budget | None = None, status: int | None = None
) -> HttpResponse:
    return render(
        request,
        "budgets/form.html",
        {
            "here": "budgets",
            "organisation": Organisation.get(),
            "form": form,
            "budget": budget,
            "covers": COVERS,
            "conditions": [one | {"offers": suggestions(one["covers"], request.user)} for one in form.conditions],
            "people": people(),
            "periods": Budget.Period.choices,
            "paces": Budget.Pace.choices,
            "actions": [(key, text, ACTION_HINTS[key]) for key, text in Budget.Action.choices],
            # A tier that the API chose stays chosen.
            "tiers": [*TIERS, *((one, f"Tier {one}") for one in [form.typed.get("tier", "")] if one not in OFFERED)],
        },
        status=status or (422 if form.errors else 200),
    )
