"""Why spend differs: page, chart data, CSV; and the same for a budget against its plan, with the card on its page."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import fetched
from budgets.models import Budget, Organisation
from budgets.pages.csv import csv_response
from budgets.pages.door import in_reach
from budgets.pages.moments import place, span_year
from budgets.pages.standing import Standing
from budgets.pages.standings import standings
from reports.asking.scope import NAMES, scope_of
from reports.asking.window import PERIODS, window_of
from reports.spend.naming import names_of
from reports.why import drawing
from reports.why.asked import CHOSEN, WAYS, Question, question_of
from reports.why.budget import AGAINST, PLAN, Overrun, overrun
from reports.why.explain import Explanation, Unread, explain

CARD_ROWS = 5


@require_safe
@never_cache
@in_reach
def why(request: HttpRequest) -> HttpResponseBase:
    """`/spend/why/`: what made these days cost more or less than those; the whole question stands in the address."""
    organisation = Organisation.get()
    question = question_of(request.GET, request.user, organisation, timezone.now())
    found, why_not = answer(question)
    names = names_of(question.scope)
    chips = [
        {
            "words": NAMES[one],
            "value": names.of(one, value),
            "query": question.address(scope=question.scope.without(one, value)),
        }
        for one in question.scope.narrowed
        for value in question.scope.values(one)
    ]
    return render(
        request,
        "why/page.html",
        shown(found)
        | {
            "why_not": why_not,
            "here": "spend",
            "organisation": organisation,
            "question": question,
            "window": question.window,
            "zone_words": place(organisation.time_zone),
            "after_words": span_year(question.after.first, question.after.last) if question.after else "",
            "before_words": span_year(question.before.first, question.before.last) if question.before else "",
            "chips": chips,
            "menus": menus(question, organisation),
            "query": question.address(),
        },
    )


@require_safe
@never_cache
@in_reach
def why_series(request: HttpRequest) -> HttpResponseBase:
    """`/series/spend-why.json`: what the chart draws, and the parts as exact figures."""
    question = question_of(request.GET, request.user, Organisation.get(), timezone.now())
    found, why_not = answer(question)
    if found is None:
        return JsonResponse({"figures": None, "notes": [*question.notes, why_not]})
    days = {name: _days(one) for name, one in (("days", question.after), ("days_before", question.before))}
    return JsonResponse(drawing.chart(found) | {"figures": drawing.data(found) | days, "notes": list(question.notes)})


@require_safe
@never_cache
@in_reach
def why_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/spend-why.csv`: a line for each part; they sum to the difference."""
    question = question_of(request.GET, request.user, Organisation.get(), timezone.now())
    found, _ = answer(question)
    days = [*_days(question.after), *_days(question.before)] if found else []
    lines = drawing.lines(found, days) if found else iter(())
    header = ["from", "to", "before_from", "before_to", *drawing.HEADER]
    return csv_response("-".join(["why-spend-differs", *days[:2]]), header, lines)


def answer(question: Question) -> tuple[Explanation | None, str]:
    """What was found; or None, and a sentence on why."""
    before, after = question.before, question.after
    if before is None or after is None:
        only = f"{question.window.label} has only begun. Days are compared once they are over"
        return None, f"{only}; choose days before, or come back tomorrow."
    spans = [(one.starts_at, one.stops_at) for one in (before, after)]
    try:
        return explain(question.scope, spans[0], spans[1], than=question.before_name), ""
    except Unread as error:
        return None, str(error)


def shown(found: Explanation | None) -> dict[str, Any]:
    """What the templates of page and card share."""
    if found is None:
        return {"found": None}
    return {
        "found": found,
        "rows": drawing.rows(found),
        "total_words": drawing.precisely(found.total, found.measure),
        "chart": drawing.chart(found),
        "chart_words": drawing.chart_words(found),
    }


