"""One ledger row as a struct whose fields are the table's columns, in COPY order."""

from datetime import datetime
from typing import Any

from msgspec import Struct


class Stated(Struct, gc=False):
    """Columns that hold what the event states, in the event's own words; None where it states nothing."""

    run_id: str | None = None
    step: int | None = None
    attempt: int | None = None
    domain: str | None = None
    agent: str | None = None
    step_kind: str | None = None
    prompt_version: str | None = None
    response_format: str | None = None
    tools_exposed: int | None = None
    tools_used: int | None = None
    requested_model: str | None = None
    grant_id: str | None = None
    lease_id: str | None = None
    bundle_revision: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    tool_tokens: int | None = None
    avoided_input_tokens: int | None = None
    avoided_output_tokens: int | None = None
    finish_reason: str | None = None
    latency_ms: int | None = None
    retrieved_chunks: int | None = None
    user_name: str | None = None
    user_tier: str | None = None
    application: str | None = None
    customer: str | None = None
    session: str | None = None
    campaign: str | None = None
    channel: str | None = None


class LedgerRow(Stated, kw_only=True, gc=False):
    """Costs in nano-dollars, tokens as counts, JSON columns as JSON text; see usage.models.LedgerEntry."""

    posted_at: datetime
    time: datetime
    batch_id: int = 0
    generation: int = 0
    kind: int = 0
    corrects: int | None = None
    source_id: int
    event_id: str
    workflow_id: int
    team: str = ""
    stage: str = ""
    task_type: str = ""
    environment: str = "production"
    operation: str = ""
    provider: str = ""
    model: str
    tier: int = 0
    default_tier: int = 0
    measured: bool
    unpriced: int = 0
    cache: str = "none"
    service_tier: str = "standard"
    status: str = "ok"
    units: str | None = None
    context: str | None = None
    tags: str | None = None
    reported_cost: int | None = None
    price_id: int | None = None
    cost: int | None = None
    cost_input: int | None = None
    cost_cached: int | None = None
    cost_cache_write: int | None = None
    cost_output: int | None = None
    cost_units: int | None = None
    saved: int | None = None


class Entry(Struct, gc=False):
    """A row on its way into the ledger, with what its budgets are matched on beside it."""

    row: LedgerRow
    workflow: str  # slug
    tags: dict[str, str] | None = None


STATED: tuple[str, ...] = Stated.__struct_fields__
COLUMNS: tuple[str, ...] = LedgerRow.__struct_fields__
CALLS_OF = {0: 1, 2: -1}  # by the row's kind: a withdrawal takes a call back, a correction is none


def budget_attribute(row: LedgerRow, workflow: str, dimension: str) -> str:
    """What this row states for one dimension of a budget's scope; "" where it states nothing."""
    if dimension == "workflow":
        return workflow
    if dimension == "user":
        return row.user_name or ""
    if dimension == "tier":
        return str(row.tier) if row.tier else ""
    value: Any = getattr(row, dimension)
    return value or ""
