"""One act on several budgets: choose, see what would change and what not and why, confirm with a reason, undo."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from budgets.access.reachable import reachable
from budgets.access.roles import CHANGE_BUDGET
from budgets.audit.record import Actor
from budgets.limits import bulk
from budgets.limits.bulk import MOST, BulkAct, Line
from budgets.limits.edit import InvalidBudget, RefusedEdit, StaleEdit
from budgets.models import Budget, Organisation
from budgets.pages.answers import tell, tell_problem
from budgets.pages.detail import differences
from budgets.pages.door import changes_budgets_in_reach
from budgets.pages.finding import Filters, chosen
from budgets.pages.forms import person, read_thresholds

WORDS = {
    "pause": ("Pause", "paused: still counted, but they tell nobody and stop nothing."),
    "resume": ("Resume", "active again. What was spent meanwhile counts."),
    "archive": ("Archive", "archived. They count and limit nothing any more."),
    "change": ("Change", "changed."),
}
NO_REASON = "Say why, in a few words: it is kept in the history of each."


class ChangeForm(forms.Form):
    """What to change; what is left empty stays as it is in each budget."""

    direction = forms.ChoiceField(
        label="Amounts", choices=[("", "Leave as they are"), ("up", "Raise"), ("down", "Lower")], required=False
    )
    percent = forms.DecimalField(
        label="By percent",
        required=False,
        max_digits=6,
        decimal_places=2,
        error_messages={"invalid": "Write a percent like 10 or 7.5."},
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    thresholds = forms.CharField(
        label="Warn at, percent",
        required=False,
        max_length=200,
        help_text="With commas between, for example 50, 80, 100.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    on_exhausted = forms.ChoiceField(
        label="When it runs out", choices=[("", "Leave as it is"), *Budget.Action.choices], required=False
    )
    tier = forms.ChoiceField(
        label="Models down to", choices=[("1", "Economy"), ("2", "Standard")], required=False, initial="1"
    )
    per_minute = forms.IntegerField(label="Calls a minute", required=False, min_value=1, max_value=1_000_000)
    owner = forms.CharField(
        label="Owner", required=False, max_length=150, help_text="A user name, or a full name.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip

    def clean_thresholds(self) -> tuple[int, ...] | None:
        text = self.cleaned_data["thresholds"].strip()
        if not text:
            return None
        errors: dict[str, str] = {}
        percents = read_thresholds(text, errors)
        if errors:
            raise forms.ValidationError(errors["thresholds"])
        return percents

    def clean_owner(self) -> int | None:
        text = self.cleaned_data["owner"].strip()
        try:
            return person(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> None:
        given = self.cleaned_data
        if given.get("direction") and not given.get("percent") and "percent" not in self.errors:
            self.add_error("percent", "Say by how many percent, above zero.")
        elif (given.get("percent") or 0) < 0:
            self.add_error("percent", "Choose Raise or Lower, and a percent above zero.")
        elif given.get("percent") and not given.get("direction"):
            self.add_error("direction", "Choose whether to raise or to lower the amounts.")
        if given.get("on_exhausted") == Budget.Action.THROTTLE and not given.get("per_minute"):
            self.add_error("per_minute", "Enter how many calls a minute they may make.")

    def act(self) -> BulkAct:
        """What is asked, once it is valid."""
        given: dict[str, Any] = self.cleaned_data
        percent = given["percent"] * (-1 if given["direction"] == "down" else 1) if given["direction"] else None
        needed: dict[str, dict[str, int]] = {
            "downgrade": {"tier": int(given["tier"] or 1)},
            "throttle": {"per_minute": given["per_minute"] or 0},
        }
        return BulkAct(
            "change",
            percent=percent,
            thresholds=given["thresholds"],
            on_exhausted=given["on_exhausted"] or None,
            action_settings=needed.get(given["on_exhausted"], {}),
            owner_id=given["owner"],
        )


@dataclass
class Asked:
    """A request understood: the act, the form that states a change, the budgets, what is wrong."""

    name: str
    act: BulkAct
    form: ChangeForm | None
    budgets: list[Budget]
    problem: str = ""
    first: bool = False  # a change that is not stated yet


@require_POST
@never_cache
@changes_budgets_in_reach
def bulk_act(request: HttpRequest) -> HttpResponseBase:
    """`/budgets/bulk/`: the preview; with `step=apply` it is done."""
    asked = _asked(request)
    apply = request.POST.get("step") == "apply"
    reason = request.POST.get("reason", "").strip().replace("\0", "")[:500]
    if asked.problem or asked.first or not apply:
        return _preview(request, asked, reason, asked.problem, 422 if asked.problem else 200)
    if not reason:
        return _preview(request, asked, reason, NO_REASON, 422)
    try:
        told = bulk.apply(Actor.of_request(request), asked.act, _versions(request.POST, asked.budgets), reason)
    except (StaleEdit, RefusedEdit, InvalidBudget) as error:
        return _preview(request, _asked(request), reason, str(error), 409)
    count = f"{len(told)} budget{' is' if len(told) == 1 else 's are'}"
    undo_url = reverse("budget-bulk-undo", args=[told[0].position, told[-1].position])
    tell(request, f"{count} {WORDS[asked.name][1]}", undo_url)
    address = Filters.of(request.POST.dict()).address
    return redirect(reverse("budgets") + (f"?{address}" if address else ""))


@require_POST
@changes_budgets_in_reach
def bulk_undo(request: HttpRequest, first: int, last: int) -> HttpResponseBase:
    """Take back the whole act whose rows of history stand from position `first` to `last`."""
    try:
        budgets = bulk.undo(Actor.of_request(request), first, last)
    except (StaleEdit, RefusedEdit, InvalidBudget) as error:
        tell_problem(request, f"Nothing was undone. {error}")
    else:
        tell(request, f"{len(budgets)} budget{' is' if len(budgets) == 1 else 's are'} as before.")
    return redirect("budgets")


def _asked(request: HttpRequest) -> Asked:
    post, mine = request.POST, reachable(Budget, request.user, CHANGE_BUDGET)
    name = post.get("act", "")
    name = name if name in WORDS else ""
    if post.get("all"):
        given = {one: str(post.get(one, "")) for one in post}
        ids = chosen(Filters.of(given), Organisation.get(), timezone.now(), MOST, mine)
    else:
        slugs = [one[:128].replace("\0", "") for one in post.getlist("pick")[: MOST + 1]]
        ids = list(mine.filter(slug__in=slugs).values_list("pk", flat=True))
    budgets = list(mine.filter(pk__in=ids).select_related("owner").order_by("name", "pk"))
    form = first = None
    act = BulkAct(name)
    if name == "change":
        first = "percent" not in post
        form = ChangeForm() if first else ChangeForm(post)
        if form.is_valid():
            act = form.act()
    stated = not first and (form is None or form.is_valid())
    problem = bulk.problem_with(act if stated else BulkAct("pause"), len(budgets))
    if form is not None and not first and not form.is_valid():
        problem = problem or "Nothing was changed. Some fields need a change."
    return Asked(name, act, form, budgets, problem or ("" if name else "Choose what to do."), bool(first))


def _versions(post: QueryDict, budgets: list[Budget]) -> dict[int, int]:
    """Id → the version that the person saw; one that was not shown counts as changed."""
    seen = {}
    for budget in budgets:
        text = post.get(f"seen_{budget.slug}", "")
        seen[budget.pk] = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return seen


def _preview(request: HttpRequest, asked: Asked, reason: str, problem: str, status: int) -> HttpResponse:
    stated = bool(asked.name) and not asked.first and not (asked.form is not None and not asked.form.is_valid())
    lines = bulk.preview(asked.act, asked.budgets[:MOST]) if stated else []
    done = [line for line in lines if line.is_done]
    people = _owners(lines)
    return render(
        request,
        "budgets/bulk.html",
        {
            "here": "budgets",
            "asked": asked,
            "title": WORDS[asked.name][0] if asked.name else "Change",
            "form": asked.form,
            "problem": problem,
            "reason": reason,
            "lines": [_shown(line, people) for line in lines],
            "unstated": [] if stated else asked.budgets[:MOST],
            "done": len(done),
            "left_out": len(lines) - len(done),
            "needs_reason": problem == NO_REASON,
            "given": Filters.of(request.POST.dict()),
        },
        status=status,
    )


def _owners(lines: list[Line]) -> dict[int, str]:
    users = get_user_model().objects.filter(
        pk__in={one.owner_id for line in lines for one in (line.before, line.after)}
    )
    return {one.pk: one.get_full_name() or one.get_username() for one in users}


def _shown(line: Line, people: Mapping[int, str]) -> Mapping[str, Any]:
    budget = line.budget
    return {
        "slug": budget.slug,
        "name": budget.name,
        "version": budget.edit_version,
        "problem": line.problem,
        "changes": differences(line.before.as_json(), line.after.as_json(), people) if line.is_done else [],
        "status": budget.get_status_display(),
    }
