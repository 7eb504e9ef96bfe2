"""The explorer: page, chart data, CSV, and what a filter can be narrowed to."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.models import Organisation
from budgets.pages.amounts import per_unit
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from budgets.pages.moments import place, span_year
from reports.asking.narrowed import taken_out
from reports.asking.scope import CORE, DIMENSIONS, NAMES, WIDE, Scope, written
from reports.asking.window import COMPARISONS, PERIODS, window_of
from reports.spend import drawing, table
from reports.spend.asked import METRICS, Asked, asked_of
from reports.spend.explore import LISTED, Explored, explore, known
from reports.spend.naming import Names, names_of
from reports.spend.sums import spend
from usage.prices.known import priced
from usage.prices.showing import cost_in_file, cost_words

BACK_TO = ("spend-runs", "spend-calls")  # other pages than the explorer that are filtered
OFFERED = 200  # values of a dimension on one page to choose from


@require_safe
@never_cache
@in_reach
def explorer(request: HttpRequest) -> HttpResponseBase:
    """`/spend/`: what was spent, by any dimension; the whole question stands in the address."""
    organisation = Organisation.get()
    asked = asked_of(request.GET, request.user, organisation, timezone.now())
    found = explore(asked)
    page = table.paged(table.ordered(found), request.GET.get("page"))
    return render(
        request,
        "spend/page.html",
        frame(organisation, asked, found.names)
        | {
            "found": found,
            "chart": drawing.chart(found, reverse("spend")),
            "chart_words": drawing.chart_words(found),
            "legend": [(one, drawing.figure(one.total, asked.metric)) for one in found.series],
            "points": points(found),
            "page": page,
            "rows": [table.shown(line, found) for line in page.object_list],
            "headings": table.headings(found),
            "tiles": tiles(found),
            "has_rest": any(None in line.keys for line in found.lines),
            "listed": LISTED,
            "not_compared": found.not_compared,
            "menus": menus(asked),
        },
    )


@require_safe
@never_cache
@in_reach
def series(request: HttpRequest) -> HttpResponseBase:
    """`/series/spend.json`: what the chart draws, and the table's rows and total."""
    asked = asked_of(request.GET, request.user, Organisation.get(), timezone.now())
    found = explore(asked)
    figures = {
        "from": found.answer.window.first.isoformat(),
        "to": found.answer.window.last.isoformat(),
        "rows": [drawing.figures_of(line, found) for line in table.ordered(found)],
        "all": drawing.used_of(found.total),
        "rows_sum_to_all": not found.overlaps,
        "notes": [*asked.notes, *filter(None, [found.not_compared])],
    }
    return JsonResponse(drawing.chart(found, reverse("spend")) | {"figures": figures})


