"""What became of runs, in the browser: the list with its CSV, and one run with everything said of it."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.reachable import fetched
from budgets.access.roles import may
from budgets.audit.record import Actor
from budgets.models import Organisation, Workflow
from budgets.pages.amounts import cents
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import changes_in_reach, in_reach
from budgets.pages.moments import moment
from budgets.pages.named import workflow_offers
from budgets.people.names import shown_name
from usage.coverage.window import PERIODS
from usage.models import OutcomeMessage, Run
from usage.outcomes import change
from usage.outcomes.forms import OutcomeForm
from usage.outcomes.listing import SORTS, TABS, Chosen, Row, chosen_of, names_of, rows_of
from usage.prices.known import known_cost
from usage.prices.showing import cost_in_file, cost_words

PER_PAGE = 50
WAITING_SHOWN = 20
CHANGE = "usage.change_outcome"
WORDS = {"cost": "Dearest first", "latest": "Latest first", "minutes": "Most review time first"}
TONES = {"approved": "ok", "shipped": "ok", "completed": "ok", "rejected": "over", "failed": "over"}
HEADER = [
    "workflow", "run_id", "outcome", "last_call", "counts_at", "calls", "cost", "currency", "reviewer", "reviews",
    "reviewed_twice", "reworks", "review_minutes", "satisfaction", "scores", "misrouted", "revenue", "minutes_saved",
    "cases", "asset",
]  # fmt: skip
sets_outcomes = changes_in_reach(CHANGE, "outcomes")


@require_safe
@never_cache
@in_reach
def outcomes(request: HttpRequest) -> HttpResponseBase:
    """`/outcomes/`: runs of the days asked for, with and without an outcome, the dearest first."""
    organisation, now = Organisation.get(), timezone.now()
    chosen = chosen_of(request.GET.dict(), organisation, request.user, now)
    counts, cost = chosen.totals()
    page = Paginator(chosen.runs(), PER_PAGE)
    page.count = counts[chosen.outcome]
    runs = page.get_page(request.GET.get("page"))
    waiting = chosen.waiting()
    told = list(waiting[:WAITING_SHOWN])
    names = names_of({run.workflow_id for run in runs.object_list} | {one.workflow_id for one in told})
    local = organisation.local
    return render(
        request,
        "outcomes/list.html",
        {
            "here": "outcomes",
            "organisation": organisation,
            "chosen": chosen,
            "kept": chosen.kept.items(),
            "page": runs,
            "rows": [(row, *_shown(row.run, organisation), cost_words(row.run))
                     for row in rows_of(list(runs.object_list), names)],
            "cost": cost_words(cost),
            "tabs": [(key, words, counts[key], chosen.address(outcome=key)) for key, (words, _) in TABS.items()],
            "periods": PERIODS.items(),
            "sorts": [(key, WORDS[key]) for key in SORTS],
            "workflows": workflow_offers(request.user),
            "waiting": [(one, names.get(one.workflow_id, ("", ""))[1], moment(local(one.received_at), local(now)))
                        for one in told],
            "waiting_count": waiting.count() if len(told) == WAITING_SHOWN else len(told),
            "is_empty": not counts[""] and not chosen.is_narrowed and not Run.objects.exists(),
            "may_set": may(request.user, CHANGE),
            "address": request.build_absolute_uri("/"),
            "csv_query": chosen.address(),
        },
    )  # fmt: skip


def _shown(run: Run, organisation: Organisation) -> tuple[str, str, str]:
    """Of a run: its outcome in words, the tone of that, when its last call was."""
    words = "No outcome yet" if run.outcome == "open" else run.get_outcome_display()
    last, now = organisation.local(run.last_call), organisation.local(timezone.now())
    return words, TONES.get(run.outcome, "watch" if run.outcome == "reworked" else ""), moment(last, now)


@require_safe
@never_cache
@in_reach
def outcomes_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/outcomes.csv`: the list's filter, every run; `cost` adds up to the page's total."""
    chosen = chosen_of(request.GET.dict(), Organisation.get(), request.user, timezone.now())
    return csv_response("outcomes", HEADER, _lines(chosen))


def _lines(chosen: Chosen) -> Iterable[list[Any]]:
    rows: Iterable[Row] = rows_of(chosen.runs().iterator(chunk_size=1_000))
    for row in rows:
        run = row.run
        yield [
            row.slug, run.run_id, row.outcome_said, run.last_call.isoformat(), run.counts_at.isoformat(), run.calls,
            cost_in_file(run), currency_code(), run.reviewer, run.reviews, run.duplicates, run.reworks,
            row.review_minutes_said, row.satisfaction_said, run.scored,
            None if run.misrouted is None else int(run.misrouted),
            None if run.revenue is None else exact(run.revenue), run.minutes_saved, run.cases, run.asset,
        ]  # fmt: skip


