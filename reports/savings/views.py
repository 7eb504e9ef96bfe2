"""`/savings/`: what levers would have saved on past calls, lever by lever and workflow by workflow, and their CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.access.reachable import reachable
from budgets.access.roles import CHANGE_BUDGET, CHANGE_POLICY, may, reach
from budgets.audit.record import Actor
from budgets.models import Organisation, Workflow
from budgets.notices.hint import hint_task
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import REFUSAL, changes, in_reach
from budgets.pages.moments import moment, place, span_year
from reports.asking.window import unknown
from reports.models import SavingsRun
from reports.savings import saying
from reports.savings.lever import STAGES
from reports.savings.levers import BY_KEY
from reports.savings.prepare import Link, changes_policy, draft_of, limit_links
from reports.savings.reading import Reading, newest_for
from reports.savings.showing import LeverRow, Row
from reports.savings.take import DAYS, TASK, ask
from reports.spend.addresses import run_address
from routing.policy.shape import InvalidPolicy
from usage.models import LedgerEntry

CHANGE = "budgets.change_workflow"
PER_PAGE = 50
HEADER = (
    "place", "lever", "workflow", "short_name", "cost", "saved_alone", "saved_on_top", "currency", "calls",
    "calls_without_price", "evidence", "unknown",
)  # fmt: skip
changes_policy_only = changes(CHANGE_POLICY, "the policy")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row of a lever with the forms that have its change filled in."""

    row: Row
    links: Sequence[Link]
    drafts: bool


@require_safe
@never_cache
@in_reach
def savings(request: HttpRequest) -> HttpResponseBase:
    """The levers in the order in which they may be pulled, and the workflows."""
    reading = newest_for(request.user)
    context = frame(request, reading)
    if reading.shown is not None:
        page = Paginator(reading.shown.workflows, PER_PAGE).get_page(request.GET.get("page"))
        context |= {"page": page, "rows": page.object_list}
    return render(request, "savings/page.html", context)


@require_safe
@never_cache
@in_reach
def progress(request: HttpRequest) -> HttpResponseBase:
    """The moving part of the page; once the run has ended it has the whole page loaded."""
    reading = newest_for(request.user)
    if reading.moves:
        return render(request, "savings/progress.html", frame(request, reading))
    answer = HttpResponse(status=204)
    answer["HX-Redirect"] = reverse("savings")
    return answer


@require_POST
@in_reach
def again(request: HttpRequest) -> HttpResponseBase:
    """Have it worked out now, for those who may change budgets or workflows; it changes what this page says."""
    if not may_ask(request):
        raise PermissionDenied(REFUSAL.format(what="budgets or workflows"))
    _, new = ask(Actor.of_request(request))
    hint_task(TASK)
    tell(request, "It is being worked out. You may leave this page." if new else "It is being worked out already.")
    return go(request, reverse("savings"))


@require_safe
@never_cache
@in_reach
def lever(request: HttpRequest, key: str) -> HttpResponseBase:
    """`/savings/levers/<key>/`: one lever with its workflows."""
    reading, row = lever_of(request, key)
    page = Paginator(row.rows, PER_PAGE).get_page(request.GET.get("page"))
    context = frame(request, reading) | {
        "lever": row.lever,
        "stage": STAGES[row.lever.stage],
        "row": row,
        "page": page,
        "rows": prepared(request, list(page.object_list)),
        "unknown": row.unknown[:PER_PAGE],
        "drafts": any(one.found.terms and changes_policy(one.found.terms) for one in row.rows),
        "may_draft": reach(request.user, CHANGE_POLICY).everything,
    }
    return render(request, "savings/lever.html", context)


