"""Send what is in the outbox: claim, commit, send, record.

A claim is a lease. Whoever dies before sending delays the message by the lease; whoever dies between sending and
recording has it sent once more, with the same id. Nothing else sends a message twice.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from budgets.delivery.message import message_of
from budgets.delivery.replace import turn_of
from budgets.delivery.sealed import CannotUnseal, secret_of
from budgets.delivery.transport import Refused, Target, Temporary
from budgets.delivery.transports import TRANSPORTS
from budgets.delivery.withheld import why_withheld
from budgets.models import Delivery

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)  # longer than any transport takes for one message
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
WITH_A_WAY_IN = ("account", "invitation")  # their links let somebody in, so they are not kept once sent
AT_ONCE = 50  # messages of one pass
CLAIM = """
UPDATE budgets_delivery SET claimed_until = %(lease)s, attempts = attempts + 1
WHERE id = (
    SELECT id FROM budgets_delivery
    WHERE state = 'queued' AND next_at <= %(now)s AND (claimed_until IS NULL OR claimed_until <= %(now)s)
    ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one attempt. `pause`: how long to wait before the next, where not as long as usual."""

    state: str
    problem: str = ""
    external: dict[str, Any] | None = None
    pause: timedelta | None = None


def send_due(now: datetime | None = None) -> int:
    """Try what is due, one after another; how many were sent. To be called outside a transaction."""
    sent = 0
    for _ in range(AT_ONCE):
        delivery = claim(now or timezone.now())
        if delivery is None:
            break
        tried = attempt(delivery)
        sent += settle(delivery, tried, now or timezone.now()) and tried.state == Delivery.State.SENT
    return sent


def claim(now: datetime) -> Delivery | None:
    """The next delivery, leased and committed; nobody else tries it meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"now": now, "lease": now + LEASE})
        row = cursor.fetchone()
    return Delivery.objects.select_related("channel").get(pk=row[0]) if row else None


def attempt(delivery: Delivery) -> Tried:
    """Send it once, outside any transaction. Whatever goes wrong is a sentence."""
    state = Delivery.State
    transport = TRANSPORTS.get(delivery.transport)
    if transport is None:
        return Tried(state.FAILED, f"There is no transport {delivery.transport}.")
    if said := why_withheld(delivery):
        return Tried(state.CANCELLED, said)
    turn = turn_of(delivery, timezone.now())
    if turn.state:
        return Tried(turn.state, turn.said, pause=turn.pause)
    pause = None
    try:
        return Tried(state.SENT, "", transport.send(target_of(delivery, turn.external), message_of(delivery.payload)))
    except Refused as problem:
        return Tried(state.FAILED, str(problem))
    except Temporary as problem:
        said = str(problem)
        pause = timedelta(seconds=max(1, problem.after)) if problem.after is not None else None
    except CannotUnseal:
        said = "The channel's secret cannot be read: SECRET_KEY was changed. Type it again."
    except Exception:
        logger.exception("Delivery %s could not be tried", delivery.pk)
        said = "Something went wrong in TokenOps; its log says what."
    return Tried(state.QUEUED, said, pause=pause)


def target_of(delivery: Delivery, external: Mapping[str, Any] | None = None) -> Target:
    """Where it goes. The address is that of when the message was made; the secret is the channel's present one."""
    channel = delivery.channel
    options = dict(channel.options) if channel else {}
    options["made_at"] = delivery.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Target(
        address=delivery.address,
        secret=secret_of(channel) if channel else {},
        options=options,
        id=f"tokenops-{delivery.pk}",
        attempt=delivery.attempts,
        external=external,
    )


@transaction.atomic
def settle(delivery: Delivery, tried: Tried, now: datetime) -> bool:
    """Record what came of it; False where the lease was lost and another has recorded something since."""
    row = Delivery.objects.select_for_update().get(pk=delivery.pk)
    if row.state != Delivery.State.QUEUED or row.attempts != delivery.attempts:
        return False
    state, problem = tried.state, tried.problem
    row.claimed_until = None
    if state == Delivery.State.QUEUED:
        row.next_at = now + min(LONGEST_PAUSE, tried.pause or pause_after(row.attempts))
        if row.next_at > row.give_up_at:
            state = Delivery.State.FAILED
            problem = f"Given up after {row.attempts} attempts. {problem}"
    row.state, row.problem = state, problem[:500]
    row.sent_at = now if state == Delivery.State.SENT else None
    if state == Delivery.State.SENT and row.kind in WITH_A_WAY_IN:
        row.payload = {**row.payload, "path": ""}
    if tried.external is not None:
        row.external = {**row.external, **tried.external}
    row.save()
    return True


def pause_after(attempts: int) -> timedelta:
    """30 seconds, then twice as long each time, at most an hour."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts - 1, 12)
    return min(LONGEST_PAUSE, doubled)


@transaction.atomic
def send_again(delivery: Delivery, now: datetime, give_up_after: timedelta = timedelta(hours=24)) -> bool:
    """Have a failed or cancelled message tried anew; False where it waits or was sent already."""
    row = Delivery.objects.select_for_update().get(pk=delivery.pk)
    if row.state not in {Delivery.State.FAILED, Delivery.State.CANCELLED}:
        return False
    row.state, row.problem, row.next_at, row.claimed_until = Delivery.State.QUEUED, "", now, None
    row.attempts, row.give_up_at = 0, now + give_up_after
    row.save()
    return True
