"""What became of runs: the messages that say so, and what of a run counts elsewhere than at its own time."""

from django.conf import settings
from django.db import models


class OutcomeMessage(models.Model):
    """One message about one run; never changed, only taken back. What a run is follows from all of its messages.

    `workflow_id` is the workflow that was named (where that was merged, the one it counts under), `applied_to` that of
    the run which it was applied to; null until that run's calls are there. A sender's identity is (source, key): `key`
    and `content` are as a call's (`Claim`). Money in nano-dollars; `satisfaction` from 0 to 5.
    `is_duplicate`: a review of what was reviewed already, as far as the messages that are there say.
    """

    class Kind(models.TextChoices):
        COMPLETED = "completed", "Completed"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        REWORKED = "reworked", "Sent back"
        SHIPPED = "shipped", "Shipped"
        FAILED = "failed", "Failed"

    class State(models.TextChoices):
        NEW = "new", "New"
        WAITING = "waiting", "Waits for its run"
        APPLIED = "applied", "Applied"

    message_id = models.TextField(help_text="The sender's own id; empty where it sent none.")
    source_id = models.IntegerField(null=True, help_text="Null: somebody set it on a page.")
    key = models.UUIDField()
    content = models.UUIDField()
    workflow_id = models.IntegerField()
    run_id = models.TextField()
    outcome = models.CharField(max_length=9, choices=Kind)
    time = models.DateTimeField(help_text="When it was decided.")
    received_at = models.DateTimeField()
    reviewer = models.TextField(blank=True)
    review_minutes = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    satisfaction = models.DecimalField(max_digits=3, decimal_places=2, null=True)
    misrouted = models.BooleanField(null=True)
    revenue = models.BigIntegerField(null=True)
    minutes_saved = models.DecimalField(max_digits=11, decimal_places=2, null=True)
    cases = models.IntegerField(null=True)
    asset = models.TextField(blank=True)
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=7, choices=State, default=State.NEW)
    applied_to = models.IntegerField(null=True)
    is_duplicate = models.BooleanField(default=False)
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source_id", "key"], condition=models.Q(taken_back_at=None), name="outcome_identity"
            ),
            models.CheckConstraint(
                condition=models.Q(state="applied", applied_to__isnull=False)
                | (~models.Q(state="applied") & models.Q(applied_to=None)),
                name="outcome_applied_to_a_run",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(state="new"), name="outcome_new"),
            models.Index(fields=["run_id"], condition=models.Q(state="waiting"), name="outcome_waiting"),
            models.Index(fields=["applied_to", "run_id"], name="outcome_of_run"),
            models.Index(fields=["workflow_id", "run_id"], name="outcome_about"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.get_outcome_display().lower()}"


class RunPosting(models.Model):
    """What of a run counts at `posted_at` and not at the run's own time, since that was closed when it came about.

    Differences: a run that was approved after its month was closed is `approved` 1 here. At its own time it counts
    what its row says less all its postings; see `usage.rollups.runs`. Only ever added to.
    """

    workflow_id = models.IntegerField()
    run_id = models.TextField()
    posted_at = models.DateTimeField()
    runs = models.IntegerField()
    cost = models.BigIntegerField()
    steps = models.IntegerField()
    judged = models.IntegerField()
    judged_cost = models.BigIntegerField()
    completed = models.IntegerField()
    approved = models.IntegerField()
    shipped = models.IntegerField()
    rejected = models.IntegerField()
    failed = models.IntegerField()
    reviewed = models.IntegerField()
    reworked = models.IntegerField()
    misrouted = models.IntegerField()
    routed = models.IntegerField(default=0, db_default=0)
    reviews = models.IntegerField()
    duplicates = models.IntegerField()
    review_minutes = models.DecimalField(max_digits=14, decimal_places=2)
    timed = models.IntegerField(default=0, db_default=0)
    scored = models.IntegerField()
    satisfaction = models.DecimalField(max_digits=10, decimal_places=2)
    revenue = models.BigIntegerField()
    shipped_revenue = models.BigIntegerField(default=0, db_default=0)
    minutes_saved = models.DecimalField(max_digits=14, decimal_places=2)
    cases = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["posted_at"]),
            models.Index(fields=["workflow_id", "run_id"], name="run_posting_of_run"),
        ]


class RunDay(models.Model):
    """What runs count per day (organisation's zone) and workflow, by their rows and by what is posted apart.

    The names are those of `usage.rollups.counted.Runs`; differences that correct closed days may be below zero.
    """

    day = models.DateField()
    workflow_id = models.IntegerField()
    runs = models.BigIntegerField(default=0)
    cost = models.BigIntegerField(default=0)
    steps = models.BigIntegerField(default=0)
    judged = models.BigIntegerField(default=0)
    judged_cost = models.BigIntegerField(default=0)
    completed = models.BigIntegerField(default=0)
    approved = models.BigIntegerField(default=0)
    shipped = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    reviewed = models.BigIntegerField(default=0)
    reworked = models.BigIntegerField(default=0)
    misrouted = models.BigIntegerField(default=0)
    routed = models.BigIntegerField(default=0, db_default=0)
    reviews = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    review_minutes = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    timed = models.BigIntegerField(default=0)
    scored = models.BigIntegerField(default=0)
    satisfaction = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    revenue = models.BigIntegerField(default=0)
    shipped_revenue = models.BigIntegerField(default=0)
    minutes_saved = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    cases = models.BigIntegerField(default=0)
    pk = models.CompositePrimaryKey("day", "workflow_id")
