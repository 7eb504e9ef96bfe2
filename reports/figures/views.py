"""The figures: the page of five questions, its JSON and its CSVs."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.models import Organisation
from budgets.pages.csv import csv_response, currency_code
from budgets.pages.door import in_reach
from budgets.pages.moments import place, span_year
from reports.asking.scope import NAMES, Scope
from reports.asking.window import COMPARISONS, PERIODS, window_of
from reports.figures.asked import Asked, asked_of
from reports.figures.documents import document, figure_lines
from reports.figures.gather import Gathered, gather
from reports.figures.meaning import GROUPS
from reports.figures.reading import RUNS_KNOW
from reports.figures.showing import change_words, in_file, shown
from reports.figures.tables import Line, Table, sentence
from reports.spend.naming import names_of

EVERY = 5_000  # rows of a file for dimensions with many values
OFFERED = 40  # values of one filter to choose from
OF_RUNS = {"repeats", "value", "review"}
FILTERS = {"team": "teams", "workflow": "workflows", "model": "models", "application": "applications"}


@require_safe
@never_cache
@in_reach
def page(request: HttpRequest) -> HttpResponseBase:
    """`/figures/`: five questions answered, then every figure."""
    organisation = Organisation.get()
    asked = asked_of(request.GET, request.user, organisation, timezone.now())
    found = gather(asked)
    return render(
        request,
        "figures/page.html",
        {
            "here": "figures",
            "organisation": organisation,
            "asked": asked,
            "window": asked.window,
            "days_words": span_year(asked.window.first, asked.window.last),
            "zone_words": place(organisation.time_zone),
            "query": asked.address(),
            "menus": menus(asked, organisation, found),
            "chips": chips(asked),
            "is_empty": not found.figures.calls and "used" not in found.reads.now.missing,
            "questions": [(one, [drawn(table, asked) for table in one.tables]) for one in found.questions],
            "groups": groups(found),
            "is_revenue_known": found.reads.revenue is not None,
            "more": [drawn(found.tables[key], asked) for key in ("customers", "users")],
            "each": [drawn(found.tables[key], asked) for key in ("shapes", "growth", "review")],
        },
    )


@require_safe
@never_cache
@in_reach
def series(request: HttpRequest) -> HttpResponseBase:
    """`/series/figures.json`: all of the page as data, in the currency shown."""
    found = _found(request)
    answers = [{"question": one.asks, "answer": one.answer} for one in found.questions]
    return JsonResponse(document(found, currency_code()) | {"questions": answers})


@require_safe
@never_cache
@in_reach
def figures_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/figures.csv`: a line for each figure."""
    found = _found(request)
    window = found.asked.window
    header = ["from", "to", "group", "figure", "title", "unit", "value", "complete_days", "before", "currency",
              "why_not"]  # fmt: skip
    lines = (
        [
            window.first.isoformat(), window.last.isoformat(), one["group"], one["name"], one["title"], one["unit"],
            one["value"], one["complete_days"], one["before"],
            currency_code() if one["unit"] in {"each", "money"} else "", one["why_not"],
        ]
        for one in figure_lines(found)
    )  # fmt: skip
    return csv_response(f"figures-{window.first}-{window.last}", header, lines)


@require_safe
@never_cache
@in_reach
def table_csv(request: HttpRequest, name: str) -> HttpResponseBase:
    """`/export/figures/<name>.csv`: every row of one table."""
    found = _found(request)
    if name not in found.tables:
        raise Http404
    table, window = found.tables[name], found.asked.window
    header = ["from", "to", *(one.name for one in table.columns), "currency"]
    lines = (
        [
            window.first.isoformat(), window.last.isoformat(),
            *(in_file(cell, column.unit) for column, cell in zip(table.columns, line.cells, strict=True)),
            currency_code(),
        ]
        for line in table.lines
    )  # fmt: skip
    return csv_response(f"figures-{name}-{window.first}-{window.last}", header, lines)