@require_safe
@never_cache
@in_reach
def explorer_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/spend.csv`: the table, every row; same filters and totals."""
    asked = asked_of(request.GET, request.user, Organisation.get(), timezone.now())
    found = explore(asked, draw=False)
    window = found.answer.window
    header = ["from", "to", *asked.groups, *(f"{one}_name" for one in asked.groups), "cost", "currency", "calls"]
    header += ["calls_without_price", "calls_without_tokens", "input_tokens", "output_tokens", "retries"]
    compares = found.other is not None
    if compares:
        header += [f"{asked.metric}_complete_days", f"{asked.metric}_before"]

    def lines() -> Iterator[list[Any]]:
        money = asked.metric == "money"
        for line in table.ordered(found):
            used = line.used
            row: list[Any] = [window.first.isoformat(), window.last.isoformat()]
            row += [key or "" for key in line.keys]
            row += [*line.labels, cost_in_file(used), currency_code(), used.calls, used.unpriced, used.unmeasured]
            row += [used.input_tokens, used.output_tokens, used.retries]
            if compares:
                row += ["" if one is None else exact(one) if money else one for one in (line.now, line.before)]
            yield row

    return csv_response(f"spend-by-{'-'.join(asked.groups)}-{window.first}-{window.last}", header, lines())


@require_safe
@never_cache
@in_reach
def values(request: HttpRequest, dimension: str) -> HttpResponseBase:
    """`/spend/values/<dimension>/`: the values that there are in these days, to be chosen as a filter."""
    if dimension not in DIMENSIONS:
        raise Http404
    organisation = Organisation.get()
    query = request.GET.copy()
    back = query.pop("back", ["spend"])[-1]
    kept = taken_out(query) if back == "spend-calls" else ()
    asked = replace(asked_of(query, request.user, organisation, timezone.now()), kept=kept)
    whole = spend(asked.scope.without(dimension), asked.window, (dimension,))
    keys = [row.keys[0] for row in whole.rows if row.keys[0] is not None]
    chosen = asked.scope.values(dimension)
    shown = [*(one for one in chosen if one not in keys), *keys[:OFFERED]]
    names = names_of(asked.scope, {dimension: shown})
    cost = {row.keys[0]: row.used for row in whole.rows}
    others = asked.scope.without(dimension)
    rest = asked.where(others) if back in BACK_TO else asked.address(scope=others)
    return render(
        request,
        "spend/values.html",
        frame(organisation, asked, names)
        | {
            "dimension": dimension,
            "words": NAMES[dimension],
            "kept": list(parse_qsl(rest)),
            "offers": [
                (written(one), names.of(dimension, one), cost_words(cost[one]) if one in cost else "", one in chosen)
                for one in shown
            ],
            "more": max(0, len(keys) - OFFERED),
            "read_words": span_year(whole.window.first, whole.window.last),
            "target": reverse(back if back in BACK_TO else "spend"),
            "back": asked.address() if back not in BACK_TO else asked.where(),
        },
    )


def frame(organisation: Organisation, asked: Asked, names: Names) -> dict[str, Any]:
    """What every page of the room has: days, filters, what was not understood."""
    return {
        "here": "spend",
        "organisation": organisation,
        "asked": asked,
        "window": asked.window,
        "days_words": span_year(asked.window.first, asked.window.last),
        "zone_words": place(organisation.time_zone),
        "chips": chips(asked, names),
        "where": asked.where(),
        "query": asked.address(),
    }


def chips(asked: Asked, names: Names) -> list[dict[str, str]]:
    """Each value that is filtered by, and the queries without it."""
    return [
        {
            "words": NAMES[one],
            "value": names.of(one, value),
            "query": asked.address(scope=asked.scope.without(one, value)),
            "where": asked.where(asked.scope.without(one, value)),
        }
        for one in asked.scope.narrowed
        for value in asked.scope.values(one)
    ]


def menus(asked: Asked) -> dict[str, Any]:
    """The choices of days, groupings, comparisons and figures, each with its query."""
    organisation = Organisation.get()
    start = organisation.fiscal_year_starts
    periods = []
    for key, words in PERIODS.items():
        window = window_of({"period": key}, asked.now, asked.window.zone, start)
        periods.append((words, window.days_words, asked.address(window=window), key == asked.window.period))

    def of(name: str, choices: list[tuple[str, str]]) -> list[tuple[str, str, bool]]:
        return [(words, asked.address(**{name: key}), key == getattr(asked, name)) for key, words in choices]

    def grouped(name: str, key: str) -> str:
        """Grouping by what rows are split by takes the splitting away."""
        return asked.address(group=key, stack="" if asked.stack == key else asked.stack)

    return {
        "periods": periods,
        "days_form": [pair for pair in parse_qsl(asked.address()) if pair[0] not in {"period", "from", "to"}],
        "groups": [(NAMES[one], grouped("group", one), one == asked.group) for one in DIMENSIONS],
        "group": NAMES[asked.group],
        "stacks": of("stack", [("", "Nothing"), *((one, NAMES[one]) for one in CORE if one != asked.group)]),
        "stack": NAMES[asked.stack].lower() if asked.stack else "",
        "compares": of("compare", list(COMPARISONS.items())),
        "compare": COMPARISONS[asked.compare].lower() if asked.compare != "none" else "",
        "metrics": of("metric", [(key, words) for key, (words, _) in METRICS.items()]),
        "metric": METRICS[asked.metric][0],
        "filters": [(NAMES[one], one) for one in (*CORE, *WIDE)],
        "cleared": asked.address(scope=Scope(within=asked.scope.within)),
    }


def tiles(found: Explored) -> dict[str, Any]:
    """The numbers above the chart that are not simply a sum."""
    total, asked = found.total, found.asked
    compared = None
    if found.other and found.before_total is not None and found.now_total is not None:
        now, before = (known(one, asked.figure) for one in (found.now_total, found.before_total))
        if now is not None and before is not None:
            words = table.change_words(now, before, asked.metric)
            compared = {"words": words, "more": now > before, "same": now == before}
    return {
        "money": cost_words(total),
        "per_call": per_unit(total.cost, priced(total)) if total.cost else "",
        "unpriced": max(0, total.unpriced),
        "unmeasured": max(0, total.unmeasured),
        "compared": compared,
    }


def points(found: Explored) -> list[dict[str, Any]]:
    """The chart as a table: a row for each point with each series' figure, and its sum; the newest first."""
    _, full = drawing.labels_of(found)
    addresses = drawing.drills(found)
    rows = [
        {
            "label": full[i],
            "query": addresses[i],
            "is_running": i >= found.complete,
            "values": [table.cell(one.used[i], found.asked) for one in found.series],
            "total": table.cell(found.used[i], found.asked),
        }
        for i in range(len(found.points))
    ]
    return rows if found.asked.stack else rows[::-1]
