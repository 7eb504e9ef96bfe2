"""From accepted events to ledger rows: workflow, team, posting time, tier and price. No queries here."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from budgets.models import UNASSIGNED
from usage.ingest.event import MAX_COST, NANO, Event, Refusal
from usage.ingest.workflows import Named
from usage.ledger.row import LedgerRow
from usage.prices.book import Price, PriceBook
from usage.prices.cost import CostParts, cost_of
from usage.prices.tiers import tier_of

_json = msgspec.json.Encoder(order="deterministic", decimal_format="string")
MAX_COST_NANO = int(MAX_COST) * NANO
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
        posted_at=posting.posted_at(event.time),
        time=event.time,
        source_id=source_id,
        event_id=event.id,
        workflow_id=workflow.id,
        # The owning team answers for the bill; what the sender says counts only where nobody owns the workflow.
        team=workflow.team or event.team or "",
        run_id=event.run_id,
        step=event.step,
        attempt=event.attempt,
        stage=event.stage or "",
        task_type=event.task_type or "",
        domain=event.domain,
        environment=event.environment or "production",
        operation=event.operation or "",
        agent=event.agent,
        step_kind=event.step_kind,
        prompt_version=event.prompt_version,
        response_format=event.response_format,
        tools_exposed=event.tools_exposed,
        tools_used=event.tools_used,
        units=as_json(event.units),
        provider=provider,
        model=event.model,
        requested_model=event.requested_model,
        tier=event.tier or tier_of(posting.generation, provider, event.model, event.time),
        default_tier=event.default_tier or workflow.default_tier,
        grant_id=event.grant_id,
        lease_id=event.lease_id,
        bundle_revision=event.bundle_revision,
        measured=event.is_measured,
        input_tokens=event.input_tokens,
        cached_input_tokens=event.cached_input_tokens,
        cache_write_tokens=event.cache_write_tokens,
        output_tokens=event.output_tokens,
        reasoning_tokens=event.reasoning_tokens,
        tool_tokens=event.tool_tokens,
        context=as_json(event.context),
        cache=event.cache or "none",
        avoided_input_tokens=event.avoided_input_tokens,
        avoided_output_tokens=event.avoided_output_tokens,
        service_tier=service_tier,
        status=event.status or "ok",
        finish_reason=event.finish_reason,
        latency_ms=event.latency_ms,
        retrieved_chunks=event.retrieved_chunks,
        user_name=event.user,
        user_tier=event.user_tier,
        application=event.application,
        customer=event.customer,
        session=event.session,
        campaign=event.campaign,
        channel=event.channel,
        tags=as_json(event.tags),
        reported_cost=nano(event.cost_usd),
    )
    if row.measured:
        put_cost(row, event, price)
    return row


def put_cost(row: LedgerRow, event: Event, price: Price | None) -> None:
    """Stamp the price entry and the cost by component. A call that used nothing costs nothing, priced or not."""
    cached, written = event.cached_input_tokens or 0, event.cache_write_tokens or 0
    tokens_in, tokens_out = event.input_tokens or 0, event.output_tokens or 0
    if price is None:
        parts = None if tokens_in or tokens_out or event.units else NOTHING
    else:
        parts = cost_of(price, tokens_in, cached, written, tokens_out, event.units, event.reasoning_tokens or 0)
    if parts is None:
        row.unpriced = 1
        return
    if parts.total > MAX_COST_NANO:
        raise Refusal("cost-beyond-belief", f"This one call would cost more than ${MAX_COST:,}. Check the counts.")
    row.price_id = price.price_id if price else None
    row.cost = parts.total
    row.cost_input, row.cost_cached, row.cost_cache_write = parts.input, parts.cached, parts.cache_write
    row.cost_output, row.cost_units = parts.output, parts.units
