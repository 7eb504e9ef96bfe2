"""Pre-summed usage and run summaries; each equals the ledger, and `check_ledger` proves it."""

from typing import Any

from django.db import models
from django.db.models import Q

from usage.rollups.sums import CORE


class Sums(models.Model):
    """What every rollup sums. Costs in nano-dollars; `cost` covers priced calls only; `…_in_runs` those with a run."""

    calls = models.BigIntegerField(default=0)
    unmeasured = models.BigIntegerField(default=0)
    unpriced = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    retries = models.BigIntegerField(default=0)
    escalated = models.BigIntegerField(default=0)
    cost = models.BigIntegerField(default=0)
    calls_in_runs = models.BigIntegerField(default=0)
    cost_in_runs = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class CoreSums(Sums):
    """The same by the core dimensions, those of `CORE`; '' and 0 stand for not stated."""

    workflow_id = models.IntegerField()
    team = models.TextField()
    provider = models.TextField()
    model = models.TextField()
    tier = models.SmallIntegerField()
    environment = models.TextField()
    service_tier = models.TextField()
    stage = models.TextField()
    task_type = models.TextField()
    status = models.TextField()

    class Meta:
        abstract = True


class QuarterHour(CoreSums):
    """Usage per quarter hour (UTC) of the posting time and the core dimensions."""

    bucket = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bucket", *CORE], name="quarter_hour_dimensions")]
        # What waits for a price is found without reading the rest.
        indexes = [
            models.Index(fields=["bucket"], condition=~Q(unpriced=0), name="quarter_hour_unpriced"),
            models.Index(fields=["workflow_id", "bucket"], name="quarter_hour_of_workflow"),
        ]


class CoreDay(CoreSums):
    """Usage per day (organisation's zone) and all core dimensions: the quarter hours summed, for the explorer."""

    day = models.DateField()
    pk = models.CompositePrimaryKey("day", *CORE)


class TokenDay(models.Model):
    """What input was made of and what caches spared, per day (organisation's zone), workflow, model and cache.

    `saved` in nano-dollars, as in `LedgerEntry`. `context_…` are tokens by layer of the `context_calls` that
    state their layers; `context_input` is the whole input of those.
    """

    day = models.DateField()
    workflow_id = models.IntegerField()
    team = models.TextField()
    provider = models.TextField()
    model = models.TextField()
    tier = models.SmallIntegerField()
    cache = models.TextField()
    calls = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    avoided_input_tokens = models.BigIntegerField(default=0)
    avoided_output_tokens = models.BigIntegerField(default=0)
    saved = models.BigIntegerField(default=0)
    tool_tokens = models.BigIntegerField(default=0)
    retrieved_chunks = models.BigIntegerField(default=0)
    context_calls = models.BigIntegerField(default=0)
    context_input = models.BigIntegerField(default=0)
    context_system = models.BigIntegerField(default=0)
    context_history = models.BigIntegerField(default=0)
    context_retrieval = models.BigIntegerField(default=0)
    context_tools = models.BigIntegerField(default=0)
    context_memory = models.BigIntegerField(default=0)
    context_user = models.BigIntegerField(default=0)
    context_output_format = models.BigIntegerField(default=0)
    pk = models.CompositePrimaryKey("day", "workflow_id", "team", "provider", "model", "tier", "cache")


class WideDay(Sums):
    """Usage per day (organisation's zone), one wide dimension, workflow and model. Partitioned by dimension in SQL.

    A call with three tags is in three `tag` rows, so tag rows do not sum to the total; every other dimension has at
    most one row per call, and calls that do not state it are absent.
    """

    DIMENSIONS = ("user", "customer", "application", "campaign", "channel", "tag")

    dimension = models.TextField()
    day = models.DateField()
    value = models.TextField()
    workflow_id = models.IntegerField()
    provider = models.TextField()
    model = models.TextField()
    pk = models.CompositePrimaryKey("dimension", "day", "value", "workflow_id", "provider", "model")

    class Meta:
        managed = False
        db_table = "usage_wide_day"


class ValueDay(Sums):
    """Core and wide days summed by one dimension alone: what a page reads that groups by it and filters by no other.

    The value of the dimension `workflow` is its id, of `tier` its number.
    """

    dimension = models.TextField()
    day = models.DateField()
    value = models.TextField()
    pk = models.CompositePrimaryKey("dimension", "day", "value")


class Run(models.Model):
    """One execution of a workflow, summed from its calls; identified by workflow and `run_id`.

    One whose calls were all withdrawn keeps its row with `calls` 0, and counts as a run nowhere.
    It counts at `counts_at`, the posting time of its last call; once that is closed it stays, and what changes later
    counts by `RunPosting`. What became of it follows from its messages (`OutcomeMessage`), as `usage.outcomes.state`
    says: minutes, scores and reviews are sums of all, value, asset, reviewer and `misrouted` the last stated; of these
    null is what no message states.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", "Open"
        COMPLETED = "completed", "Completed"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        SHIPPED = "shipped", "Shipped"
        FAILED = "failed", "Failed"
        REWORKED = "reworked", "Sent back"

    workflow_id = models.IntegerField()
    run_id = models.TextField()
    first_call = models.DateTimeField()
    last_call = models.DateTimeField()
    counts_at = models.DateTimeField()
    calls = models.BigIntegerField(default=0)
    max_step = models.IntegerField(default=0)
    max_attempt = models.IntegerField(default=0)
    retries = models.BigIntegerField(default=0)
    escalated = models.BigIntegerField(default=0)
    unmeasured = models.BigIntegerField(default=0)
    unpriced = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost = models.BigIntegerField(default=0)
    outcome = models.CharField(max_length=9, choices=Outcome, default=Outcome.OPEN)
    reworks = models.IntegerField(default=0)
    reviews = models.IntegerField(default=0, db_default=0)
    duplicates = models.IntegerField(default=0, db_default=0, help_text="Reviews of what was reviewed already.")
    reviewer = models.TextField(default="", db_default="")
    review_minutes = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    timed = models.IntegerField(default=0, db_default=0, help_text="How many messages say how long their review took.")
    scored = models.IntegerField(default=0, db_default=0, help_text="How many satisfaction scores there are.")
    satisfaction = models.DecimalField(
        max_digits=8, decimal_places=2, default=0, db_default=0, help_text="The sum of the scores, each from 0 to 5."
    )
    misrouted = models.BooleanField(null=True)
    revenue = models.BigIntegerField(null=True, help_text="Nano-dollars.")
    minutes_saved = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    cases = models.IntegerField(null=True)
    asset = models.TextField(default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workflow_id", "run_id"], name="run_identity")]
        indexes = [
            models.Index(fields=["last_call"]),
            models.Index(fields=["counts_at"]),
            models.Index(fields=["workflow_id", "counts_at"], name="run_of_workflow"),
        ]

    def save(self, **options: Any) -> None:
        """One made without saying when it counts counts at its last call."""
        if self.counts_at is None:
            self.counts_at = self.last_call
        super().save(**options)