@require_safe
@never_cache
@in_reach
def lever_workflow(request: HttpRequest, key: str, slug: str) -> HttpResponseBase:
    """`/savings/levers/<key>/<workflow>/`: the calls behind, those with the largest saving."""
    reading, row = lever_of(request, key)
    mine = next((one for one in (*row.rows, *row.unknown) if one.slug == slug), None)
    if mine is None:
        raise Http404("This lever finds nothing in that workflow.")
    context = frame(request, reading) | {
        "lever": row.lever,
        "stage": STAGES[row.lever.stage],
        "row": mine,
        "prepared": prepared(request, [mine])[0],
        "calls": calls_behind(mine),
        "may_draft": reach(request.user, CHANGE_POLICY).everything,
    }
    return render(request, "savings/workflow.html", context)


def may_ask(request: HttpRequest) -> bool:
    """Whether somebody may have it worked out before the night does."""
    return bool(reach(request.user, CHANGE_BUDGET) or reach(request.user, CHANGE))


def lever_of(request: HttpRequest, key: str) -> tuple[Reading, LeverRow]:
    """The newest figures with this lever's row; 404 without either."""
    reading = newest_for(request.user)
    if key not in BY_KEY or reading.shown is None:
        raise Http404("There is no such lever, or nothing was worked out yet.")
    return reading, next(row for row in reading.shown.levers if row.lever.key == key)


def prepared(request: HttpRequest, rows: Sequence[Row]) -> list[Prepared]:
    """The rows with what may be prepared by who looks; two statements at most."""
    found = reachable(Workflow, request.user).filter(slug__in=[row.slug for row in rows]).select_related("merged_into")
    changeable = {one.slug: one for one in found if one.is_claimed and may(request.user, CHANGE, one)}
    return [
        Prepared(
            row,
            limit_links(changeable[row.slug], row.found.terms) if row.found.terms and row.slug in changeable else (),
            bool(row.found.terms and changes_policy(row.found.terms)),
        )
        for row in rows
    ]


def calls_behind(row: Row) -> list[dict[str, Any]]:
    """The examples of a row with what the ledger says of them. One statement."""
    wanted = {pk: (cost, after) for pk, cost, after in row.found.examples}
    fields = ("id", "time", "run_id", "model", "task_type", "stage", "input_tokens", "output_tokens")
    stated = {one["id"]: one for one in LedgerEntry.objects.filter(pk__in=wanted).values(*fields)} if wanted else {}
    local = Organisation.get().local
    now = local(timezone.now())
    return [
        {
            **stated[pk],
            "when": moment(local(stated[pk]["time"]), now),
            "cost": cost,
            "after": after,
            "run_url": run_address(row.slug, run_id) if (run_id := stated[pk]["run_id"]) else "",
        }
        for pk, (cost, after) in wanted.items()
        if pk in stated
    ]


@require_POST
@changes_policy_only
def prepare(request: HttpRequest, key: str) -> HttpResponseBase:
    """A draft of the policy with what the lever proposes, for one workflow (`workflow`) or for all; and open it."""
    _, row = lever_of(request, key)
    only = request.POST.get("workflow", "")
    proposed = {one.slug: one.found.terms for one in row.rows if one.found.terms and only in {"", one.slug}}
    back = reverse("savings-lever", args=[key])
    if not any(changes_policy(terms) for terms in proposed.values()):
        tell_problem(request, "Nothing was prepared: this lever does not change the policy.")
        return go(request, back)
    try:
        draft = draft_of(Actor.of_request(request), row.lever, proposed)
    except InvalidPolicy as error:
        tell_problem(request, f"Nothing was prepared. {error}")
        return go(request, back)
    if draft is None:
        tell_problem(request, "Nothing was prepared: the policy in force says so already, or names none of the models.")
        return go(request, back)
    tell(request, "The draft is prepared. Nothing is in force before it is published.")
    return go(request, reverse("policy-draft", args=[draft.pk]))


