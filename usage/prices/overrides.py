"""Negotiated prices: made, replaced and ended by people, each time with an audit row.

An override is never changed in place, since ledger rows carry its id: a new price is a new entry.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.organisation.configuration import changing_configuration
from usage.models import PriceEntry
from usage.prices.entry import entry_facts, mistakes
from usage.prices.names import canonical_provider


def create_override(actor: Actor, values: Mapping[str, Any], reason: str = "") -> PriceEntry:
    """Write one; `values` has PriceEntry's columns. Problem `invalid` with a sentence per field where it cannot be."""
    with changing_configuration():
        return write_override(actor, values, reason)


def replace_override(actor: Actor, entry_id: int, values: Mapping[str, Any], reason: str = "") -> PriceEntry:
    """Another price, or other dates, in place of `entry_id`, which is kept for the rows that it priced."""
    with changing_configuration():
        old = _locked(entry_id)
        before = {"entry": old.pk, **entry_facts(old)}
        old.superseded_at = timezone.now()
        old.save(update_fields=["superseded_at"])
        return write_override(actor, values, reason, before)


def end_override(actor: Actor, entry_id: int, at: datetime | None = None, reason: str = "") -> PriceEntry:
    """From `at` (now) on the seeded price holds again, or none. One that had not begun by then never holds."""
    with changing_configuration():
        entry = _locked(entry_id)
        now = timezone.now()
        at = at or now
        before = entry_facts(entry)
        if entry.valid_to is not None and entry.valid_to <= at:
            raise Problem(409, "already-ended", "Already ended", f"It ended at {entry.valid_to:%Y-%m-%d %H:%M} UTC.")
        if at <= entry.valid_from:
            entry.superseded_at = now
            entry.save(update_fields=["superseded_at"])
        else:
            entry.valid_to = at
            entry.save(update_fields=["valid_to"])
        record(actor, "ended", entry, before, entry_facts(entry), reason)
        return entry


def overlapping(values: Mapping[str, Any], besides: int | None = None) -> str:
    """A sentence when another override than `besides` holds at some of that time; "" when none does."""
    ends = Q() if values.get("valid_to") is None else Q(valid_from__lt=values["valid_to"])
    other = (
        PriceEntry.objects.filter(ends, Q(valid_to=None) | Q(valid_to__gt=values["valid_from"]))
        .filter(
            origin=PriceEntry.Origin.OVERRIDE,
            superseded_at=None,
            provider=canonical_provider(values["provider"]),
            model=values["model"],
            service_tier=values["service_tier"],
        )
        .exclude(pk=besides or 0)
        .first()
    )
    if other is None:
        return ""
    until = f"to {other.valid_to:%Y-%m-%d %H:%M}" if other.valid_to else "on"
    return (
        f"Override {other.pk} already holds for this model and service tier from"
        f" {other.valid_from:%Y-%m-%d %H:%M} {until} (UTC). End it first, or choose other dates."
    )


def _locked(entry_id: int) -> PriceEntry:
    entry = PriceEntry.objects.select_for_update().filter(pk=entry_id).first()
    if entry is None:
        raise Problem(404, "not-found", "Not found", "There is no such price.")
    if entry.origin != PriceEntry.Origin.OVERRIDE:
        raise Problem(
            409, "seeded-price", "A seeded price", "This price came from genai-prices. Make an override beside it."
        )
    if entry.superseded_at is not None:
        raise Problem(409, "superseded", "No longer in use", "This price was replaced; it is kept for past usage.")
    return entry


def write_override(
    actor: Actor, values: Mapping[str, Any], reason: str, before: dict[str, Any] | None = None
) -> PriceEntry:
    """Check, write and record; to be called inside `changing_configuration`. `before`: of the one that it replaces."""
    wrong = mistakes(values)
    if not wrong and (sentence := overlapping(values)):  # nobody else writes: the configuration lock is held
        wrong["valid_from"] = sentence
    if wrong:
        raise Problem(422, "invalid", "Some values are not valid", errors=wrong)
    entry = PriceEntry(**{**values, "origin": PriceEntry.Origin.OVERRIDE})
    entry.provider = canonical_provider(entry.provider)  # so that every spelling of it meets this price
    entry.save(force_insert=True)
    record(actor, "created" if before is None else "changed", entry, before, entry_facts(entry), reason)
    return entry
