"""From accepted events to ledger rows: workflow, team, posting time, tier and price. No queries here."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from zoneinfo import ZoneInfo

import msgspec

from budgets.models import UNASSIGNED
from usage.ingest.event import MAX_COST, NANO, Event, Refusal
from usage.ingest.workflows import Named
from usage.ledger.row import STATED, LedgerRow
from usage.prices.book import Price, PriceBook
from usage.prices.cost import CostParts, cost_of, length_of_one
from usage.prices.spared import spared_by_caches
from usage.prices.tiers import tier_of

_json = msgspec.json.Encoder(order="deterministic", decimal_format="string")
MAX_COST_NANO = int(MAX_COST) * NANO
# The event's fields that are columns as they are; only `user` is a reserved word in SQL.
stated = attrgetter(*("user" if name == "user_name" else name for name in STATED))
NOTHING = CostParts(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Posting:
    """Everything a batch is posted with: one generation's configuration, and the moment it arrived."""

    generation: int
    batch_id: int
    received_at: datetime
    closed_before: date | None
    zone: ZoneInfo
    prices: PriceBook

    def posted_at(self, time: datetime) -> datetime:
        """When the call counts: at its own time, or now where that day is closed."""
        if self.closed_before is not None and time.astimezone(self.zone).date() < self.closed_before:
            return self.received_at
        return time


def workflow_slug(event: Event) -> str:
    return event.workflow or UNASSIGNED


def as_json(value: object) -> str | None:
    """A JSON column's text; None for nothing or an empty object."""
    return _json.encode(value).decode() if value else None


def nano(amount: Decimal | None) -> int | None:
    """Dollars as nano-dollars, half to even."""
    return None if amount is None else int((amount * NANO).to_integral_value())


def ledger_row(event: Event, source_id: int, workflow: Named, posting: Posting) -> LedgerRow:
    """The event as a ledger row, priced. Refusal when its cost is beyond belief."""
    service_tier = event.service_tier or "standard"
    price = posting.prices.find(event.provider or "", event.model, service_tier, event.time)
    provider = event.provider or (price.provider if price else "")
    row = LedgerRow(
        *stated(event),
        posted_at=posting.posted_at(event.time),
        time=event.time,
        source_id=source_id,
        event_id=event.id,
        workflow_id=workflow.id,
        # The owning team answers for the bill; what the sender says counts only where nobody owns the workflow.
        team=workflow.team or event.team or "",
        stage=event.stage or "",
        task_type=event.task_type or "",
        environment=event.environment or "production",
        operation=event.operation or "",
        provider=provider,
        model=event.model,
        tier=event.tier or tier_of(posting.generation, provider, event.model, event.time),
        default_tier=event.default_tier or workflow.default_tier,
        measured=event.is_measured,
        cache=event.cache or "none",
        service_tier=service_tier,
        status=event.status or "ok",
        units=as_json(event.units),
        context=as_json(event.context),
        tags=as_json(event.tags),
        reported_cost=nano(event.cost_usd),
    )
    if row.measured:
        put_cost(row, event, price)
    return row


def put_cost(row: LedgerRow, event: Event, price: Price | None) -> None:
    """Stamp the price entry, the cost by component and what caches spared.

    A call that used nothing costs nothing, priced or not.
    """
    cached, written = event.cached_input_tokens or 0, event.cache_write_tokens or 0
    tokens_in, tokens_out = event.input_tokens or 0, event.output_tokens or 0
    if price is None:
        parts = None if tokens_in or tokens_out or event.units else NOTHING
    else:
        thought, length = event.reasoning_tokens or 0, length_of_one(tokens_in, event.tags)
        parts = cost_of(price, tokens_in, cached, written, tokens_out, event.units, thought, length)
    if parts is None:
        row.unpriced = 1
        return
    if parts.total > MAX_COST_NANO:
        raise Refusal("cost-beyond-belief", f"This one call would cost more than ${MAX_COST:,}. Check the counts.")
    row.price_id = price.price_id if price else None
    row.cost = parts.total
    row.cost_input, row.cost_cached, row.cost_cache_write = parts.input, parts.cached, parts.cache_write
    row.cost_output, row.cost_units = parts.output, parts.units
    if price is not None and (cached or event.avoided_input_tokens or event.avoided_output_tokens):
        whole = length_of_one(tokens_in, event.tags)
        row.saved = spared_by_caches(
            price,
            tokens_in if whole is None else whole,
            cached,
            event.avoided_input_tokens or 0,
            event.avoided_output_tokens or 0,
            event.units,
        )
