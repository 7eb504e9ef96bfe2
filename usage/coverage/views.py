"""Data health: the page and its CSV. Views decode, authorise, call once, render."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.models import Organisation
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import signed_in
from budgets.pages.moments import clock, day_year, place
from usage.coverage.cards import Card, cards_of, percent
from usage.coverage.figures import health
from usage.coverage.window import PERIODS, window_of


def can_resolve(name: str) -> bool:
    """Whether a page of another room is there in this installation."""
    try:
        reverse(name)
    except NoReverseMatch:
        return False
    return True


def address(link: tuple[Any, ...]) -> str:
    """A link's (name, arguments, query) as an address; "" for none."""
    if not link:
        return ""
    name, arguments, query, *_ = link
    return reverse(name, args=arguments) + (f"?{query}" if query else "")


@require_safe
@never_cache
@signed_in
def data_health(request: HttpRequest) -> HttpResponseBase:
    """`/data/`: how much of the spend is known, and what to do about the rest."""
    organisation, now = Organisation.get(), timezone.now()
    window = window_of(request.GET.dict(), now, organisation.zone)
    found = health(window, now)
    cards = cards_of(found, organisation, can_resolve)
    local = organisation.local(now)
    return render(
        request,
        "data/health.html",
        {
            "here": "data-health",
            "organisation": organisation,
            "window": window,
            "periods": [(key, text) for key, text in PERIODS.items() if key != "custom"],
            "zone_words": place(organisation.time_zone),
            "is_empty": found.is_empty,
            "cards": [
                (card, address(card.place or ()), [(line, address(line.place)) for line in card.lines])
                for card in cards
            ],
            "to_look_at": sum(card.is_well is False for card in cards),
            "measured_at": f"{day_year(local.date())}, {clock(local)}",
            "csv_query": urlencode(window.query),
        },
    )


@require_safe
@never_cache
@signed_in
def health_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/data-health.csv`: every figure of the page for the same days, and the quarantine by reason."""
    organisation, now = Organisation.get(), timezone.now()
    window = window_of(request.GET.dict(), now, organisation.zone)
    found = health(window, now)
    stretch = [window.first.isoformat(), window.last.isoformat()]

    def amount(card: Card, value: int | None) -> str:
        return "" if value is None else exact(value) if card.unit == "money" else str(value)

    rows = [
        [
            card.key,
            *stretch,
            percent(card.part or 0, card.total).removesuffix("%").removesuffix("–") if card.total is not None else "",
            amount(card, card.part),
            amount(card, card.total),
            currency_code() if card.unit == "money" else card.unit,
            card.status,
            card.meaning,
        ]
        for card in cards_of(found, organisation, can_resolve)
    ]
    rows += [[f"refused: {one.code}", *stretch, "", str(one.items), "", "items", "", ""] for one in found.refused]
    return csv_response(
        f"data-health-{window.first}-{window.last}",
        ["figure", "from", "to", "percent", "part", "total", "unit", "status", "meaning"],
        rows,
    )
