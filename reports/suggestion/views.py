"""What stands beside a budget form while it is filled in: what the amount means, and a suggested one.

Fetched as fragments; without a script the form's button leads to the same as a page, which leads back to the form.
Amounts are in US dollars here whatever the pages show, since the form's are.
"""

from datetime import datetime
from fractions import Fraction
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from budgets.access.reachable import outside
from budgets.access.roles import CHANGE_BUDGET
from budgets.currency.shown import DOLLARS, show
from budgets.limits.calendar import expected_share
from budgets.limits.edit import BudgetValues
from budgets.limits.scope import in_words
from budgets.models import Budget, Organisation
from budgets.pages.amounts import typed
from budgets.pages.door import changes_budgets_in_reach
from budgets.pages.forms import BudgetForm, read_form
from budgets.pages.standing import EACH
from budgets.pages.standings import scope_names
from reports.overview.meaning import Meaning, meaning_of
from reports.suggestion.history import OF_RUNS, history_of
from reports.suggestion.suggest import LEAST_APPROVED, round_up, suggest

NEEDED = ("scope", "metric", "period", "starts_on", "ends_on")
LAST = {"day": "Yesterday", "week": "Last week", "month": "Last month", "quarter": "Last quarter", "year": "Last year"}
THIS = {"day": "today", "fixed": "in its time"}


@require_POST
@never_cache
@changes_budgets_in_reach
def meaning(request: HttpRequest) -> HttpResponseBase:
    """`/budget-meaning/`: the fragment; the whole page for a form that was sent without a script."""
    show(DOLLARS)
    form, organisation, now = _read(request), Organisation.get(), timezone.now()
    context = _meaning(form, organisation, now)
    if getattr(request, "htmx", None):
        return render(request, "overview/meaning.html", context | {"oob": True})
    return _page(request, form, context | _suggestion(form, organisation, now))


@require_POST
@never_cache
@changes_budgets_in_reach
def suggestion(request: HttpRequest) -> HttpResponseBase:
    """`/budget-suggestion/`: the fragment with an amount and its reason, or from when there is one."""
    show(DOLLARS)
    form = _read(request)
    return render(request, "suggestion/suggestion.html", _suggestion(form, Organisation.get(), timezone.now()))


def _read(request: HttpRequest) -> BudgetForm:
    """The form as it was sent; nothing is told of what the person could not make a budget of."""
    form = read_form(request.POST.dict())
    stated = form.stated if "scope" not in form.errors else None
    sentence = outside(request.user, CHANGE_BUDGET, Budget(scope=dict(stated.scope))) if stated else ""
    if sentence:
        form.errors["scope"], form.values = sentence, None
    return form


def _page(request: HttpRequest, form: BudgetForm, context: dict[str, Any]) -> HttpResponse:
    slug = request.GET.get("budget", "")
    known = slug.replace("-", "").replace(".", "").replace("_", "").isalnum() and slug.isascii() and len(slug) <= 128
    back = reverse("budget-edit", args=[slug.lower()]) if known else reverse("budget-new")
    more = {"here": "budgets", "form": form, "back": back, "sent": form.typed.items()}
    return render(request, "suggestion/page.html", context | more)


def _meaning(form: BudgetForm, organisation: Organisation, now: datetime) -> dict[str, Any]:
    values = form.values or _without_name(form)
    if values is None:
        return {"money": form.typed.get("metric") == "money"}
    found = meaning_of(values, organisation, now)
    used = Fraction(found.so_far, values.amount) if found else Fraction(0)
    landed = Fraction(found.landing, values.amount) if found and found.landing is not None else None
    share = expected_share(found.period, now, organisation.zone, values.pace) if found else Fraction(0)
    change = found.change(values.amount) if found else None
    return {
        "values": values,
        "money": values.metric == "money",
        "meaning": found,
        "subject": in_words(values.scope, scope_names([dict(values.scope)])),
        "each": EACH.get(values.period, "in its time"),
        "last": LAST.get(values.period, ""),
        "this": THIS.get(values.period, f"this {values.period}"),
        "change": change,
        "change_size": abs(change or 0),
        "percent": int(used * 100),
        "fill": _width(used),
        "pale": _width(landed) if landed is not None else "",
        "mark": _width(share),
        "tone": _tone(found, values),
        "at_least": round_up(found.so_far + 1, values.metric) if found and found.already else 0,
    }


def _without_name(form: BudgetForm) -> BudgetValues | None:
    """What is told while only such things are missing as do not matter to it."""
    return form.stated if not {*NEEDED, "amount", "pace"} & set(form.errors) else None


def _tone(found: Meaning | None, values: BudgetValues) -> str:
    if found is None or (found.landing is None and not found.already):
        return "ok"
    if found.already or (found.landing or 0) > values.amount:
        return "over"
    return "watch" if (found.landing or 0) * 100 >= values.amount * 95 else "ok"


def _width(part: Fraction) -> str:
    return f"{float(min(max(part, Fraction(0)), Fraction(1))) * 100:.1f}%"


def _suggestion(form: BudgetForm, organisation: Organisation, now: datetime) -> dict[str, Any]:
    values = form.stated
    if values is None or set(NEEDED) & set(form.errors):
        return {}
    history = history_of(values, organisation, now)
    fixed = values.period == "fixed"
    found = suggest(history.used, values.metric, history.outcomes)
    return {
        "asked": values,
        "history": history,
        "found": found,
        "typed_amount": typed(found.amount, values.metric) if found else "",
        "unit": "stretch" if fixed else values.period,
        "counts": f"{len(history.periods)} {'stretches of as many days' if fixed else f'{values.period}s'}",
        "is_parted": not set(values.scope) <= OF_RUNS,
        "least_approved": LEAST_APPROVED,
    }
