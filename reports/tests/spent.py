"""A small ledger with every dimension on it, and a plain loop over its rows, for tests of the explorer."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from budgets.models import Organisation, Team, Workflow
from reports.spend.sums import Used
from usage.rollups.fold import fold_all
from usage.rollups.zone import follow_time_zone
from usage.tests.events import a_sender, an_event, price_the_model, take

NOW = datetime(2026, 11, 5, 16, tzinfo=UTC)
COLUMNS = (
    "kind", "posted_at", "workflow_id", "team", "provider", "model", "tier", "environment", "service_tier", "stage",
    "task_type", "status", "user_name", "customer", "application", "campaign", "channel", "tags", "measured",
    "unpriced", "cost", "input_tokens", "output_tokens", "attempt", "run_id",
)  # fmt: skip


def fill_ledger(zone: str, many: int = 260) -> None:
    """Calls of forty days up to `NOW`, many of them beside a midnight; folded in days of `zone`."""
    Organisation.objects.update_or_create(id=1, defaults={"time_zone": zone})
    brand, web = (Team.objects.create(slug=slug, name=slug.title()) for slug in ("brand", "web"))
    ads = Workflow.objects.create(slug="ads", name="Ads", status="production", team=brand)
    Workflow.objects.create(slug="old-ads", name="Old", status="merged", merged_into=ads, team=brand)
    Workflow.objects.create(slug="seo", name="SEO drafts", status="production", team=web)
    for model in ("alpha", "beta"):
        price_the_model(model=model)
    roll = random.Random(zone)
    take([_event(roll, i, ZoneInfo(zone)) for i in range(many)], a_sender(), NOW)
    follow_time_zone()
    fold_all()


def _event(roll: random.Random, i: int, zone: ZoneInfo) -> dict[str, Any]:
    midnight = (NOW - timedelta(days=roll.randrange(40))).astimezone(zone).replace(hour=0, minute=0)
    edge = midnight.astimezone(UTC) + timedelta(minutes=roll.choice([-1, 0, 14, 30, 75, 150, 700]))
    values: dict[str, Any] = {
        "time": min(edge, NOW).isoformat(),
        "model": roll.choice(["alpha", "alpha", "beta", "nobody-prices-this"]),
        "input_tokens": roll.randrange(1, 90_000),
        "output_tokens": roll.randrange(0, 4_000),
        "workflow": roll.choice(["ads", "old-ads", "seo", "found-in-calls"]),
        "run_id": f"run-{roll.randrange(40)}",
        "step": roll.randrange(1, 6),
        "attempt": roll.choice([1, 1, 1, 2]),
    }
    choices: dict[str, list[Any]] = {
        "tier": [1, 2, 3, None],
        "default_tier": [1, None],
        "environment": ["production", "staging"],
        "service_tier": ["standard", "batch", None],
        "stage": ["draft", "review", None],
        "task_type": ["generation", "extraction", None],
        "status": ["ok", "error"],
        "user": ["ana", "bo", "-", None],
        "customer": ["acme", None],
        "application": ["cms", "crm", None],
        "campaign": ["spring", None],
        "channel": ["mail", "web", None],
        "tags": [{"asset": "a=1"}, {"asset": "b", "lang": "de"}, None],
        "team": ["web", None],
    }
    values |= {name: found for name, options in choices.items() if (found := roll.choice(options)) is not None}
    if roll.random() < 0.1:
        del values["input_tokens"], values["output_tokens"]
    return an_event(f"call-{i}", **values)


def ledger_rows() -> list[dict[str, Any]]:
    """Every row, with `workflow` as it counts, `user` and `tag`s under their names."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(target.slug, one.slug), {', '.join(f'l.{name}' for name in COLUMNS)} FROM usage_ledger l "
            "JOIN budgets_workflow one ON one.id = workflow_id "
            "LEFT JOIN budgets_workflow target ON target.id = one.merged_into_id"
        )
        found = [dict(zip(("workflow", *COLUMNS), row, strict=True)) for row in cursor.fetchall()]
    for row in found:
        tags = row["tags"] or {}
        if isinstance(tags, str):
            import json

            tags = json.loads(tags)
        row["tag"] = [f"{key}={value}" for key, value in tags.items()]
        row["user"], row["tier"] = row["user_name"] or "", str(row["tier"])
    return found


def values_of(row: dict[str, Any], dimension: str) -> list[str]:
    """What a row has of a dimension: one value, or each of its tags."""
    return row["tag"] or [""] if dimension == "tag" else [row[dimension] or ""]


def plain_used(rows: Iterable[dict[str, Any]]) -> Used:
    """Added up one by one."""
    cost = calls = unpriced = unmeasured = tokens_in = tokens_out = retries = 0
    for row in rows:
        one = {0: 1, 1: 0, 2: -1}[row["kind"]]
        cost += row["cost"] or 0
        calls += one
        unpriced += row["unpriced"]
        unmeasured += 0 if row["measured"] else one
        tokens_in += row["input_tokens"] or 0
        tokens_out += row["output_tokens"] or 0
        retries += one if (row["attempt"] or 0) > 1 else 0
    return Used(cost, calls, unpriced, unmeasured, tokens_in, tokens_out, retries)


def plain_groups(rows: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], list[Any]]) -> dict[Any, Used]:
    """The rows' sums by each of the keys that a row has."""
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        for one in key(row):
            found[one].append(row)
    return {one: used for one, group in found.items() if not (used := plain_used(group)).is_nothing}