def _run(request: HttpRequest, pk: int, permission: str = "budgets.view") -> tuple[Run, Workflow]:
    """A run in reach, with the workflow that it counts under; 404 out of reach, 403 where only the act is."""
    run = get_object_or_404(Run, pk=pk)
    workflow = fetched(Workflow.objects.select_related("merged_into__team", "team"), request.user, permission,
                       pk=run.workflow_id)  # fmt: skip
    return run, workflow.merged_into or workflow


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@in_reach
def outcome(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/outcomes/<id>/`: what was said of a run, and a form to say more; POST says it."""
    if request.method == "POST":
        return _set(request, pk)
    run, workflow = _run(request, pk)
    first = {"outcome": "approved", "reviewer": shown_name(request.user), "misrouted": run.misrouted}
    return _page(request, run, workflow, OutcomeForm(initial=first))


@sets_outcomes
def _set(request: HttpRequest, pk: int) -> HttpResponseBase:
    run, workflow = _run(request, pk, CHANGE)
    form = OutcomeForm(request.POST)
    if not form.is_valid():
        return _page(request, run, workflow, form, status=422)
    try:
        said = form.said(run, workflow.slug)
        message = change.set_outcome(Actor.of_request(request), run, workflow, said, form.cleaned_data["reason"])
    except change.RefusedOutcome as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return _page(request, run, workflow, form, status=422)
    late = "" if message.state == "applied" else " It shows in a moment."
    tell(request, f"{run.run_id}: {message.get_outcome_display().lower()}.{late}", _back(run, message, "outcome-undo"))
    return go(request, reverse("outcome", args=[run.pk]))


def _back(run: Run, message: OutcomeMessage, name: str) -> str:
    return reverse(name, args=[run.pk, message.pk])


def _page(request: HttpRequest, run: Run, workflow: Workflow, form: OutcomeForm, status: int = 200) -> HttpResponse:
    organisation = Organisation.get()
    now = organisation.local(timezone.now())
    told = OutcomeMessage.objects.filter(applied_to=run.workflow_id, run_id=run.run_id).select_related("entered_by")
    words, tone, last = _shown(run, organisation)
    return render(
        request,
        "outcomes/run.html",
        {
            "here": "outcomes",
            "organisation": organisation,
            "run": run,
            "workflow": workflow,
            "words": words,
            "tone": tone,
            "last": last,
            "cost": cost_words(run),
            "is_known": known_cost(run) is not None,
            "values": list(_values(run)),
            "score": run.satisfaction / run.scored if run.scored else None,
            "told": [
                (one, moment(organisation.local(one.time), now), shown_name(one.entered_by) if one.entered_by else "")
                for one in told.order_by("-time", "-pk")
            ],
            "form": form,
            "may_set": may(request.user, CHANGE, workflow),
        },
        status=status,
    )


def _values(run: Run) -> Iterator[str]:
    """What is stated that it brought, in words."""
    if run.revenue is not None:
        yield cents(run.revenue)
    if run.minutes_saved is not None:
        yield f"{run.minutes_saved.normalize():,f} min saved"
    if run.cases is not None:
        yield f"{run.cases:,} case{'' if run.cases == 1 else 's'} resolved"


@require_POST
@sets_outcomes
def undo(request: HttpRequest, pk: int, message: int) -> HttpResponseBase:
    """`/outcomes/<id>/<message>/undo/`: it counts no more."""
    return _turn(request, pk, message, back=True)


@require_POST
@sets_outcomes
def redo(request: HttpRequest, pk: int, message: int) -> HttpResponseBase:
    """`/outcomes/<id>/<message>/redo/`: what was taken back counts again."""
    return _turn(request, pk, message, back=False)


def _turn(request: HttpRequest, pk: int, message: int, *, back: bool) -> HttpResponseBase:
    run, _ = _run(request, pk, CHANGE)
    told = get_object_or_404(OutcomeMessage, pk=message, applied_to=run.workflow_id, run_id=run.run_id)
    act, name, words = (
        (change.take_back, "outcome-redo", "counts no more")
        if back
        else (change.bring_back, "outcome-undo", "counts again")
    )
    try:
        act(Actor.of_request(request), told)
    except change.RefusedOutcome as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"“{told.get_outcome_display()}” {words} for {run.run_id}.", _back(run, told, name))
    return redirect("outcome", pk=run.pk)
