"""Runs behind a figure, one run as a timeline, and their files."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import fetched
from budgets.models import Organisation, Workflow
from budgets.pages import amounts
from budgets.pages.csv import csv_response, currency_code
from budgets.pages.door import in_reach
from budgets.pages.moments import clock, day_year, weekday
from reports.asking.scope import SCOPE_KEYS
from reports.asking.window import WINDOW_KEYS
from reports.spend import timeline
from reports.spend.addresses import csv_address, run_address
from reports.spend.asked import Asked
from reports.spend.below import asked_for, below, minute, second
from reports.spend.call_pages import COLUMNS, line_of
from reports.spend.entries import FoundRun, read_run
from reports.spend.runs import DEFAULT_SORT, OUTCOMES, SORTS, RunLine, find_runs
from reports.unusual.switches import switch_of
from usage.prices.known import priced
from usage.prices.showing import cost_in_file, cost_words

PER_PAGE = 50
SHOWN = 2_000  # rows of one run on its page
KEYS = WINDOW_KEYS | SCOPE_KEYS | {"sort", "page", "outcome"}
HEADINGS = (
    ("run", "Run", False),
    ("ended", "Last call", True),
    ("calls", "Calls", True),
    ("steps", "Steps", True),
    ("retries", "Retries", True),
    ("cost", "Cost", True),
    ("outcome", "Outcome", False),
)


@require_safe
@never_cache
@in_reach
def run_list(request: HttpRequest) -> HttpResponseBase:
    """`/spend/runs/`: the dearest first, or as `sort` says."""
    organisation = Organisation.get()
    asked = asked_for(request, organisation, KEYS)
    sort, outcome, notes = ordering(request, asked)
    number = request.GET.get("page", "")
    first = max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    found = find_runs(asked.scope, asked.window, sort, outcome, limit=PER_PAGE, offset=(first - 1) * PER_PAGE)
    if not found.lines and first > 1:
        first = 1
        found = find_runs(asked.scope, asked.window, sort, outcome, limit=PER_PAGE)
    page = Paginator(range(found.many), PER_PAGE).get_page(first)
    rest = urlencode([*asked.window.query.items(), *asked.scope.pairs(), *([("outcome", outcome)] if outcome else [])])
    return render(
        request,
        "spend/runs.html",
        below(organisation, asked, "spend-runs")
        | {
            "found": found,
            "rows": [
                (
                    row,
                    cost_words(row),
                    minute(organisation, row.last_call),
                    length(row),
                    run_address(row.workflow, row.run_id),
                )
                for row in found.lines
            ],
            "money": cost_words(found),
            "page": page,
            "headings": headings(sort, rest),
            "outcome": outcome,
            "outcomes": [(key, words) for key, words in OUTCOMES.items()],
            "notes": notes,
            "csv_query": f"{rest}&sort={sort}",
            "kept": [*asked.window.query.items(), *asked.scope.pairs(), ("sort", sort)],
        },
    )


def ordering(request: HttpRequest, asked: Asked) -> tuple[str, str, tuple[str, ...]]:
    """How runs are sorted, which outcome they have, and what of that was not understood."""
    notes = list(asked.notes)
    sort, outcome = request.GET.get("sort") or DEFAULT_SORT, request.GET.get("outcome", "")
    if sort.removeprefix("-") not in SORTS:
        notes.append(f"Runs cannot be sorted by “{sort[:40]}”; the dearest come first.")
        sort = DEFAULT_SORT
    if outcome and outcome not in OUTCOMES:
        notes.append(f"“{outcome[:40]}” is no outcome of a run; it was left out.")
        outcome = ""
    return sort, outcome, tuple(notes)


def headings(sort: str, rest: str) -> list[dict[str, Any]]:
    """Words, the query that sorts by it (the other way at the second click), which way it is sorted now."""
    out = []
    for key, words, is_number in HEADINGS:
        first, second = (f"-{key}", key) if is_number else (key, f"-{key}")
        way = {key: "ascending", f"-{key}": "descending"}.get(sort, "")
        query = f"{rest}&sort={second if sort == first else first}"
        out.append({"words": words, "number": is_number, "query": query, "way": way})
    return out


def length(row: RunLine) -> str:
    """ "42 seconds", "3 minutes", "2 hours", "5 days", from first to last call."""
    seconds = row.seconds
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            many = seconds // size
            return f"{many} {unit}{'' if many == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


@require_safe
@never_cache
@in_reach
def runs_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/spend/runs.csv`: same filters and order as the page, every run."""
    organisation = Organisation.get()
    asked = asked_for(request, organisation, KEYS)
    sort, outcome, _ = ordering(request, asked)
    found = find_runs(asked.scope, asked.window, sort, outcome)
    header = [
        "workflow", "run", "first_call", "last_call", "calls", "steps", "retries", "cost", "currency",
        "calls_without_price", "calls_without_tokens", "input_tokens", "output_tokens", "outcome",
    ]  # fmt: skip
    return csv_response(
        f"runs-{found.window.first}-{found.window.last}",
        header,
        (
            [
                row.workflow, row.run_id, row.first_call.isoformat(), row.last_call.isoformat(), row.calls, row.steps,
                row.retries, cost_in_file(row), currency_code(), row.unpriced, row.unmeasured, row.input_tokens,
                row.output_tokens, row.outcome,
            ]
            for row in found.lines
        ),
    )  # fmt: skip


