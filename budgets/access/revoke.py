"""Revoke keys: every process forgets a revoked key as soon as it hears of it."""

from django.db import transaction
from django.utils import timezone

from budgets.access.keys import KEYS_CHANNEL
from budgets.audit.record import Actor, record
from budgets.models import ApiKey
from budgets.notices.listener import notify


@transaction.atomic
def revoke_key(actor: Actor, key: ApiKey, reason: str = "") -> bool:
    """Make the key worthless for good; False where it was already. What it sent stays."""
    row = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    if row.revoked_at is not None:
        return False
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])
    record(actor, "revoked", row, {"revoked_at": None}, {"revoked_at": row.revoked_at.isoformat()}, reason)
    notify(KEYS_CHANNEL)
    return True
