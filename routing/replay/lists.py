"""The calls behind a figure, as a page and as a CSV; and the CSVs of a replay's tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.models import Organisation, Workflow
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import signed_in
from budgets.pages.moments import moment
from routing.models import PolicyReplay
from routing.replay import showing, words
from routing.replay.behind import LOOKED_AT, Found, Wanted, find_calls
from routing.replay.result import Result, Tally
from routing.replay.run import Outcome
from routing.replay.views import PER_PAGE, days_of, done_replay, tried

TALLY = (
    "calls", "made", "blocked", "approval", "shorten", "lowered", "moved", "review", "cut", "unchanged", "unpriced",
    "unmeasured",
)  # fmt: skip
OF_SIDES = ("happened", "live", "draft")


@dataclass(frozen=True, slots=True)
class Shown:
    """A call for the page; costs None: not known."""

    when: str
    found: Found
    live: str
    draft: str
    why: list[str]
    same: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of calls; `more`: there is another one; `ended`: looking ended before all calls were seen."""

    rows: list[Found]
    number: int
    more: bool
    ended: bool


@require_safe
@never_cache
@signed_in
def calls(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """`/routing/drafts/<id>/preview/<id>/calls/`: which calls count in a figure, and why."""
    replay, result = done_replay(version_pk, pk)
    wanted = Wanted.asked(request.GET.dict())
    listed = listed_calls(replay, wanted, page_number(request.GET.get("page", "")))
    organisation, now = Organisation.get(), timezone.now()
    name = Workflow.objects.filter(slug=wanted.workflow).values_list("name", flat=True).first() or wanted.workflow
    return render(
        request,
        "routing/preview_calls.html",
        {
            "here": "policy",
            "replay": replay,
            "version": replay.version,
            "days": days_of(replay, organisation),
            "wanted": wanted,
            "title": title_of(wanted, result),
            "tried": tried(replay.version),
            "side": tried(replay.version) if wanted.side == "draft" else words.SIDES[wanted.side],
            "workflow_name": name,
            "counted": wanted.of(result),
            "listed": listed,
            "looked_at": LOOKED_AT,
            "rows": [shown_call(one, organisation, now) for one in listed.rows],
            "before": listed.number - 1,
            "after": listed.number + 1,
            "query": request.GET.urlencode(),
        },
    )


def page_number(text: str) -> int:
    """From 1; anything else is the first page."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 1
    return max(1, min(number, 10_000))


def listed_calls(replay: PolicyReplay, wanted: Wanted, number: int) -> Listed:
    """One page of them."""
    rows: list[Found] = []
    first = (number - 1) * PER_PAGE
    for place, found in enumerate(find_calls(replay, wanted, LOOKED_AT)):
        if found is None:
            return Listed(rows, number, more=False, ended=True)
        if place >= first + PER_PAGE:
            return Listed(rows, number, more=True, ended=False)
        if place >= first:
            rows.append(found)
    return Listed(rows, number, more=False, ended=False)


def title_of(wanted: Wanted, result: Result) -> str:
    """What the list is of."""
    if wanted.code:
        return words.reason_words(wanted.code)
    if wanted.rule:
        names = {one.key: one.words for one in showing.by_rule(result)}
        return f"The rule “{names.get(wanted.rule, wanted.rule)}” fits"
    said = words.CHANGED_WORDS if wanted.figure == words.CHANGED else words.FIGURE_WORDS[wanted.figure]
    if wanted.tier:
        tiers = {row.key: row.name for row in showing.by_tier(result)}
        return f"{said}: {tiers.get(wanted.tier, wanted.tier)}"
    return said


def shown_call(found: Found, organisation: Organisation, now: Any) -> Shown:
    """In words."""
    why = [reason.text for reason in found.said_draft.reasons]
    return Shown(
        moment(organisation.local(found.call.time), organisation.local(now)),
        found,
        words.ACTIONS.get(found.live.action, found.live.action),
        words.ACTIONS.get(found.draft.action, found.draft.action),
        why,
        found.live == found.draft,
    )


@require_safe
@never_cache
@signed_in
def calls_csv(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """All calls behind a figure, as `calls` chooses them, without its end."""
    replay, _ = done_replay(version_pk, pk)
    header = [
        "time", "workflow", "run_id", "step", "attempt", "provider", "model", "requested_model", "input_tokens",
        "output_tokens", "status", "tier", "cost", "live_action", "live_tier", "live_model", "live_cost",
        "draft_action", "draft_tier", "draft_model", "draft_cost", "draft_reasons", "draft_why", "currency",
    ]  # fmt: skip
    found = (one for one in find_calls(replay, Wanted.asked(request.GET.dict())) if one is not None)
    return csv_response(f"policy-preview-{pk}-calls", header, (call_line(one) for one in found))


def call_line(found: Found) -> list[Any]:
    """A line of that CSV; an unknown cost is empty."""
    call = found.call
    return [
        call.time.isoformat(), call.workflow, call.run_id or "", call.step or "", call.attempt or "", call.provider,
        call.model, call.requested_model or "", blank(call.input_tokens), blank(call.output_tokens), call.status,
        call.tier or "", money(call.cost), *of_side(found.live), *of_side(found.draft),
        " ".join(reason.code for reason in found.said_draft.reasons),
        " ".join(reason.text for reason in found.said_draft.reasons), currency_code(),
    ]  # fmt: skip


def of_side(outcome: Outcome) -> list[Any]:
    return [outcome.action, outcome.tier or "", outcome.model, money(outcome.cost)]


def blank(value: int | None) -> Any:
    return "" if value is None else value


def money(cost: int | None) -> str:
    return "" if cost is None else exact(cost)


@require_safe
@never_cache
@signed_in
def summary_csv(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """All figures of all calls."""
    _, result = done_replay(version_pk, pk)
    total = result.total
    rows: list[list[Any]] = [
        [one.key, "calls", blank(one.happened), one.live, one.draft] for one in showing.lines(result)
    ]
    rows.append([words.CHANGED, "calls", "", "", total.changed])
    rows.append(["cost_known_by_both", "calls", "", total.compared, total.compared])
    rows.append(["cost", currency_code(), exact(total.happened.cost), exact(total.live.cost), exact(total.draft.cost)])
    both = [exact(total.live_compared), exact(total.draft_compared)]
    rows.append(["cost_where_both_known", currency_code(), "", *both])
    rows.append(["cost_of_calls_not_made", currency_code(), "", exact(total.live.spared), exact(total.draft.spared)])
    return csv_response(f"policy-preview-{pk}", ["figure", "unit", "happened", "live", "draft"], rows)


@require_safe
@never_cache
@signed_in
def workflows_csv(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """Every figure of every workflow."""
    _, result = done_replay(version_pk, pk)
    rows = ([row.key, *sides_line(row)] for row in showing.by_workflow(result, {}))
    return csv_response(f"policy-preview-{pk}-workflows", ["workflow", *sides_header()], rows)


@require_safe
@never_cache
@signed_in
def tiers_csv(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """Calls and cost by tier."""
    _, result = done_replay(version_pk, pk)
    header = ["tier", "name", *(f"{side}_{what}" for what in ("calls", "cost") for side in OF_SIDES), "currency"]
    rows = (
        [row.key, row.name, *(tally.calls for tally in of_sides(row)), *(exact(tally.cost) for tally in of_sides(row)),
         currency_code()]
        for row in showing.by_tier(result)
    )  # fmt: skip
    return csv_response(f"policy-preview-{pk}-tiers", header, rows)


@require_safe
@never_cache
@signed_in
def reasons_csv(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """How often each reason was given, and each rule fitted."""
    _, result = done_replay(version_pk, pk)
    rows = [["reason", one.key, one.words, one.live, one.draft] for one in showing.by_reason(result)]
    rows += [["rule", one.key, one.words, one.live, one.draft] for one in showing.by_rule(result)]
    return csv_response(f"policy-preview-{pk}-reasons", ["kind", "key", "words", "live", "draft"], rows)


def of_sides(row: showing.Row) -> tuple[Tally, Tally, Tally]:
    return row.sides.happened, row.sides.live, row.sides.draft


def sides_header() -> list[str]:
    known = [f"happened_{name}" for name in words.HAPPENED]
    decided = [f"{side}_{name}" for side in ("live", "draft") for name in TALLY]
    costs = ["happened_cost", "live_cost", "draft_cost", "live_cost_of_calls_not_made", "draft_cost_of_calls_not_made"]
    return [*known, *decided, "changed", *costs, "difference_where_both_known", "currency"]


def sides_line(row: showing.Row) -> Iterator[Any]:
    sides = row.sides
    yield from (getattr(sides.happened, name) for name in words.HAPPENED)
    yield from (getattr(tally, name) for tally in (sides.live, sides.draft) for name in TALLY)
    yield sides.changed
    yield from (exact(tally.cost) for tally in of_sides(row))
    yield from (exact(tally.spared) for tally in (sides.live, sides.draft))
    yield exact(sides.difference)
    yield currency_code()