@require_safe
@never_cache
@in_reach
def run(request: HttpRequest, workflow: str, run_id: str) -> HttpResponseBase:
    """`/spend/runs/<workflow>/<run>/`: one run, step by step."""
    row, found = _run(request, workflow, run_id, SHOWN)
    organisation = Organisation.get()
    drawn = timeline.lanes(found.entries)
    calls = [one for one in found.entries if one.is_call]
    first, last = organisation.local(found.first), organisation.local(found.last)
    used = found.used if found.cut else replace(found.used, cost=sum(one.cost or 0 for one in found.entries))
    return render(
        request,
        "spend/run.html",
        {
            "here": "spend",
            "organisation": organisation,
            "workflow": row,
            "run_id": run_id,
            "found": found,
            "used": used,
            "money": cost_words(used),
            "when": f"{weekday(first.date())} {first.year}, {clock(first)} to "
            f"{clock(last) if first.date() == last.date() else f'{day_year(last.date())}, {clock(last)}'}",
            "lanes": drawn,
            "undrawn": max(0, (used.calls if found.cut else len(calls)) - len(drawn)),
            "legend": timeline.legend(drawn),
            "steps": max(one.max_step for one in found.summaries),
            "outcomes": [one.get_outcome_display() for one in found.summaries if one.outcome != "open"],
            "rows": [(one, second(organisation, one.time)) for one in found.entries],
            "whole_seconds": _seconds(found),
            "csv_address": csv_address(row.slug, run_id),
            **switch_of(request.user, row, run_id, found.summaries, organisation),
            "per_call": amounts.per_unit(used.cost, priced(used)) if used.cost else "",
        },
    )


@require_safe
@never_cache
@in_reach
def run_by_id(request: HttpRequest, workflow: str) -> HttpResponseBase:
    """`/spend/runs/<workflow>/?id=`: the same for a run whose id cannot stand in a path."""
    return run(request, workflow=workflow, run_id=request.GET.get("id", ""))


@require_safe
@never_cache
@in_reach
def run_csv_by_id(request: HttpRequest, workflow: str) -> HttpResponseBase:
    """`/export/spend/runs/<workflow>.csv?id=`: the file of such a run."""
    return run_csv(request, workflow=workflow, run_id=request.GET.get("id", ""))


def _seconds(found: FoundRun) -> str:
    gap = found.last - min([found.first, *(timeline.began(one) for one in found.entries if one.is_call)])
    seconds = gap / timedelta(seconds=1)
    for size, words in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {words}"
    return f"{seconds:,.1f} seconds"


def _run(request: HttpRequest, slug: str, run_id: str, limit: int) -> tuple[Workflow, FoundRun]:
    """The run of a workflow in reach; Http404 else."""
    row = fetched(Workflow.objects.select_related("merged_into"), request.user, slug=slug)
    row = row.merged_into or row
    ids = list(Workflow.objects.counted_as(row.slug).values_list("pk", flat=True))
    found = read_run(ids, run_id, limit) if "\0" not in run_id else None
    if found is None:
        raise Http404
    return row, found


@require_safe
@never_cache
@in_reach
def run_csv(request: HttpRequest, workflow: str, run_id: str) -> HttpResponseBase:
    """`/export/spend/runs/<workflow>/<run>.csv`: every row of the run, corrections and withdrawals too."""
    _, found = _run(request, workflow, run_id, 100_000)

    def lines() -> Iterator[list[Any]]:
        for one in found.entries:
            yield line_of(one)

    return csv_response(f"run-{workflow}", COLUMNS, lines())
