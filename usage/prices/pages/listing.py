"""The price book's page: what has no price first, then every model with the price in force; both as CSV."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Concat, Lower
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.limits.calendar import day_of
from budgets.models import AuditEntry, Organisation
from budgets.organisation.configuration import current_generation
from budgets.pages.csv import csv_response
from budgets.pages.door import signed_in
from budgets.pages.moments import place
from usage.models import PriceEntry
from usage.prices import book as price_book
from usage.prices.book import PriceBook
from usage.prices.entry import decimal_text
from usage.prices.pages.entries import CHANGE, dates_of, holds, model_url, set_by
from usage.prices.pages.refreshing import waiting_banner
from usage.prices.pages.words import TIERS, dollars
from usage.prices.price import FIELDS
from usage.prices.seed import FAR_PAST
from usage.prices.used import LOOK_BACK, SHOWN, Unpriced, keys_of, names_since, unpriced_models

PER_PAGE = 50
WHOSE = {"": "All", "own": "Set here", "used": "In use"}
SEPARATOR = "\x1f"  # between provider and model, where both are one value; in neither


@dataclass(frozen=True)
class Filter:
    """What of the book is asked for; `note` says what was not understood."""

    search: str
    provider: str
    tier: str
    whose: str
    note: str

    @classmethod
    def of(cls, request: HttpRequest) -> "Filter":
        asked = {name: request.GET.get(name, "").strip()[:128] for name in ("q", "provider", "tier", "whose")}
        unknown = [
            asked[name] for name, known in (("tier", TIERS), ("whose", WHOSE)) if asked[name] not in {"", *known}
        ]
        note = f"“{unknown[0][:40]}” is no filter that TokenOps knows; it was left out." if unknown else ""
        return cls(
            asked["q"].replace("\x00", ""),
            asked["provider"].replace("\x00", ""),
            asked["tier"] if asked["tier"] in TIERS else "",
            asked["whose"] if asked["whose"] in WHOSE else "",
            note,
        )

    @property
    def is_set(self) -> bool:
        return bool(self.search or self.provider or self.tier or self.whose)

    def query(self, **other: str) -> str:
        """The query string of the same filter with something else chosen."""
        values = {"q": self.search, "provider": self.provider, "tier": self.tier, "whose": self.whose, **other}
        return urlencode({name: value for name, value in values.items() if value})


@require_safe
@never_cache
@signed_in
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/settings/prices/`."""
    organisation, now, asked = Organisation.get(), timezone.now(), Filter.of(request)
    page = Paginator(book_rows(asked, now), PER_PAGE).get_page(request.GET.get("page"))
    entries = list(page.object_list)
    waiting, models, calls = unpriced_models()
    prices = price_book.current(current_generation())
    return render(
        request,
        "prices/list.html",
        {
            "here": "settings",
            "organisation": organisation,
            "zone_words": place(organisation.time_zone),
            "unpriced": [_waiting(one, prices, now, organisation) for one in waiting],
            "unpriced_models": models,
            "unpriced_more": models - len(waiting),
            "unpriced_calls": calls,
            "refresh": waiting_banner(),
            "asked": asked,
            "whose": [(key, text, asked.query(whose=key)) for key, text in WHOSE.items()],
            "tiers": TIERS,
            "providers": PriceEntry.objects.order_by("provider").values_list("provider", flat=True).distinct(),
            "rows": _rows(entries, organisation, now),
            "page": page,
            "shown_at_once": SHOWN,
            "may_change": request.user.has_perm(CHANGE),
        },
    )


