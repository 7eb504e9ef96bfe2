"""Changing other AI costs in the browser: enter (once or for several months), edit, remove, undo."""

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.limits.calendar import day_of
from budgets.models import AuditEntry, Organisation
from budgets.pages.amounts import cents
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes
from budgets.pages.moments import span_year
from usage.costs import edit
from usage.costs.forms import CostForm, first_values, money, typed_values
from usage.costs.spread import following
from usage.costs.values import CostValues
from usage.models import OtherCost

may_change = changes("usage.change_othercost", "other costs")
MOST_ENTRIES = edit.MOST_MONTHS


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def new(request: HttpRequest) -> HttpResponseBase:
    """`/settings/costs/new/`; with `?after=<id>` filled in as that cost's next month."""
    if request.method != "POST":
        return _form(request, CostForm(initial=_first(request)))
    form = CostForm(request.POST)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        many = edit.repeated(form.values, form.cleaned_data.get("months") or 1)
        if len(many) > 1 and not request.POST.get("seen"):
            priced = [(values, edit.cost_of(values)) for values in many]
            return _form(request, form, preview=[_line(values, cost) for values, cost in priced])
        made = edit.create_costs(Actor.of_request(request), many)
    except edit.InvalidCost as error:
        form.refuse(error.problems)
        return _form(request, form, status=422)
    _tell(request, made, _saved(made))
    return go(request, reverse("costs"))


def _first(request: HttpRequest) -> dict[str, Any]:
    after, today = request.GET.get("after", ""), day_of(timezone.now(), Organisation.get().zone)
    if not (after.isascii() and after.isdecimal() and len(after) < 19):
        return first_values(today)
    row = get_object_or_404(OtherCost.objects.select_related("team", "workflow"), pk=int(after), removed_at=None)
    days = following(row.first_day, row.last_day, 1)
    return typed_values(row) | dict(zip(("first_day", "last_day"), days, strict=True)) | {"months": 1, "reference": ""}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def change(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/costs/<id>/`."""
    cost = get_object_or_404(OtherCost.objects.select_related("team", "workflow"), pk=pk, removed_at=None)
    if request.method != "POST":
        return _form(request, CostForm(initial=typed_values(cost), once=True), cost)
    form = CostForm(request.POST, once=True)
    if not form.is_valid():
        return _form(request, form, cost, status=422)
    try:
        saved = edit.change_cost(Actor.of_request(request), cost, form.values)
    except edit.InvalidCost as error:
        form.refuse(error.problems)
        return _form(request, form, cost, status=422)
    except edit.RefusedCost as error:
        form.add_error(None, str(error))
        return _form(request, form, cost, status=409)
    _tell(request, [saved], _saved([saved]))
    return go(request, reverse("costs"))


@require_POST
@may_change
def remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Out of every figure; the toast offers to undo it."""
    cost = get_object_or_404(OtherCost, pk=pk)
    try:
        edit.remove_cost(Actor.of_request(request), cost)
    except (edit.InvalidCost, edit.RefusedCost) as error:
        tell_problem(request, str(error))
    else:
        _tell(request, [cost], f"{cost.name} is removed. It no longer counts.")
    return go(request, reverse("costs"))


@require_POST
@may_change
def undo(request: HttpRequest, entries: str) -> HttpResponseBase:
    """Take back the changes that these rows of history tell of."""
    numbers = [one for one in entries.split("-") if one.isascii() and one.isdecimal() and len(one) < 19]
    wanted = [int(one) for one in numbers[:MOST_ENTRIES]]
    found = list(AuditEntry.objects.filter(pk__in=wanted, object_type=OtherCost._meta.label_lower))
    if not found or len(found) != len(wanted):
        raise Http404
    try:
        undone = edit.undo(Actor.of_request(request), found)
    except (edit.InvalidCost, edit.RefusedCost) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{undone[0].name} is as it was before." if len(undone) == 1 else f"Undone: {len(undone)} costs.")
    return redirect("costs")


def _tell(request: HttpRequest, rows: Sequence[OtherCost], text: str) -> None:
    found = [newest_entry(OtherCost, row.pk) for row in rows]
    entries = "-".join(str(entry.pk) for entry in found if entry)
    tell(request, text, reverse("cost-undo", args=[entries]) if entries else "")


def _saved(rows: Sequence[OtherCost]) -> str:
    first = rows[0]
    own = money(first.amount, first.currency)
    total = cents(sum(row.cost for row in rows))
    if len(rows) > 1:
        return f"Saved: {first.name}, {len(rows)} months of {own}, {total} in all."
    return f"{first.name} is saved: {own if first.currency == 'USD' else f'{own}, {total}'}."


def _line(values: CostValues, cost: int) -> dict[str, Any]:
    return {
        "days": span_year(values.first_day, values.last_day),
        "own": money(values.amount, values.currency),
        "cost": cost,
    }


def _form(
    request: HttpRequest,
    form: CostForm,
    cost: OtherCost | None = None,
    preview: Sequence[dict[str, Any]] = (),
    status: int = 200,
) -> HttpResponse:
    context = {"here": "settings", "form": form, "cost": cost, "preview": preview, "workflows": form.workflows()}
    context["preview_total"] = sum(line["cost"] for line in preview)
    return render(request, "costs/form.html", context, status=status)
