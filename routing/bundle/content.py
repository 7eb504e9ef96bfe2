"""What a bundle says, as values. Pure: no models; `routing.bundle.snapshot` fills it from the database.

The JSON Schema is docs/schemas/policy-bundle-v1.json. Amounts and prices are decimal text (dollars for money), times
are RFC 3339 in UTC, shares are whole percents.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from tokenops_sdk.bundle import SCHEMA

NANO = Decimal(1_000_000_000)
STEP = 5  # percent; remaining amounts are told no finer, so that a bundle is not a meter


class Organisation(msgspec.Struct, frozen=True):
    time_zone: str
    currency: str
    fiscal_year_starts: int


class TierModel(msgspec.Struct, frozen=True):
    provider: str
    model: str


class TierContent(msgspec.Struct, frozen=True):
    """Models in order of preference."""

    number: int
    name: str
    needs_approval: bool
    models: list[TierModel]


class WorkflowContent(msgspec.Struct, frozen=True):
    """`default_tier` null: the bundle's. `guardrails` as docs/limits.md says, fractions as decimal text.

    `merged_into` names the workflow that calls of this one count as, whose configuration stands here too; else null.
    """

    status: str
    team: str | None
    default_tier: int | None
    value_weight: str
    risk_categories: list[str]
    guardrails: dict[str, Any]
    paused: bool
    merged_into: str | None = None


class BudgetContent(msgspec.Struct, frozen=True):
    """Where a budget stands in its current period.

    All of `scope` must hold for a call to count; empty means every call. `remaining_percent` is of `limit`, rounded
    down to a step of 5. `crossed` is the highest threshold reached, in percent. `on_exhausted` is what to do once
    `status` is `exhausted`, with `settings` for it.
    """

    slug: str
    name: str
    scope: dict[str, str]
    metric: str
    period: str
    starts_at: str
    ends_at: str
    limit: str
    limit_version: int
    remaining_percent: int
    crossed: int
    status: str
    on_exhausted: str
    settings: dict[str, Any]


class Blocked(msgspec.Struct, frozen=True):
    """A subject that must not call now: what falls under `scope`, why, and until when (null: until it is resumed)."""

    scope: dict[str, str]
    code: str  # workflow_paused, budget_exhausted
    reason: str
    until: str | None


class PriceContent(msgspec.Struct, frozen=True):
    """Dollars per million tokens; `units` dollars each; null: not stated (cached input and cache writes cost as input).

    `steps` and `hours` as in the price book: long-context prices and prices at some hours.
    """

    provider: str
    model: str
    service_tier: str
    input: str | None
    cached_input: str | None
    cache_write: str | None
    output: str | None
    units: dict[str, Any]
    steps: list[Any]
    hours: list[Any]


class Content(msgspec.Struct, frozen=True):
    """All that a client acts on: equal content means no new revision."""

    audience: str
    organisation: Organisation
    fail_mode: str
    default_tier: int | None
    tiers: list[TierContent]
    workflows: dict[str, WorkflowContent]
    budgets: list[BudgetContent]
    blocked: list[Blocked]
    grants: list[Any]
    prices: list[PriceContent]


class Stamp(msgspec.Struct, frozen=True):
    """What tells one bundle from another. The two versions are those at which the content was read."""

    epoch: int
    revision: int
    policy_version: int
    state_version: int
    compiled_at: str


def document(content: Content, stamp: Stamp) -> dict[str, Any]:
    """The document as JSON-ready values."""
    return {"schema": SCHEMA, **msgspec.to_builtins(stamp), **msgspec.to_builtins(content)}


def instant(when: datetime) -> str:
    """RFC 3339, UTC, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal_text(value: Decimal) -> str:
    """Plain notation without trailing noughts: 0.1, 15, 1200.5."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount_text(amount: int, metric: str) -> str:
    """Nano-dollars as dollars; tokens and calls as they are."""
    return decimal_text(Decimal(amount) / NANO) if metric == "money" else str(amount)


def remaining_percent(limit: int, spent: int) -> int:
    """What is left of `limit`, in percent, rounded down to a step of 5, between 0 and 100."""
    if limit <= 0:
        return 0
    return max(0, min(100, (limit - spent) * 100 // limit // STEP * STEP))


def urgent_facts(document: Mapping[str, Any]) -> frozenset[str]:
    """What must reach clients at once: who is blocked, which budgets are exhausted."""
    blocked = {f"blocked {sorted(entry['scope'].items())} {entry['code']}" for entry in document.get("blocked", [])}
    paused = {f"paused {slug}" for slug, workflow in document.get("workflows", {}).items() if workflow["paused"]}
    exhausted = {
        f"exhausted {budget['slug']} {budget['on_exhausted']}"
        for budget in document.get("budgets", [])
        if budget["status"] == "exhausted"
    }
    return frozenset(blocked | paused | exhausted)
