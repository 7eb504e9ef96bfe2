"""Put a message into the outbox, in the transaction of what it tells of."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from budgets.delivery.message import Message
from budgets.delivery.replace import REPLACES
from budgets.models import ApprovalRequest, Channel, Delivery
from budgets.notices.hint import hint_settle

GIVE_UP_AFTER = timedelta(hours=24)


@transaction.atomic
def queue(
    message: Message,
    key: str,
    *,
    channel: Channel | None = None,
    transport: str = "",
    address: str = "",
    request: ApprovalRequest | None = None,
    not_before: datetime | None = None,
    give_up_after: timedelta = GIVE_UP_AFTER,
    replaces: Delivery | None = None,
) -> Delivery | None:
    """The delivery of `message` to a channel, or to one `address` by `transport`; None if `key` was queued before.

    Committed with the caller's transaction; sent at `not_before` (aware; default: at once), tried until
    `give_up_after` has passed. `replaces`: the earlier message whose place it takes (`budgets.delivery.replace`).
    """
    now = timezone.now()
    starts = not_before or now
    made, is_new = Delivery.objects.get_or_create(
        key=key[:300],
        defaults={
            "kind": message.kind[:16],
            "channel": channel,
            "transport": channel.transport if channel else transport,
            "address": channel.address if channel else address,
            "request": request,
            "payload": message.as_json(),
            "next_at": starts,
            "give_up_at": starts + give_up_after,
            "created_at": now,
            "external": {REPLACES: replaces.pk} if replaces else {},
        },
    )
    if not is_new:
        return None
    transaction.on_commit(hint_settle)
    return made
