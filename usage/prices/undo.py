"""Take back the last thing that happened to a price set here: making, replacing or ending it."""

from datetime import datetime

from django.utils import timezone

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.models import AuditEntry
from budgets.organisation.configuration import changing_configuration
from usage.models import PriceEntry
from usage.prices.entry import entry_facts
from usage.prices.overrides import overlapping

OBJECT_TYPE = "usage.priceentry"


def last_act(entry_id: int) -> AuditEntry | None:
    """The newest row of the price's history."""
    return AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(entry_id)).order_by("-at", "-id").first()


def undo(actor: Actor, told: int) -> PriceEntry:
    """Take back what row `told` of history tells of; the price that it was about.

    Calls that were counted meanwhile keep their cost. Problem `changed-since` when something happened after it.
    """
    with changing_configuration():
        row = AuditEntry.objects.filter(pk=told, object_type=OBJECT_TYPE).first()
        entry = PriceEntry.objects.select_for_update().filter(pk=int(row.object_id)).first() if row else None
        if row is None or entry is None:
            raise Problem(404, "not-found", "Not found", "There is nothing to undo.")
        newest = last_act(entry.pk)
        if newest is None or newest.pk != row.pk or row.act not in ("created", "changed", "ended"):
            raise _changed_since()
        before = entry_facts(entry)
        reason = f"Undo of “{row.act}” by {row.who_text}"
        if row.act == "ended":
            _go_on(entry, row)
            record(actor, "undone", entry, before, entry_facts(entry), reason)
            return entry
        if entry.superseded_at is not None:
            raise _changed_since()
        entry.superseded_at = timezone.now()
        entry.save(update_fields=["superseded_at"])
        record(actor, "undone", entry, before, None, reason)
        if row.act == "changed":
            return _bring_back(actor, int((row.before or {}).get("entry") or 0), reason)
        return entry


def _go_on(entry: PriceEntry, ended: AuditEntry) -> None:
    """It holds again as long as it did before it was ended."""
    text = (ended.before or {}).get("valid_to")
    valid_to = datetime.fromisoformat(text) if text else None
    dates = {"provider": entry.provider, "model": entry.model, "service_tier": entry.service_tier}
    if overlapping({**dates, "valid_from": entry.valid_from, "valid_to": valid_to}, entry.pk):
        raise _changed_since()
    entry.valid_to, entry.superseded_at = valid_to, None
    entry.save(update_fields=["valid_to", "superseded_at"])


def _bring_back(actor: Actor, replaced: int, reason: str) -> PriceEntry:
    old = PriceEntry.objects.select_for_update().filter(pk=replaced, origin=PriceEntry.Origin.OVERRIDE).first()
    if old is None:
        raise Problem(
            409, "no-earlier-version", "No earlier price", "The price before is not known. Nothing was undone."
        )
    old.superseded_at = None
    if overlapping(
        {name: getattr(old, name) for name in ("provider", "model", "service_tier", "valid_from", "valid_to")}, old.pk
    ):
        raise _changed_since()
    old.save(update_fields=["superseded_at"])
    record(actor, "restored", old, None, entry_facts(old), reason)
    return old


def _changed_since() -> Problem:
    return Problem(409, "changed-since", "Changed since", "This price changed again since. Nothing was undone.")
