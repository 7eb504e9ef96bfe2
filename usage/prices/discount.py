"""A negotiated discount: so many percent off the published prices, for one model or for all of a provider.

It is kept as overrides, one for each published entry that it touches, with prices worked out once from that entry:
what was agreed does not move when the published price does. Where a price was set here already, that one stays.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.organisation.configuration import changing_configuration
from usage.models import PriceEntry
from usage.prices.entry import decimal_text, entry_facts
from usage.prices.names import canonical_provider
from usage.prices.overrides import write_override
from usage.prices.price import FIELDS
from usage.prices.seed import PRICE_FIELDS, RATE_STEP, SEED_ORIGIN, UNIT_STEP

HUNDRED: Final = Decimal(100)
NOTE: Final = "% off "  # in every discount's note, by which an undo knows its own


@dataclass(frozen=True)
class Discount:
    """What was agreed. `model` and `service_tier` empty: all of the provider's; `ends` None: until further notice."""

    provider: str
    model: str
    service_tier: str
    percent: Decimal
    starts: datetime
    ends: datetime | None


@dataclass(frozen=True)
class Line:
    """One published entry and the override that the discount makes of it; `kept` names an own price that stays."""

    published: PriceEntry
    values: Mapping[str, Any]
    kept: PriceEntry | None


def discounted(values: Mapping[str, Any], percent: Decimal) -> dict[str, Any]:
    """Price columns with every price, also of units, steps and hours, lowered by `percent`. Pure.

    Token prices keep eight decimals and unit prices eighteen, rounded half to even; 0 stays 0, and no price none.
    """
    share = (HUNDRED - percent) / HUNDRED
    made: dict[str, Any] = {name: _rate(values.get(name), share) for name in FIELDS}
    made["units"] = _units(values.get("units") or {}, share)
    made["steps"] = [_part(step, share) for step in values.get("steps") or []]
    made["hours"] = [_part(window, share) for window in values.get("hours") or []]
    return made


def _part(part: Mapping[str, Any], share: Decimal) -> dict[str, Any]:
    """A step or an hour: prices as text, and an hour's own steps."""
    made = dict(part)
    for name in FIELDS:
        if part.get(name) is not None:
            made[name] = decimal_text(_rate(Decimal(part[name]), share))
    if part.get("units"):
        made["units"] = _units(part["units"], share)
    if part.get("steps"):
        made["steps"] = [_part(step, share) for step in part["steps"]]
    return made


def _rate(price: Decimal | None, share: Decimal) -> Decimal | None:
    return None if price is None else (price * share).quantize(RATE_STEP, ROUND_HALF_EVEN)


def _units(units: Mapping[str, Any], share: Decimal) -> dict[str, str]:
    made = {name: (Decimal(each) * share).quantize(UNIT_STEP, ROUND_HALF_EVEN) for name, each in units.items()}
    return {name: decimal_text(each) or "0" for name, each in made.items()}


def mistakes(asked: Discount) -> dict[str, str]:
    """Field → sentence; empty when it can be worked out."""
    found = {}
    if not asked.provider:
        found["provider"] = "Say whose prices are lowered."
    if not 0 < asked.percent <= HUNDRED:
        found["percent"] = "Enter a percentage above 0 and at most 100."
    if asked.ends is not None and asked.ends <= asked.starts:
        found["ends_on"] = "The last day must not come before the first."
    return found