def _found(request: HttpRequest) -> Gathered:
    return gather(asked_of(request.GET, request.user, Organisation.get(), timezone.now()), EVERY)


def menus(asked: Asked, organisation: Organisation, found: Gathered) -> dict[str, Any]:
    """The choices of days, comparison and filters, each with its query."""
    periods = []
    for key, words in PERIODS.items():
        window = window_of({"period": key}, asked.now, asked.window.zone, organisation.fiscal_year_starts)
        periods.append((words, window.days_words, asked.address(window=window), key == asked.window.period))
    filters = []
    for dimension, key in FILTERS.items():
        lines = [line for line in found.tables[key].lines if line.narrow[0][1] not in asked.scope.values(dimension)]
        offers = [
            (line.cells[0], asked.address(scope=asked.scope.only(dimension, line.narrow[0][1])))
            for line in lines[:OFFERED]
        ]
        if offers:
            filters.append((NAMES[dimension], offers, len(lines) > OFFERED))
    return {
        "periods": periods,
        "days_form": [pair for pair in parse_qsl(asked.address()) if pair[0] not in {"period", "from", "to"}],
        "compares": [(words, asked.address(compare=key), key == asked.compare) for key, words in COMPARISONS.items()],
        "compare": COMPARISONS[asked.compare].lower() if asked.compare != "none" else "",
        "filters": filters,
        "cleared": asked.address(scope=Scope(within=asked.scope.within)),
    }


def chips(asked: Asked) -> list[tuple[str, str, str]]:
    """Each value that is filtered by: the dimension's words, its own, the query without it."""
    names = names_of(asked.scope)
    return [
        (
            NAMES[one],
            names.of(one, value),
            asked.address(scope=asked.scope.without(one, value)),
        )
        for one in asked.scope.narrowed
        for value in asked.scope.values(one)
    ]


def drawn(table: Table, asked: Asked) -> dict[str, Any]:
    """A table as the page shows it: finished cells, a link to the explorer for each row and for all."""
    return {
        "table": table,
        "rows": [_row(line, table, asked) for line in table.shown],
        "link": _link("spend", asked.spend(asked.scope, table.group)) if table.group else _runs(table, asked),
    }


def _row(line: Line, table: Table, asked: Asked) -> dict[str, Any]:
    scope = asked.scope
    for dimension, value in line.narrow:
        scope = scope.only(dimension, value)
    cells = [
        {"text": shown(cell, column.unit), "column": column, "is_words": column.unit == "words"}
        for column, cell in zip(table.columns[1:], line.cells[1:], strict=True)
    ]
    return {"name": line.cells[0], "link": _link("spend", asked.spend(scope)) if line.narrow else "", "cells": cells}


def _runs(table: Table, asked: Asked) -> str:
    """The runs behind a table about runs, the costliest first."""
    query = urlencode([*asked.window.query.items(), *asked.scope.pairs()])
    return _link("spend-runs", query) if table.key in OF_RUNS and set(asked.scope.narrowed) <= RUNS_KNOW else ""


def _link(name: str, query: str) -> str:
    """An address of the explorer; "" where there is none: floors may be missing in a test."""
    try:
        return f"{reverse(name)}?{query}"
    except NoReverseMatch:
        return ""


def groups(found: Gathered) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Every figure as the page shows it."""
    made = []
    for group in GROUPS:
        rows = []
        for one in group.figures:
            value = found.figures.value(one.name)
            done, before = (of.value(one.name) if of else None for of in (found.done, found.before))
            rows.append(
                {
                    "meaning": one,
                    "value": shown(value, one.unit) if value is not None else "",
                    "why": sentence(found.figures.why.get(one.name, "")),
                    "before": shown(before, one.unit) if before is not None else "",
                    "change": "" if one.name == "elasticity" else change_words(done, before),
                }
            )
        made.append((group.key, group.title, rows))
    return made
