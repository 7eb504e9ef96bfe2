"""Why a message that waits in the outbox is not to leave any more. Rooms of all floors say so of what they queue."""

from collections.abc import Callable

from budgets.models import Delivery

_reasons: dict[str, Callable[[Delivery], str]] = {}


def withhold(kind: str, why: Callable[[Delivery], str]) -> None:
    """Have `why` asked right before each message of this kind is sent: a sentence, or "" where it may leave."""
    _reasons[kind] = why


def why_withheld(delivery: Delivery) -> str:
    """The sentence; "" where it may leave."""
    if delivery.channel is not None and delivery.channel.archived_at is not None:
        return "The channel was removed."
    why = _reasons.get(delivery.kind)
    return why(delivery) if why else ""
