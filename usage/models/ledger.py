"""The ledger: append-only rows, partitioned by posting time, and the claims that make each event count once.

Both tables are made by SQL in the migration (partitions are beyond Django), so the models are unmanaged.
"""

from django.conf import settings
from django.db import models


class Claim(models.Model):
    """(source, event id) was taken. Hash-partitioned, so that a re-send with another time stamp is caught.

    `key` is the id itself where that is a UUIDv7, else the first 16 bytes of its BLAKE2b; `content` the 16-byte
    BLAKE2b of the event's canonical form. `sent_too` is null where a sender claimed it; where an import did, it says
    whether the sender has sent the same as well since, so that the import's undo lets it stand.
    """

    source_id = models.IntegerField()
    key = models.UUIDField()
    content = models.UUIDField()
    claimed_on = models.DateField()
    sent_too = models.BooleanField(null=True)
    pk = models.CompositePrimaryKey("source_id", "key")

    class Meta:
        managed = False
        db_table = "usage_claim"


class LedgerEntry(models.Model):
    """One model call, one correction of an earlier one, or the withdrawal of an imported one (`kind`).

    `time` is the event's own; `posted_at` decides the day, month and budget period it counts in, and differs only where
    the event's month was closed. Costs are nano-dollars; null cost is unknown, never free: `measured` says whether
    token counts were sent, and `unpriced` is 1 for a measured call without a price. A correction row holds differences.
    `saved` is what caches spared, in nano-dollars: tokens that were not paid at the price of their kind, and cached
    ones at what they cost less than uncached ones; null where nothing was cached or no price is known.
    A withdrawal row takes back a call with its corrections: all counts and costs negated, `corrects` names the call.
    """

    class Kind(models.IntegerChoices):
        CALL = 0, "Call"
        CORRECTION = 1, "Correction"
        WITHDRAWAL = 2, "Withdrawal"

    id = models.BigIntegerField(primary_key=True)
    posted_at = models.DateTimeField()
    time = models.DateTimeField()
    batch_id = models.BigIntegerField()
    generation = models.IntegerField()
    kind = models.SmallIntegerField(choices=Kind)
    corrects = models.BigIntegerField(null=True)
    source_id = models.IntegerField()
    event_id = models.TextField()
    workflow_id = models.IntegerField()
    team = models.TextField()
    run_id = models.TextField(null=True)
    step = models.IntegerField(null=True)
    attempt = models.IntegerField(null=True)
    stage = models.TextField()
    task_type = models.TextField()
    domain = models.TextField(null=True)
    environment = models.TextField()
    operation = models.TextField()
    agent = models.TextField(null=True)
    step_kind = models.TextField(null=True)
    prompt_version = models.TextField(null=True)
    response_format = models.TextField(null=True)
    tools_exposed = models.IntegerField(null=True)
    tools_used = models.IntegerField(null=True)
    units = models.JSONField(null=True)
    provider = models.TextField()
    model = models.TextField()
    requested_model = models.TextField(null=True)
    tier = models.SmallIntegerField()  # 0: unknown
    default_tier = models.SmallIntegerField()  # 0: unknown
    grant_id = models.TextField(null=True)
    lease_id = models.TextField(null=True)
    bundle_revision = models.BigIntegerField(null=True)
    measured = models.BooleanField()
    unpriced = models.SmallIntegerField()  # 1: measured without a cost; -1: a correction that prices such a call
    input_tokens = models.BigIntegerField(null=True)
    cached_input_tokens = models.BigIntegerField(null=True)
    cache_write_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    tool_tokens = models.BigIntegerField(null=True)
    context = models.JSONField(null=True)
    cache = models.TextField()
    avoided_input_tokens = models.BigIntegerField(null=True)
    avoided_output_tokens = models.BigIntegerField(null=True)
    service_tier = models.TextField()
    status = models.TextField()
    finish_reason = models.TextField(null=True)
    latency_ms = models.IntegerField(null=True)
    retrieved_chunks = models.IntegerField(null=True)
    user = models.TextField(null=True, db_column="user_name")
    user_tier = models.TextField(null=True)
    application = models.TextField(null=True)
    customer = models.TextField(null=True)
    session = models.TextField(null=True)
    campaign = models.TextField(null=True)
    channel = models.TextField(null=True)
    tags = models.JSONField(null=True)
    reported_cost = models.BigIntegerField(null=True)
    price_id = models.IntegerField(null=True)
    cost = models.BigIntegerField(null=True)
    cost_input = models.BigIntegerField(null=True)
    cost_cached = models.BigIntegerField(null=True)
    cost_cache_write = models.BigIntegerField(null=True)
    cost_output = models.BigIntegerField(null=True)
    cost_units = models.BigIntegerField(null=True)
    saved = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "usage_ledger"


class IngestBatch(models.Model):
    """One committed ingest transaction; folded into rollups and run summaries exactly once."""

    source_id = models.IntegerField()
    received_at = models.DateTimeField()
    generation = models.IntegerField()
    events = models.IntegerField()
    folded_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=models.Q(folded_at__isnull=True), name="ingest_batch_unfolded")
        ]


class QuarantinedItem(models.Model):
    """A refused item with its body and the reason, to be looked at, corrected and replayed.

    `queued_at` asks for it to be sent again in the background; that was tried once `tried_at` is not before it.
    """

    class Status(models.TextChoices):
        OPEN = "open", "To mend"
        REPLAYED = "replayed", "Sent again"
        DISCARDED = "discarded", "Discarded"

    source_id = models.IntegerField()
    received_at = models.DateTimeField(auto_now_add=True)
    event_id = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=64, db_index=True)
    problem = models.JSONField()
    body = models.TextField(help_text="As sent, cut at 64 KiB; NUL shown as \\u0000.")
    corrected = models.TextField(
        blank=True, db_default="", default="", help_text="The body as corrected; empty where it is as sent."
    )
    body_digest = models.BinaryField(max_length=16, help_text="So that a sender's retries keep one row.")
    times = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    queued_at = models.DateTimeField(null=True, editable=False)
    queued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    tried_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-received_at"]
        constraints = [models.UniqueConstraint(fields=["source_id", "body_digest"], name="quarantine_once")]
        indexes = [
            models.Index(fields=["-received_at"], condition=models.Q(status="open"), name="quarantine_open"),
            models.Index(fields=["queued_at"], condition=models.Q(queued_at__isnull=False), name="quarantine_queued"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id or 'item'}: {self.code}"

    @property
    def to_send(self) -> str:
        """What is sent again: the body as corrected, or as it came."""
        return self.corrected or self.body