def menus(question: Question, organisation: Organisation) -> dict[str, Any]:
    """The choices of days and of what to compare with, each with its query."""
    now, start = timezone.now(), organisation.fiscal_year_starts
    periods = []
    for key, words in PERIODS.items():
        window = window_of({"period": key}, now, organisation.zone, start)
        periods.append((words, window.days_words, question.address(window=window), key == question.window.period))
    return {
        "periods": periods,
        "compares": [(words, question.address(compare=key), key == question.compare) for key, words in WAYS.items()],
        "kept": [*question.scope.pairs()],
        "is_chosen": question.compare == CHOSEN,
        "spend": "&".join(filter(None, [question.window.link, question.scope.query()])),
    }


@require_safe
@never_cache
@in_reach
def budget_why(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/why/`: the whole page, whatever the budget's standing."""
    return _budget(request, "why/budget.html", slug)


@require_safe
@never_cache
@in_reach
def budget_why_card(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/why/card/`: the card alone."""
    return _budget(request, "why/card.html", slug)


@require_safe
@never_cache
@in_reach
def budget_why_line(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/budgets/<slug>/why/line/`: the sentence alone, for the Overview."""
    _, _, found, why_not = _explained(request, slug)
    within = found is not None and not found.is_whole and found.explanation.total <= 0
    context = {"found": found.explanation if found else None, "why_not": why_not, "is_within": within}
    return render(request, "why/line.html", context)


@require_safe
@never_cache
@in_reach
def budget_why_series(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/series/budgets/<slug>/why.json`: what the chart draws, and the parts as exact figures."""
    _, _, found, why_not = _explained(request, slug)
    if found is None:
        return JsonResponse({"figures": None, "notes": [why_not]})
    return JsonResponse(drawing.chart(found.explanation) | {"figures": drawing.data(found.explanation)})


@require_safe
@never_cache
@in_reach
def budget_why_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/budgets/<slug>/why.csv`: a line for each part; they sum to what is over the plan."""
    _, standing, found, _ = _explained(request, slug)
    dates = [standing.first.isoformat(), standing.last.isoformat()] if standing else []
    lines = drawing.lines(found.explanation, dates) if found else iter(())
    return csv_response(f"budget-{slug}-why", ["from", "to", *drawing.HEADER], lines)


def _against(request: HttpRequest) -> str:
    given = request.GET.get("against", PLAN)
    return given if given in AGAINST else PLAN


def _explained(request: HttpRequest, slug: str) -> tuple[Budget, Standing | None, Overrun | None, str]:
    """The budget, how it stands, what was found; None for what there is not, and a sentence on why."""
    budget = fetched(Budget.objects.exclude(status=Budget.Status.ARCHIVED), request.user, slug=slug)
    organisation, now = Organisation.get(), timezone.now()
    rows, _ = standings(organisation, now, Budget.objects.filter(pk=budget.pk))
    if not rows:
        return budget, None, None, "They show while the budget’s time runs and once it was counted."
    reader, _ = scope_of({}, request.user)
    try:
        found = overrun(budget, rows[0], organisation, now, _against(request), reader.within)
    except Unread as error:
        return budget, rows[0], None, str(error)
    return budget, rows[0], found, ""


def _budget(request: HttpRequest, template: str, slug: str) -> HttpResponse:
    budget, standing, found, why_not = _explained(request, slug)
    context = shown(found.explanation if found else None)
    context |= {
        "why_not": why_not,
        "here": "budgets",
        "budget": budget,
        "standing": standing,
        "overrun": found,
        "against": _against(request),
        "ways": AGAINST,
        "ignored": request.GET.get("against", PLAN) not in AGAINST,
        "days_words": span_year(standing.first, standing.last) if standing else "",
        "few": context.get("rows", [])[:CARD_ROWS],
    }
    return render(request, template, context)


def _days(window: Any) -> list[str]:
    return [window.first.isoformat(), window.last.isoformat()] if window else ["", ""]