@require_safe
@never_cache
@signed_in
def listing_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/prices.csv`: the same filter; prices in US dollars."""
    now = timezone.now()
    return csv_response(
        "prices",
        [
            "provider", "model", "service_tier", "in_force", "currency", "input_per_million",
            "cached_input_per_million", "cache_write_per_million", "output_per_million", "units", "steps", "hours",
            "origin", "origin_note", "valid_from", "valid_to",
        ],
        (
            [
                one.provider,
                one.model,
                one.service_tier,
                "yes" if holds(one, now) else "no",
                "USD",
                *(decimal_text(getattr(one, name)) or "" for name in FIELDS),
                *(str(getattr(one, name)) if getattr(one, name) else "" for name in ("units", "steps", "hours")),
                one.origin,
                one.origin_note,
                "" if one.valid_from <= FAR_PAST else one.valid_from.isoformat(),
                one.valid_to.isoformat() if one.valid_to else "",
            ]
            for one in book_rows(Filter.of(request), now).iterator(chunk_size=1000)
        ),
    )  # fmt: skip


@require_safe
@never_cache
@signed_in
def unpriced_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/unpriced-models.csv`: all of them, not only the first."""
    found, *_ = unpriced_models(None)
    return csv_response(
        "unpriced-models",
        ["provider", "model", "service_tier", "calls_without_price", "tokens", "since"],
        ([one.provider, one.model, one.service_tier, one.calls, one.tokens, one.since.isoformat()] for one in found),
    )


def book_rows(asked: Filter, now: datetime) -> QuerySet[PriceEntry]:
    """One entry for each provider, model and service tier: the one in force, else the next best to know of."""
    entries = PriceEntry.objects.filter(superseded_at=None)
    if asked.search:
        entries = entries.filter(Q(provider__icontains=asked.search) | Q(model__icontains=asked.search))
    if asked.provider:
        entries = entries.filter(provider__iexact=asked.provider)
    if asked.tier:
        entries = entries.filter(service_tier=asked.tier)
    if asked.whose == "own":
        own = PriceEntry.objects.filter(
            superseded_at=None,
            origin=PriceEntry.Origin.OVERRIDE,
            **{name: OuterRef(name) for name in ("provider", "model", "service_tier")},
        )
        entries = entries.filter(Exists(own))
    if asked.whose == "used":
        entries = entries.annotate(key=Lower(Concat("provider", Value(SEPARATOR), "model"))).filter(
            key__in=used_keys(now)
        )
    still = Q(valid_to=None) | Q(valid_to__gt=now)
    return (
        entries.annotate(
            rank=Case(
                When(still, valid_from__lte=now, origin=PriceEntry.Origin.OVERRIDE, then=0),
                When(still, valid_from__lte=now, then=1),
                When(valid_from__gt=now, then=2),
                default=3,
                output_field=IntegerField(),
            )
        )
        .order_by("provider", "model", "service_tier", "rank", F("valid_from").desc(), "pk")
        .distinct("provider", "model", "service_tier")
    )


def used_keys(now: datetime) -> list[str]:
    """Every name in the book that may price what was used in the last 30 days."""
    found = keys_of(names_since(now - LOOK_BACK), price_book.current(current_generation()))
    return sorted({SEPARATOR.join(key) for keys in found.values() for key in keys})


def _rows(entries: list[PriceEntry], organisation: Organisation, now: datetime) -> list[dict[str, Any]]:
    who = set_by(entries)
    return [_row(one, who.get(str(one.pk)), organisation, now) for one in entries]


def _row(entry: PriceEntry, made: AuditEntry | None, organisation: Organisation, now: datetime) -> dict[str, Any]:
    first, last = dates_of(entry.valid_from, entry.valid_to, organisation)
    own = entry.origin == PriceEntry.Origin.OVERRIDE
    return {
        "entry": entry,
        "url": model_url(entry.provider, entry.model),
        "tier": TIERS.get(entry.service_tier, entry.service_tier),
        "input": dollars(entry.input),
        "cached": dollars(entry.cached_input),
        "output": dollars(entry.output),
        "more": [
            words
            for words, value in (
                ("per-unit prices", entry.units),
                ("long context", entry.steps),
                ("prices by the hour", entry.hours),
            )
            if value
        ],
        "own": own,
        "origin": f"Set here{f' by {made.who_text}' if made else ''}" if own else entry.origin_note or entry.origin,
        "first": first,
        "last": last,
        "state": "" if holds(entry, now) else f"from {first}" if entry.valid_from > now else f"ended {last}",
    }


def _waiting(one: Unpriced, prices: PriceBook, now: datetime, organisation: Organisation) -> dict[str, Any]:
    """A model without a price, with where to mend it."""
    since = day_of(one.since, organisation.zone)
    names = {"provider": one.provider, "model": one.model, "tier": one.service_tier}
    return {
        "one": one,
        "tier": TIERS.get(one.service_tier, one.service_tier),
        "since": since,
        "has_price": prices.find(one.provider, one.model, one.service_tier, now) is not None,
        "url": model_url(one.provider, one.model),
        "set_url": f"{reverse('price-new')}?{urlencode({**names, 'from': since.isoformat()})}",
        "reprice_url": f"{reverse('reprice')}?{urlencode({'model': one.model, 'from': since.isoformat()})}",
    }
