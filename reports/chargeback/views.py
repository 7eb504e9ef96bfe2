"""`/settings/chargeback/`: what each team is charged for a month, and the statement that it is sent."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.currency.shown import show, shown
from budgets.limits.calendar import day_of, day_starts_at
from budgets.models import Organisation
from budgets.organisation.closing import Books, books_of
from budgets.pages.amounts import plain, signed, units
from budgets.pages.csv import csv_response, currency_code
from budgets.pages.door import in_reach
from budgets.pages.moments import place
from budgets.plan.year import month_words
from reports.chargeback.months import Month, month_asked, months_back
from reports.chargeback.reading import statements
from reports.chargeback.statement import CORRECTION, METERED, OTHER, Line, Statement, booked, charged
from usage.ledger.retention import kept_since
from usage.prices.known import Costing, known_cost
from usage.prices.showing import cost_in_file, cost_words

NO_TEAM = "-"  # in addresses; no team can be called so
COLUMNS = {
    "Metered use": {METERED}, "Other AI costs": {OTHER}, "For closed months": {CORRECTION},
    "Total": {METERED, OTHER, CORRECTION},
}  # fmt: skip
KINDS = {METERED: "Metered use", OTHER: "Other AI costs", CORRECTION: "Counts here for closed months"}
HEADER = (
    "month", "team", "team_name", "kind", "of_month", "workflow", "name", "model", "cost_centre", "ledger_code",
    "calls", "tokens", "calls_without_price", "currency", "amount", "booked",
)  # fmt: skip


def _month(request: HttpRequest) -> tuple[Organisation, date, Books, str]:
    organisation = Organisation.get()
    today = day_of(timezone.now(), organisation.zone)
    month, note = month_asked(request.GET, today)
    return organisation, today, _shown_books(organisation, month), note


def _shown_books(organisation: Organisation, month: date) -> Books:
    """The month's, whose money is shown from here on: what was booked does not move with later rates."""
    books = books_of(organisation, month)
    show(books.money)
    return books


def _is_kept(organisation: Organisation, month: date) -> bool:
    """Whether the month's single calls are still there, which tell what came late from the rest."""
    since = kept_since()
    return since is None or since <= day_starts_at(month, organisation.zone)


@require_safe
@never_cache
@in_reach
def chargeback(request: HttpRequest) -> HttpResponseBase:
    """`/settings/chargeback/?month=2026-10`: every team's sums."""
    organisation, today, books, note = _month(request)
    month = books.month
    found = [one for one in statements(organisation, books, request.user) if one.lines or one.team]
    return render(
        request,
        "chargeback/page.html",
        {
            "here": "settings",
            "organisation": organisation,
            "month": month,
            "month_words": month_words(month),
            "months": [(one, month_words(one)) for one in months_back(today, month)],
            "state": Month(month).state(organisation, today),
            "rows": [(one, one.team or NO_TEAM, _columns([one])) for one in found],
            "is_empty": not any(one.lines for one in found),
            "total": _columns(found),
            "is_kept": _is_kept(organisation, month),
            "zone_words": place(organisation.time_zone),
            "note": note,
        },
    )


def _columns(found: list[Statement]) -> list[tuple[str, str]]:
    """What the columns of the table are called, and what they come to."""
    lines = [line for one in found for line in one.lines]
    return [
        (words, cost_words(charged(line for line in lines if line.kind in kinds))) for words, kinds in COLUMNS.items()
    ]


def _booked(of: Costing, amount: Decimal) -> str:
    """Cents as they are booked; why not, where none of these calls has a price."""
    return cost_words(of) if known_cost(of) is None else plain(amount)


@require_safe
@never_cache
@in_reach
def statement(request: HttpRequest, month: date, team: str) -> HttpResponse:
    """`/settings/chargeback/<2026-10>/<team>/`: one team's statement, to be printed or sent."""
    organisation = Organisation.get()
    today = day_of(timezone.now(), organisation.zone)
    if month > today:
        raise Http404
    books = _shown_books(organisation, month)
    found = _one(organisation, books, team, request.user)
    amounts = booked([units(line.cost) for line in found.lines], shown().cent)
    parts = []
    for kind, words in KINDS.items():
        rows = [(line, amount) for line, amount in zip(found.lines, amounts, strict=True) if line.kind == kind]
        if rows:
            whole = sum((amount for _, amount in rows), Decimal(0))
            parts.append(
                {
                    "kind": kind,
                    "words": words,
                    "rows": [(line, _booked(line, amount)) for line, amount in rows],
                    "sum": _booked(charged(line for line, _ in rows), whole),
                }
            )
    total = sum(amounts, Decimal(0))
    return render(
        request,
        "chargeback/statement.html",
        {
            "here": "settings",
            "organisation": organisation,
            "account": books.organisation,
            "statement": found,
            "address": team,
            "month_words": month_words(month),
            "state": Month(month).state(organisation, today),
            "parts": parts,
            "total": _booked(charged(found.lines), total),
            "headline": signed(total) if known_cost(charged(found.lines)) is not None else "",
            "is_kept": _is_kept(organisation, month),
            "zone_words": place(organisation.time_zone),
            "now": timezone.now().astimezone(organisation.zone),
        },
    )


def _one(organisation: Organisation, books: Books, team: str, who: Any) -> Statement:
    slug = "" if team == NO_TEAM else team
    for one in statements(organisation, books, who):
        if one.team == slug:
            return one
    raise Http404


@require_safe
@never_cache
@in_reach
def chargeback_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/chargeback.csv?month=2026-10&team=`: every line; a team's `booked` cents sum to its total."""
    organisation, _, books, _ = _month(request)
    asked = request.GET.get("team", "")
    found = [
        one for one in statements(organisation, books, request.user) if not asked or (one.team or NO_TEAM) == asked
    ]
    return csv_response(f"chargeback-{books.month:%Y-%m}", HEADER, (line for one in found for line in _lines(one)))


def _lines(one: Statement) -> Iterator[list[Any]]:
    amounts = booked([units(line.cost) for line in one.lines], shown().cent)
    for line, amount in zip(one.lines, amounts, strict=True):
        yield [
            f"{one.month:%Y-%m}", one.team, one.team_name, line.kind, _of(line), line.workflow, line.name, line.model,
            line.cost_centre, line.ledger_code, line.calls, line.tokens, line.unpriced, currency_code(),
            cost_in_file(line), None if known_cost(line) is None else str(amount),
        ]  # fmt: skip


def _of(line: Line) -> str:
    return f"{line.of:%Y-%m}" if line.of else ""
