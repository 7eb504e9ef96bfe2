"""One model's prices: a dated list for each service tier, who set them and why, and what they meant lately."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.models import AuditEntry, Organisation
from budgets.organisation.configuration import current_generation
from budgets.pages.csv import csv_response
from budgets.pages.door import signed_in
from budgets.pages.moments import moment, place
from usage.models import PriceEntry
from usage.prices import book as price_book
from usage.prices.entry import decimal_text
from usage.prices.pages.entries import CHANGE, dates_of, holds, set_by
from usage.prices.pages.words import TIERS, extras, per_million
from usage.prices.seed import FAR_PAST, PRICE_FIELDS
from usage.prices.used import LOOK_BACK, Used, meaning_this, used_between


@dataclass(frozen=True)
class Line:
    """One entry of the history. `state`: now, own (in force but an own price beats it), later, past or replaced."""

    entry: PriceEntry
    first: str
    last: str
    state: str
    prices: list[tuple[str, str]]
    extras: list[str]
    made: AuditEntry | None
    made_at: str

    @property
    def is_own(self) -> bool:
        return self.entry.origin == PriceEntry.Origin.OVERRIDE

    @property
    def may_end(self) -> bool:
        return self.is_own and self.state in ("now", "later")


@require_safe
@never_cache
@signed_in
def model(request: HttpRequest) -> HttpResponseBase:
    """`/settings/prices/model/?provider=…&model=…`."""
    provider, name = names_of(request)
    organisation, now = Organisation.get(), timezone.now()
    entries = entries_of(provider, name)
    used = meaning_this(provider, name, used_between(now - LOOK_BACK, now), price_book.current(current_generation()))
    tiers = _tiers(entries, used, organisation, now)
    if not tiers:
        raise Http404
    query = urlencode({"provider": provider, "model": name})
    return render(
        request,
        "prices/model.html",
        {
            "here": "settings",
            "organisation": organisation,
            "zone_words": place(organisation.time_zone),
            "provider": entries[0].provider if entries else provider,
            "model": entries[0].model if entries else name,
            "tiers": tiers,
            "sums": _sums(used),
            "sent_as": sorted({f"{one.provider}/{one.model}" for one in used} - {f"{provider}/{name}"}),
            "query": query,
            "reprice_url": f"{reverse('reprice')}?{urlencode({'model': name})}",
            "may_change": request.user.has_perm(CHANGE),
        },
    )


@require_safe
@never_cache
@signed_in
def model_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/price-history.csv?provider=…&model=…`: the list of the page, replaced ones too; US dollars."""
    entries = entries_of(*names_of(request))
    if not entries:
        raise Http404
    who = set_by(entries)
    columns = ("input", "cached_input", "cache_write", "output")
    return csv_response(
        "price-history",
        [
            "provider", "model", "service_tier", "valid_from", "valid_to", "currency",
            *(f"{name}_per_million" for name in columns), "units", "steps", "hours",
            "origin", "origin_note", "set_by", "reason", "replaced_at",
        ],
        (
            [
                one.provider,
                one.model,
                one.service_tier,
                "" if one.valid_from <= FAR_PAST else one.valid_from.isoformat(),
                one.valid_to.isoformat() if one.valid_to else "",
                "USD",
                *(decimal_text(getattr(one, name)) or "" for name in columns),
                *(str(getattr(one, name)) if getattr(one, name) else "" for name in ("units", "steps", "hours")),
                one.origin,
                one.origin_note,
                who[str(one.pk)].who_text if str(one.pk) in who else "",
                who[str(one.pk)].reason if str(one.pk) in who else "",
                one.superseded_at.isoformat() if one.superseded_at else "",
            ]
            for one in entries
        ),
    )  # fmt: skip


def names_of(request: HttpRequest) -> tuple[str, str]:
    """Provider (may be empty) and model of the query string; 404 without a model."""
    provider, name = (request.GET.get(one, "").replace("\x00", "").strip() for one in ("provider", "model"))
    if not name or len(name) > 257 or len(provider) > 257:
        raise Http404
    return provider, name


def entries_of(provider: str, name: str) -> list[PriceEntry]:
    """Every entry of the model, replaced ones too: by service tier, the newest date first. One statement."""
    found = PriceEntry.objects.filter(provider__iexact=provider, model__iexact=name)
    return list(found.order_by("service_tier", "-valid_from", "superseded_at", "-pk"))


def _tiers(
    entries: list[PriceEntry], used: list[Used], organisation: Organisation, now: datetime
) -> list[dict[str, Any]]:
    """A list for each service tier that has a price or was used; the standard one first."""
    who = set_by(entries)
    lines: dict[str, list[Line]] = defaultdict(list)
    for tier in {one.service_tier for one in used}:
        lines[tier] = []
    own = {
        one.service_tier
        for one in entries
        if one.origin == PriceEntry.Origin.OVERRIDE and one.superseded_at is None and holds(one, now)
    }
    for one in entries:
        lines[one.service_tier].append(_line(one, who.get(str(one.pk)), own, organisation, now))
    return [
        {
            "key": tier,
            "name": TIERS.get(tier, tier),
            "lines": [one for one in lines[tier] if one.state != "replaced"],
            "replaced": [one for one in lines[tier] if one.state == "replaced"],
            "sums": _sums([one for one in used if one.service_tier == tier]),
        }
        for tier in sorted(lines, key=lambda tier: (list(TIERS).index(tier) if tier in TIERS else len(TIERS), tier))
    ]


def _line(entry: PriceEntry, made: AuditEntry | None, own: set[str], organisation: Organisation, now: datetime) -> Line:
    first, last = dates_of(entry.valid_from, entry.valid_to, organisation)
    values = {name: getattr(entry, name) for name in PRICE_FIELDS}
    if entry.superseded_at is not None:
        state = "replaced"
    elif entry.valid_from > now:
        state = "later"
    elif not holds(entry, now):
        state = "past"
    else:
        state = "own" if entry.origin != PriceEntry.Origin.OVERRIDE and entry.service_tier in own else "now"
    local = organisation.local
    made_at = moment(local(made.at), local(now)) if made else ""
    return Line(entry, first, last, state, per_million(values), extras(values), made, made_at)


def _sums(used: list[Used]) -> dict[str, int]:
    """What takes away a call of days before these (a price that came late, an import undone) goes below no zero."""
    return {
        "calls": sum(one.calls for one in used),
        "cost": sum(one.cost for one in used),
        "unpriced": max(0, sum(one.unpriced for one in used)),
        "unmeasured": max(0, sum(one.unmeasured for one in used)),
        "tokens": sum(one.input_tokens + one.output_tokens for one in used),
    }
