"""Calls of two times, sent through ingest, that differ as a test says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from reports.asking.scope import Scope
from reports.why.explain import Explanation, explain
from usage.models import PriceEntry
from usage.tests.events import NOW, an_event, take

Event = dict[str, Any]
BEFORE = (datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC))
AFTER = (datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC))
LAYERS = {"system": 400, "history": 200, "user": 401}
# Prices of parts of a nano-dollar a token, so that every call is rounded.
PRICES = {"small": ("0.15", "0.6"), "large": ("2.5", "10")}


def price_models() -> None:
    for model, (price, output) in PRICES.items():
        for tier, part in (("standard", 1), ("batch", 2)):
            PriceEntry.objects.create(
                provider="acme",
                model=model,
                service_tier=tier,
                valid_from=datetime(2020, 1, 1, tzinfo=UTC),
                input=Decimal(price) / part,
                cached_input=Decimal(price) / part / 10,
                output=Decimal(output) / part,
            )


def calls(starts: datetime, runs: int = 4, workflow: str = "briefs") -> list[Event]:
    """Runs of two drafts and a check, an hour apart."""
    return [
        an_event(
            f"{workflow}-{starts:%d}-{run}-{step}",
            time=(starts + timedelta(hours=run, minutes=step)).isoformat(),
            workflow=workflow,
            run_id=f"{workflow}-{starts:%d}-{run}",
            step=step,
            model="small",
            stage="verify" if step == 3 else "draft",
            prompt_version="v1",
            input_tokens=1_001,
            cached_input_tokens=100,
            output_tokens=333 if step == 3 else 101,
            context=LAYERS,
        )
        for run in range(runs)
        for step in (1, 2, 3)
    ]


def twice(events: list[Event], which: Callable[[Event], bool] = lambda event: True, **changes: Any) -> list[Event]:
    """With another call beside each of those; `changes` may be functions of the event."""
    made = [event | {"id": f"{event['id']}-again"} for event in events if which(event)]
    return [*events, *changed(made, **changes)]


def changed(events: list[Event], which: Callable[[Event], bool] = lambda event: True, **changes: Any) -> list[Event]:
    """With other values in those events."""
    return [
        event | {name: value(event) if callable(value) else value for name, value in changes.items()}
        if which(event)
        else event
        for event in events
    ]


def sent(before: list[Event], after: list[Event]) -> None:
    answer = take([*before, *after], now=NOW)
    assert not answer.items, answer.items


def explained(scope: Scope | None = None, **more: Any) -> Explanation:
    """The difference of the two times, in parts that are known to sum to it."""
    found = explain(scope or Scope(), BEFORE, AFTER, **more)
    assert sum(one.amount for one in found.parts) == found.total == found.after - found.before
    return found