@require_safe
@never_cache
@in_reach
def levers_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/savings.csv`: each lever in each workflow."""
    reading = newest_for(request.user)
    rows = reading.shown.levers if reading.shown else []
    return csv_response(_name("savings", reading.run), HEADER, (line for row in rows for line in _lines(row)))


def _lines(of: LeverRow) -> Iterator[list[Any]]:
    code = currency_code()
    for row in (*of.rows, *of.unknown):
        found = row.found
        money = [exact(row.cost), exact(row.alone), exact(row.together)] if found.terms else [exact(row.cost), "", ""]
        says = found.terms.says if found.terms else ""
        named = [of.lever.place, of.lever.name, row.name, row.slug]
        yield [*named, *money, code, found.calls, found.unpriced, says, found.unknown]


@require_safe
@never_cache
@in_reach
def lever_csv(request: HttpRequest, key: str) -> HttpResponseBase:
    """`/export/savings/levers/<key>.csv`: one lever in each workflow."""
    reading, row = lever_of(request, key)
    return csv_response(_name(f"savings-{key}", reading.run), HEADER, _lines(row))


@require_safe
@never_cache
@in_reach
def workflows_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/savings-workflows.csv`: each workflow with all levers together."""
    reading = newest_for(request.user)
    rows = reading.shown.workflows if reading.shown else ()
    header = ["workflow", "short_name", "calls", "calls_without_cost", "cost", "after", "saved", "currency", "most_by"]
    code = currency_code()
    lines = (
        [row.name, row.slug, row.of.calls, row.of.unknown, exact(row.cost), exact(row.after), exact(row.saved), code,
         row.best]
        for row in rows
    )  # fmt: skip
    return csv_response(_name("savings-workflows", reading.run), header, lines)


@require_safe
@never_cache
@in_reach
def calls_csv(request: HttpRequest, key: str, slug: str) -> HttpResponseBase:
    """`/export/savings/levers/<key>/<workflow>.csv`: the calls behind, those with the largest saving."""
    reading, row = lever_of(request, key)
    mine = [one for one in row.rows if one.slug == slug]
    if not mine:
        raise Http404("This lever finds nothing in that workflow.")
    header = [
        "time",
        "run",
        "model",
        "task_type",
        "stage",
        "input_tokens",
        "output_tokens",
        "cost",
        "after",
        "currency",
    ]
    code = currency_code()
    lines = (
        [one["time"].isoformat(), one["run_id"] or "", one["model"], one["task_type"], one["stage"],
         one["input_tokens"], one["output_tokens"], exact(one["cost"]), exact(one["after"]), code]
        for one in calls_behind(mine[0])
    )  # fmt: skip
    return csv_response(_name(f"savings-{key}-calls", reading.run), header, lines)


def _name(name: str, run: SavingsRun | None) -> str:
    return f"{name}-{run.first_day}-{run.last_day}" if run else name


def frame(request: HttpRequest, reading: Reading) -> dict[str, Any]:
    """What all pages of this room show."""
    organisation = Organisation.get()
    run, local, now = reading.run, organisation.local, timezone.now()
    newer = reading.newer
    context: dict[str, Any] = {
        "here": "savings",
        "organisation": organisation,
        "zone_words": place(run.zone if run else organisation.time_zone),
        "reading": reading,
        "run": run,
        "newer": newer,
        "shown": reading.shown,
        "ignored": unknown(request.GET.keys(), {"page"}),
        "length": DAYS,
        "may_ask": may_ask(request),
    }
    if newer is not None:
        whole = max(newer.taken or 0, newer.done)
        context |= {"whole": whole, "fill": f"{min(100, newer.done * 100 // max(whole, 1))}%"}
    if run is not None and reading.result is not None and reading.shown is not None:
        is_sample = reading.result.taken < reading.result.calls
        context |= {
            "days": span_year(run.first_day, run.last_day),
            "when": moment(local(run.finished_at), local(now)) if run.finished_at else "",
            "headline": saying.headline(reading.shown, span_year(run.first_day, run.last_day)),
            "is_sample": is_sample,
            "result": reading.result,
            "apart": reading.result.spent - reading.shown.cost,
            "everything": reach(request.user, "budgets.view").everything,
        }
    return context
