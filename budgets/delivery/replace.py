"""A message that takes an earlier one's place: never before that one was sent, nor after a later one did the same.

Which one it replaces stands in its `external` from the start, beside what the receiver calls it once it was sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from budgets.models import ApprovalRequest, Delivery

REPLACES = "replaces"  # member of `Delivery.external`: id of the delivery whose place it takes
SOON = timedelta(seconds=2)  # the earlier one is just being sent
DECIDED = "The request was decided before this was sent."


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a delivery may leave. Without `state` it may, and `external` is how the receiver names what it replaces.

    With one it is to have that state instead: cancelled, or queued again for `pause`; `said` is why.
    """

    state: str = ""
    said: str = ""
    pause: timedelta | None = None
    external: Mapping[str, Any] | None = None


def turn_of(delivery: Delivery, now: datetime) -> Turn:
    """To be asked right before it is sent."""
    state = Delivery.State
    request, asks = delivery.request, delivery.payload.get("request") is not None
    if asks and request is not None and request.state != ApprovalRequest.State.WAITING:
        return Turn(state.CANCELLED, DECIDED)
    replaced = delivery.external.get(REPLACES)
    if replaced is None:
        return Turn()
    earlier = Delivery.objects.filter(pk=replaced).first()
    if earlier is None or earlier.state in {state.CANCELLED, state.FAILED}:
        return Turn(state.CANCELLED, "The message that it would have replaced was not sent.")
    others = Delivery.objects.filter(request=delivery.request_id, external__replaces=replaced)
    if others.filter(pk__gt=delivery.pk).exclude(state=state.CANCELLED).exists():
        return Turn(state.CANCELLED, "A later message took its place.")
    before = others.filter(pk__lt=delivery.pk, state=state.QUEUED, claimed_until__gt=now)
    if earlier.state == state.QUEUED or before.exists():
        pause = max(SOON, earlier.next_at - now)
        return Turn(state.QUEUED, "It waits for the message whose place it takes.", pause)
    return Turn(external=earlier.external)
