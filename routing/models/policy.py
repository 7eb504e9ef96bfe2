"""The policy: versions of it, what they would have done to past calls, and what is measured of models."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from budgets.models import ApprovalRequest


class PolicyVersion(models.Model):
    """A whole policy: tiers, rules, daily amounts. `document` is a `routing.policy.document.Policy`.

    A draft is edited until it is published; then it has a number and never changes (a trigger holds that; only `live`
    and `request` may). Going back to an earlier one publishes its document again under a new number.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        WAITING = "waiting", "Waiting for a second person"
        PUBLISHED = "published", "Published"
        DISCARDED = "discarded", "Discarded"

    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    number = models.PositiveIntegerField(null=True, blank=True, unique=True, help_text="Given when it is published.")
    live = models.BooleanField(default=False, help_text="The one in force.")
    title = models.CharField(max_length=128)
    note = models.CharField(max_length=1000, blank=True, help_text="Why; shown beside the version.")
    document = models.JSONField()
    edit_version = models.PositiveIntegerField(default=1, editable=False, help_text="Grows with every edit.")
    based_on = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    request = models.ForeignKey(
        ApprovalRequest, models.SET_NULL, null=True, blank=True, related_name="+", help_text="Where a second decides."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_text = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    published_text = models.CharField(max_length=150, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = [F("number").desc(nulls_first=True), "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["live"], condition=Q(live=True), name="one_live_policy"),
            models.CheckConstraint(
                condition=Q(state="published", number__isnull=False, published_at__isnull=False)
                | (~Q(state="published") & Q(number=None, published_at=None, live=False)),
                name="policy_number_when_published",
            ),
        ]

    def __str__(self) -> str:
        return f"Version {self.number}" if self.number else self.title


class PolicyReplay(models.Model):
    """A version tried on past calls, by a worker. `result` is a `routing.replay.result.Result` once it is done.

    `edit_version` is the draft's when it was asked for: an edit since makes the answer old. A sweeper takes up what a
    killed worker left (`claimed_at` long ago).
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    version = models.ForeignKey(PolicyVersion, models.CASCADE, related_name="replays")
    edit_version = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="Not included.")
    workflow = models.CharField(max_length=128, blank=True, help_text="Only calls of this one; empty: all.")
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    calls = models.PositiveBigIntegerField(null=True, help_text="How many there are in the window.")
    taken = models.PositiveBigIntegerField(null=True, help_text="How many of them are tried: fewer is a sample.")
    done = models.PositiveBigIntegerField(default=0)
    result = models.JSONField(null=True)
    problem = models.CharField(max_length=500, blank=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="replay_window")]

    def __str__(self) -> str:
        return f"{self.version} on {self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"


class ModelMeasure(models.Model):
    """What the ledger says of a model over the last 30 days, measured nightly; of quality, by outcomes of its runs."""

    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=128)
    calls = models.PositiveBigIntegerField(help_text="With a stated latency.")
    latency_ms = models.PositiveIntegerField(null=True, help_text="Median.")
    latency_p95_ms = models.PositiveIntegerField(null=True)
    reviewed_runs = models.PositiveIntegerField(default=0)
    approved_runs = models.PositiveIntegerField(default=0)
    measured_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "model"], name="model_measured_once")]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"