def lines(asked: Discount) -> list[Line]:
    """What the discount would make of each published entry that holds at some of its time. Two statements.

    Problem `invalid` where there is nothing to lower.
    """
    wrong = mistakes(asked)
    if wrong:
        raise Problem(422, "invalid", "Some values are not valid", errors=wrong)
    who = Q(provider=canonical_provider(asked.provider), superseded_at=None)
    if asked.model:
        who &= Q(model__iexact=asked.model)
    if asked.service_tier:
        who &= Q(service_tier=asked.service_tier)
    when = Q(valid_to=None) | Q(valid_to__gt=asked.starts)
    if asked.ends is not None:
        when &= Q(valid_from__lt=asked.ends)
    found = list(PriceEntry.objects.filter(who, when).order_by("model", "service_tier", "valid_from"))
    published = [entry for entry in found if entry.origin == SEED_ORIGIN]
    own = [entry for entry in found if entry.origin != SEED_ORIGIN]
    if not published:
        field = "model" if asked.model else "provider"
        words = f"There is no published price of {asked.model or asked.provider} at that time to take something off."
        raise Problem(422, "invalid", "Some values are not valid", errors={field: words})
    return [_line(asked, entry, own) for entry in published]


def _line(asked: Discount, entry: PriceEntry, own: Sequence[PriceEntry]) -> Line:
    starts = max(asked.starts, entry.valid_from)
    ends = min((one for one in (asked.ends, entry.valid_to) if one is not None), default=None)
    values = {
        "provider": entry.provider,
        "model": entry.model,
        "service_tier": entry.service_tier,
        "valid_from": starts,
        "valid_to": ends,
        "origin_note": f"{decimal_text(asked.percent)}{NOTE}price {entry.pk} of {entry.origin_note}"[:200],
        **discounted({name: getattr(entry, name) for name in PRICE_FIELDS}, asked.percent),
    }
    kept = next((one for one in own if _meet(one, entry, starts, ends)), None)
    return Line(entry, values, kept)


def _meet(own: PriceEntry, entry: PriceEntry, starts: datetime, ends: datetime | None) -> bool:
    same = (own.model.casefold(), own.service_tier) == (entry.model.casefold(), entry.service_tier)
    begins = ends is None or own.valid_from < ends
    return same and begins and (own.valid_to is None or own.valid_to > starts)


def digest(found: Sequence[Line]) -> str:
    """Of everything that a preview shows: what is confirmed is what was seen."""
    shown = [[line.published.pk, line.kept and line.kept.pk, line.values] for line in found]
    return hashlib.sha256(json.dumps(shown, default=str, sort_keys=True).encode()).hexdigest()


def apply_discount(actor: Actor, asked: Discount, seen: str, reason: str = "") -> list[PriceEntry]:
    """Write the overrides of all lines, or none, each with its row of history.

    `seen` is the digest of the preview. Problem `stale-preview` when a price changed since, `nothing-to-lower` when
    every model has a price of its own already.
    """
    with changing_configuration():
        found = lines(asked)
        if digest(found) != seen:
            raise Problem(
                409, "stale-preview", "This preview is out of date", "A price changed since. Look at the list again."
            )
        made = [write_override(actor, line.values, reason) for line in found if line.kept is None]
        if not made:
            raise Problem(
                409, "nothing-to-lower", "Nothing to lower", "Every one of these has a price that was set here already."
            )
        return made


def undo_discount(actor: Actor, first: int, last: int) -> int:
    """Take the overrides of one discount, entries `first` to `last`, out of use; how many. All of them or none.

    They were written under one lock, so their numbers follow each other. Problem `changed-since` when one of them was
    replaced or ended meanwhile.
    """
    with changing_configuration():
        made = list(PriceEntry.objects.select_for_update().filter(pk__gte=first, pk__lte=last).order_by("pk"))
        mine = made and all(one.origin == PriceEntry.Origin.OVERRIDE and NOTE in one.origin_note for one in made)
        if not mine or (made[0].pk, made[-1].pk) != (first, last):
            raise Problem(404, "not-found", "Not found", "There is no such discount.")
        if any(one.superseded_at is not None for one in made):
            raise Problem(
                409, "changed-since", "Changed since", "Some of these prices changed since. Nothing was undone."
            )
        now = timezone.now()
        for one in made:
            before = entry_facts(one)
            one.superseded_at = now
            one.save(update_fields=["superseded_at"])
            record(actor, "undone", one, before, None, "Undo of a discount")
        return len(made)
