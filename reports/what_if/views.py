"""`/savings/what-if/`: what workflows would cost, what budgets would break, what one would pause. Nothing changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import reachable
from budgets.models import Budget, Organisation, Workflow
from budgets.organisation.configuration import current_generation
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from budgets.pages.moments import place, span_year
from reports.asking.window import unknown
from reports.models import SavingsRun
from reports.savings.reading import seen_by
from reports.savings.stored import newest_basis
from reports.savings.take import DAYS
from reports.what_if.budgets import Budgets, look
from reports.what_if.pausing import Choice, Worth, choices
from reports.what_if.question import KEYS, Offers, Question, key_of, question_of
from reports.what_if.suppose import OfWorkflow, Supposition, narrowed
from routing.replay.basis import live_policy
from usage.prices import book, tiers
from usage.rollups.runs import runs_by_workflow

OFFERED = 500  # workflows to choose from
LONGEST = 300  # characters of a field that are shown again
SHOWN = 100  # workflows in each table of the page; all of them in the CSV


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page and its CSV show. `rows` are the workflows in the reader's reach, as supposed; paused ones at 0."""

    run: SavingsRun
    offers: Offers
    question: Question
    notes: list[str]
    rows: list[OfWorkflow]
    names: Mapping[str, str]
    budgets: Budgets
    choices: list[Choice]

    @property
    def before(self) -> int:
        return sum(row.before for row in self.rows)

    @property
    def after(self) -> int:
        return sum(row.after for row in self.rows)

    @property
    def stays(self) -> int:
        return sum(row.stays for row in self.rows)


def answer(request: HttpRequest) -> Answer | None:
    """The question of the address put to the newest run; None before there is one. A fixed number of statements."""
    newest, now = newest_basis(), timezone.now()
    if newest is None:
        return None
    (run, whole), seen = newest, seen_by(request.user)
    mine, prices, generation = narrowed(whole, seen), book.current(current_generation()), current_generation()
    used = sorted({(group.provider, group.model) for group in mine.groups if group.provider})
    _, policy = live_policy()
    named = {(one.provider, one.model) for tier in policy.tiers for one in tier.models} | set(used)
    offers = Offers(
        providers=sorted({provider for provider, _ in used}),
        used=used,
        priced=sorted(one for one in named if prices.find(*one, book.STANDARD, now) is not None),
        workflows={group.workflow for group in mine.groups},
    )
    question, notes = question_of(request.GET.dict(), request.GET.getlist("pause"), offers)

    def tier_of(provider: str, model: str) -> int:
        return tiers.tier_of(generation, provider, model, now)

    supposed = Supposition(mine, question, prices, tier_of, now)
    rows = supposed.workflows()
    # What a budget covers is seen by whoever sees the budget, whatever workflows that is.
    everything = supposed if mine is whole else Supposition(whole, question, prices, tier_of, now)
    budgets = reachable(Budget, request.user).exclude(status=Budget.Status.ARCHIVED)
    found = Workflow.objects.filter(slug__in=[row.slug for row in rows]).values_list(
        "slug", "name", "pk", "value_weight"
    )
    stated = {slug: (name, pk, weight) for slug, name, pk, weight in found}
    return Answer(
        run=run,
        offers=offers,
        question=question,
        notes=notes,
        rows=rows,
        names={slug: name for slug, (name, *_) in stated.items()},
        budgets=look(everything, budgets, now),
        choices=_choices(run, rows, stated, question),
    )


def _choices(
    run: SavingsRun, rows: list[OfWorkflow], stated: Mapping[str, tuple[str, int, Any]], question: Question
) -> list[Choice]:
    runs = runs_by_workflow(run.starts_at, run.ends_at)
    worths = {
        slug: Worth(weight, runs[pk].approved if pk in runs and runs[pk].judged else None, question.volume_in(slug))
        for slug, (_, pk, weight) in stated.items()
    }
    return choices(rows, worths, sum(row.after for row in rows), question.plan)


@require_safe
@never_cache
@in_reach
def what_if(request: HttpRequest) -> HttpResponseBase:
    """The form, and what it would mean."""
    organisation = Organisation.get()
    context: dict[str, Any] = {
        "here": "savings",
        "organisation": organisation,
        "length": DAYS,
        "ignored": unknown(request.GET.keys(), KEYS),
        "typed": {name: request.GET.get(name, "")[:LONGEST] for name in KEYS},
    }
    found = answer(request)
    if found is not None:
        context |= {
            "found": found,
            "run": found.run,
            "zone_words": place(found.run.zone),
            "days": span_year(found.run.first_day, found.run.last_day),
            "rows": found.rows[:SHOWN],
            "hidden": max(0, len(found.rows) - SHOWN),
            "choices": found.choices[:SHOWN],
            "names": found.names,
            "used": [(key_of(one), f"{one[1]} ({one[0]})") for one in found.offers.used],
            "priced": [(key_of(one), f"{one[1]} ({one[0]})") for one in found.offers.priced],
            "workflows": sorted((found.names.get(one, one), one) for one in found.offers.workflows)[:OFFERED],
            "difference": found.after - found.before,
            "over_plan": None if found.question.plan is None else found.after - found.question.plan,
            "pauses": sorted(found.question.paused),
            "suggestion": suggestion(request, found),
            "query": urlencode([(name, value) for name, values in request.GET.lists() for value in values if value]),
        }
    return render(request, "savings/what_if.html", context)


def suggestion(request: HttpRequest, found: Answer) -> str:
    """The address that pauses what the plan needs; "" where it fits, or where pausing everything would not do."""
    wanted = [one.row.slug for one in found.choices if one.suggested]
    if not wanted:
        return ""
    kept = [(name, request.GET[name]) for name in sorted(KEYS - {"pause"}) if request.GET.get(name)]
    paused = [("pause", slug) for slug in (*sorted(found.question.paused), *wanted)]
    return f"{reverse('what-if')}?{urlencode(kept + paused)}#pause"


@require_safe
@never_cache
@in_reach
def workflows_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/what-if.csv`: each workflow as it is and as supposed; the same address as the page."""
    found, code = answer(request), currency_code()
    header = ["workflow", "short_name", "paused", "calls", "calls_that_stay", "cost", "cost_then", "currency"]
    rows = found.rows if found else []
    names = found.names if found else {}
    lines = (
        [names.get(row.slug, row.slug), row.slug, "yes" if row.paused else "no", row.calls, row.stays,
         exact(row.before), exact(row.after), code]
        for row in rows
    )  # fmt: skip
    return csv_response("what-if", header, lines)


@require_safe
@never_cache
@in_reach
def budgets_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/what-if-budgets.csv`: each budget's period as it is and as supposed."""
    found, code = answer(request), currency_code()
    header = [
        "budget", "short_name", "first_day", "last_day", "limit", "period", "period_then", "currency", "used_up_on",
        "used_up_on_then",
    ]  # fmt: skip
    lines = (
        [row.name, row.slug, row.first.isoformat(), row.last.isoformat(), exact(row.limit), exact(row.before),
         exact(row.after), code, row.before_on or "", row.on or ""]
        for row in (found.budgets.rows if found else ())
    )  # fmt: skip
    return csv_response("what-if-budgets", header, lines)
