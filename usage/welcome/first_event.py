"""A test event through the real intake, and what arrived lately."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from django.utils import timezone

from budgets.models import ApiKey, Source, Workflow
from usage.ingest.decode import decode
from usage.ingest.write import Answer, Sender, take
from usage.models import IngestBatch, LedgerEntry

TEST_WORKFLOW = "welcome-test"
RECENT = timedelta(hours=24)


@dataclass(frozen=True)
class Arrival:
    """The newest call in the ledger. `cost` in nano-dollars, None while it has no price."""

    source: str
    workflow: str
    model: str
    cost: int | None
    at: datetime
    calls: int


def send_test_event(source: Source) -> Answer:
    """One call that used nothing and so costs nothing, in the environment "test". What it says is true of it."""
    event = {
        "id": f"welcome-{secrets.token_hex(8)}",
        "time": timezone.now().isoformat(),
        "workflow": TEST_WORKFLOW,
        "environment": "test",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "input_tokens": 0,
        "output_tokens": 0,
    }
    return take(Sender(source.pk, source.slug), decode(msgspec.json.encode(event), "", {}, 1))


def newest_source() -> Source | None:
    """The source of the newest key that may send."""
    key = ApiKey.objects.filter(scopes__contains=["ingest"], revoked_at=None).select_related("source").first()
    return key.source if key else None


def last_arrival() -> Arrival | None:
    """What the newest batch of the last 24 hours brought; None while nothing came. Four small statements."""
    batch = IngestBatch.objects.filter(received_at__gte=timezone.now() - RECENT).order_by("-id").first()
    if batch is None:
        return None
    row = LedgerEntry.objects.filter(batch_id=batch.pk, kind=LedgerEntry.Kind.CALL).order_by("-time").first()
    if row is None:
        return None
    workflow = Workflow.objects.filter(pk=row.workflow_id).values_list("name", flat=True).first()
    source = Source.objects.filter(pk=batch.source_id).values_list("name", flat=True).first()
    return Arrival(source or "", workflow or "", row.model, row.cost, batch.received_at, batch.events)
