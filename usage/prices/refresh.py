"""Bring the book up to a newer genai-prices: compare, show, and apply only what someone confirmed.

- *added*: a model, tier or date that the book does not have.
- *ended*: the same price over other dates; the entry keeps its id, which ledger rows carry.
- *changed*: another price over the same dates. The old entry is superseded and kept for the rows stamped with it;
  those rows keep their cost until someone confirms a re-price run.
- *unlisted*: what genai-prices no longer names. It stays in force, since late usage still needs its price.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.organisation.configuration import changing_configuration
from usage.models import PriceEntry, PriceRefresh
from usage.prices.entry import as_json, entry_facts
from usage.prices.published import newest_seed
from usage.prices.seed import PRICE_FIELDS, SEED_ORIGIN, Seed, SeedEntry, package

Key = tuple[str, str, str, datetime]


@dataclass(frozen=True)
class Differences:
    """What would change, as the preview shows it, and what to do about it."""

    added: list[dict[str, Any]]
    changed: list[dict[str, Any]]
    ended: list[dict[str, Any]]
    unlisted: list[dict[str, Any]]
    supersede: list[int]
    redate: dict[int, datetime | None]
    create: list[SeedEntry]

    @property
    def digest(self) -> str:
        """Of everything shown; the same differences have the same digest."""
        shown = json.dumps([self.added, self.changed, self.ended, self.unlisted], sort_keys=True)
        return hashlib.sha256(shown.encode()).hexdigest()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.ended)


def compare(seed: Seed, book: Iterable[PriceEntry]) -> Differences:
    """What the package says against seeded entries in force."""
    stated: dict[Key, SeedEntry] = {entry.key: entry for entry in seed.entries}
    lines = {(entry.provider, entry.model, entry.service_tier) for entry in seed.entries}
    found = Differences([], [], [], [], [], {}, [])
    for old in book:
        new = stated.pop((old.provider, old.model, old.service_tier, old.valid_from), None)
        if new is None:
            if (old.provider, old.model, old.service_tier) in lines:  # dated otherwise now
                found.changed.append({**_name(old), "before": entry_facts(old), "after": None})
                found.supersede.append(old.pk)
            elif f"{old.provider}/{old.model}" not in seed.not_understood:
                found.unlisted.append(_name(old))
            continue
        same = as_json(new.prices()) == as_json({name: getattr(old, name) for name in PRICE_FIELDS})
        if same and new.valid_to == old.valid_to:
            continue
        change = {**_name(old), "before": entry_facts(old), "after": entry_facts(new)}
        if same:
            found.ended.append(change)
            found.redate[old.pk] = new.valid_to
        else:
            found.changed.append(change)
            found.supersede.append(old.pk)
            found.create.append(new)
    for new in stated.values():
        found.added.append({**_name(new), "before": None, "after": entry_facts(new)})
        found.create.append(new)
    return found


def _name(entry: PriceEntry | SeedEntry) -> dict[str, Any]:
    return {
        "provider": entry.provider,
        "model": entry.model,
        "service_tier": entry.service_tier,
        "valid_from": entry.valid_from.isoformat(),
        "valid_to": entry.valid_to.isoformat() if entry.valid_to else None,
    }


def seeded() -> Iterable[PriceEntry]:
    """Seeded entries in force."""
    return PriceEntry.objects.filter(origin=SEED_ORIGIN, superseded_at=None).order_by("id")


def propose(actor: Actor) -> PriceRefresh | None:
    """The preview of what the installed package would change, replacing one that waits; None when nothing differs."""
    differences = compare(newest_seed(), seeded())
    with transaction.atomic():
        waiting = PriceRefresh.objects.select_for_update().filter(status=PriceRefresh.Status.PREVIEW).first()
        if waiting is not None and differences and waiting.digest == differences.digest:
            return waiting
        if waiting is not None:
            _decide(waiting, PriceRefresh.Status.DISCARDED, actor)
        if not differences:
            return None
        refresh = PriceRefresh.objects.create(
            package=package(),
            digest=differences.digest,
            added=differences.added,
            changed=differences.changed,
            ended=differences.ended,
            unlisted=differences.unlisted,
        )
        record(actor, "previewed", refresh, None, _counts(refresh))
        return refresh


def apply(refresh_id: int, actor: Actor) -> PriceRefresh:
    """Do what the preview shows. Problem `stale-preview` when the book or the package changed since."""
    seed = newest_seed()
    with changing_configuration():
        refresh = _open(refresh_id)
        differences = compare(seed, seeded())
        if differences.digest != refresh.digest:
            raise Problem(
                409,
                "stale-preview",
                "This preview is out of date",
                "The book or the installed genai-prices changed since it was made. Make a new one.",
            )
        now = timezone.now()
        PriceEntry.objects.filter(pk__in=differences.supersede).update(superseded_at=now)
        # Shorter first, so that an entry that grows meets a neighbour that has made room.
        for pk, valid_to in sorted(differences.redate.items(), key=lambda one: (one[1] is None, one[1])):
            PriceEntry.objects.filter(pk=pk).update(valid_to=valid_to)
        PriceEntry.objects.bulk_create(
            [PriceEntry(**asdict(new), origin=SEED_ORIGIN, origin_note=package()) for new in differences.create],
            batch_size=1000,
        )
        _decide(refresh, PriceRefresh.Status.APPLIED, actor)
        return refresh


def discard(refresh_id: int, actor: Actor) -> PriceRefresh:
    """Leave the book as it is. The next check shows the same differences again."""
    with transaction.atomic():
        refresh = _open(refresh_id)
        _decide(refresh, PriceRefresh.Status.DISCARDED, actor)
        return refresh


def _open(refresh_id: int) -> PriceRefresh:
    refresh = PriceRefresh.objects.select_for_update().filter(pk=refresh_id).first()
    if refresh is None:
        raise Problem(404, "not-found", "Not found", "There is no such preview.")
    if refresh.status != PriceRefresh.Status.PREVIEW:
        raise Problem(
            409, "already-decided", "Already decided", f"This preview was {refresh.get_status_display().lower()}."
        )
    return refresh


def _decide(refresh: PriceRefresh, status: PriceRefresh.Status, actor: Actor) -> None:
    before = {"status": refresh.status}
    refresh.status, refresh.decided_at, refresh.decided_by = status, timezone.now(), actor.text[:150]
    refresh.save(update_fields=["status", "decided_at", "decided_by"])
    record(actor, status.value, refresh, before, {"status": status.value, **_counts(refresh)})


def _counts(refresh: PriceRefresh) -> dict[str, Any]:
    return {
        "package": refresh.package,
        "added": len(refresh.added),
        "changed": len(refresh.changed),
        "ended": len(refresh.ended),
        "unlisted": len(refresh.unlisted),
    }
