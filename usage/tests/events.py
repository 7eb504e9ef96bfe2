"""Events for tests, with every value that a test does not care about filled in."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from budgets.models import Source
from usage.ingest.decode import decode
from usage.ingest.write import Answer, Intake, Sender
from usage.models import PriceEntry

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
MODEL = "test-model"


def an_event(event_id: str, **values: Any) -> dict[str, Any]:
    """A measured call of a model that `price_the_model` prices."""
    return {
        "id": event_id,
        "time": (NOW - timedelta(minutes=5)).isoformat(),
        "provider": "acme",
        "model": MODEL,
        "input_tokens": 1000,
        "output_tokens": 100,
        **values,
    }


def price_the_model(input_price: str = "2", output_price: str = "10", model: str = MODEL) -> PriceEntry:
    """Dollars per million tokens, from long ago on."""
    return PriceEntry.objects.create(
        provider="acme",
        model=model,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        input=Decimal(input_price),
        cached_input=Decimal(input_price) / 10,
        output=Decimal(output_price),
    )


def a_sender(slug: str = "gateway", others: tuple[str, ...] = ()) -> Sender:
    """A source that may also send for `others`."""
    names = {name: Source.objects.get_or_create(slug=name, defaults={"name": name})[0].pk for name in (slug, *others)}
    return Sender(names[slug], slug, names)


def take(events: Any, sender: Sender | None = None, now: datetime = NOW) -> Answer:
    """Send as one JSON body, and take it."""
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    return Intake(sender or a_sender(), decode(body, "application/json", {}, 10_000), now).take()
