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


class Offset(msgspec.Struct, frozen=True):
    """From this instant on the organisation's clocks are so many minutes before UTC."""

    since: str
    minutes: int


class Organisation(msgspec.Struct, frozen=True):
    """`utc_offsets`: the one in force and the next two changes, so that clients need no time zone database."""

    time_zone: str
    currency: str
    fiscal_year_starts: int
    utc_offsets: list[Offset]


class PriceStep(msgspec.Struct, frozen=True):
    """What a million tokens cost from so many tokens of input on, in nano-dollars; null: not stated."""

    from_input_tokens: int
    input: int | None
    output: int | None


class TierModel(msgspec.Struct, frozen=True):
    """`latency_ms` (median) and `quality` (decimal text 0 to 1): typed in, else measured; null: neither.

    `prices` by rising input, the first from 0; empty: no price is known.
    """

    provider: str
    model: str
    latency_ms: int | None
    quality: str | None
    prices: list[PriceStep]


class TierContent(msgspec.Struct, frozen=True):
    """Models in order of preference."""

    number: int
    name: str
    needs_approval: bool
    review_note: str
    models: list[TierModel]


class PolicyContent(msgspec.Struct, frozen=True):
    """Rules, `otherwise` and `daily_tokens` as docs/decision.md says; `version` is the published one's number."""

    version: int
    unlisted_models: str
    rules: list[dict[str, Any]]
    otherwise: dict[str, Any]
    daily_tokens: dict[str, int]


class SnippetContent(msgspec.Struct, frozen=True):
    """An approved text: the API serves it under its id; `digest` is its SHA-256 in hexadecimal."""

    version: int
    kind: str
    digest: str
    tokens: int


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
    snippets: list[str]
    merged_into: str | None = None


class BudgetContent(msgspec.Struct, frozen=True):
    """Where a budget stands in its current period.

    All of `scope` must hold for a call to count; empty means every call. `remaining_percent` is of `limit`, rounded
    down to a step of 5. `crossed` is the highest threshold reached, in percent. `on_exhausted` is what to do once
    `status` is `exhausted`, with `settings` for it. `hard`: callers reserve money by leases before they call.
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
    hard: bool


class Blocked(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subject that must not call now: what falls under `scope`, why, and until when (null: until it is resumed).

    `finding` is the id of the unusual spend that a run was stopped for; left out where there is none.
    """

    scope: dict[str, str]
    code: str  # workflow_paused, run_stopped, budget_exhausted
    reason: str
    until: str | None
    finding: int | None = None


class GrantContent(msgspec.Struct, frozen=True):
    """An allowance that runs: calls under `scope` (workflow, maybe run or user) may be served by `tier`.

    Callers send `id` as `grant_id` with each call that uses it. `remaining_percent` is what is left of its ceiling of
    money, rounded down to a step of 5; null: no ceiling. `takes_new_runs` false: only the runs in `runs` may go on.
    """

    id: str
    scope: dict[str, str]
    tier: int
    starts_at: str
    expires_at: str
    remaining_percent: int | None
    takes_new_runs: bool
    runs: list[str]


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
    policy: PolicyContent
    snippets: dict[str, SnippetContent]
    workflows: dict[str, WorkflowContent]
    budgets: list[BudgetContent]
    blocked: list[Blocked]
    grants: list[GrantContent]
    prices: list[PriceContent]


class Stamp(msgspec.Struct, frozen=True):
    """What tells one bundle from another: the published policy's number, and the version of the budgets' states."""

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
    """What must reach clients at once: who is blocked, which budgets are exhausted, what was allowed or published."""
    blocked = {f"blocked {sorted(entry['scope'].items())} {entry['code']}" for entry in document.get("blocked", [])}
    paused = {f"paused {slug}" for slug, workflow in document.get("workflows", {}).items() if workflow["paused"]}
    exhausted = {
        f"exhausted {budget['slug']} {budget['on_exhausted']}"
        for budget in document.get("budgets", [])
        if budget["status"] == "exhausted"
    }
    grants = {f"grant {grant['id']} {grant['takes_new_runs']}" for grant in document.get("grants", [])}
    version = document.get("policy", {}).get("version", 0)
    published = {f"policy {version}"} if version else set()
    return frozenset(blocked | paused | exhausted | grants | published)
