"""Budgets, what was charged to them, and where they stand."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from budgets.models.workflows import check_slug

NANO = 1_000_000_000  # nano-dollars in a dollar


def default_thresholds() -> list[int]:
    return [50, 80, 100]


class Budget(models.Model):
    """An amount for a scope and a period, with thresholds and what happens when it is exhausted.

    `scope` is a JSON object of dimension → value, all of which must hold; empty means the whole organisation.
    Dimensions: team, workflow, environment, user, application, customer, model, provider, tier, tag (as key=value).
    `amount` is in nano-dollars, tokens or calls, as `metric` says.
    A pool (`sharing`) is a budget whose amount is shared out among its children: `pool` of each of them. Together they
    never have more than it; a trigger holds that.
    `generation` is the organisation's generation from which on ingest charges it; what is older is its opening,
    read once from the ledger (`opened_generation` says for which generation that was done).
    """

    class Metric(models.TextChoices):
        MONEY = "money", "Money"
        TOKENS = "tokens", "Tokens"
        CALLS = "calls", "Calls"

    class Period(models.TextChoices):
        DAY = "day", "Each day"
        WEEK = "week", "Each week"
        MONTH = "month", "Each month"
        QUARTER = "quarter", "Each quarter"
        YEAR = "year", "Each year"
        FIXED = "fixed", "Fixed dates"

    class Action(models.TextChoices):
        ALERT = "alert", "Only tell people"
        THROTTLE = "throttle", "Slow down"
        DOWNGRADE = "downgrade", "Use cheaper models"
        SUMMARIZE = "summarize", "Shorten the inputs"
        HUMAN_REVIEW = "human_review", "Have a person review"
        REQUIRE_APPROVAL = "require_approval", "Ask an approver"
        BLOCK = "block", "Stop"

    class Pace(models.TextChoices):
        EVEN = "even", "Every day alike"
        WORKING_DAYS = "working_days", "Working days only"

    class Sharing(models.TextChoices):
        FIXED = "fixed", "By fixed share"
        DEMAND = "demand", "By value weight and recent use"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"  # still counted; says nothing and stops nothing
        ARCHIVED = "archived", "Archived"

    slug = models.CharField(max_length=128, unique=True, validators=[check_slug])
    name = models.CharField(max_length=128)
    scope = models.JSONField(default=dict, blank=True)
    metric = models.CharField(max_length=8, choices=Metric, default=Metric.MONEY)
    period = models.CharField(max_length=8, choices=Period, default=Period.MONTH)
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True, help_text="Last day, included.")
    amount = models.BigIntegerField()
    carry_over = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(1))],
        help_text="Share of the amount that an unspent rest may add to the next period, 0 to 1.",
    )
    thresholds = ArrayField(models.PositiveSmallIntegerField(), default=default_thresholds)
    on_exhausted = models.CharField(max_length=16, choices=Action, default=Action.ALERT)
    action_settings = models.JSONField(
        default=dict,
        blank=True,
        help_text='{"tier": 1} for downgrade, {"per_minute": 60} for throttle, {"hard": true} for block.',
    )
    pace = models.CharField(max_length=12, choices=Pace, default=Pace.EVEN)
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    limit_version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Grows when what is allowed or told changes: amount, scope, thresholds, …"
    )
    generation = models.PositiveIntegerField(default=0, editable=False)
    opened_generation = models.PositiveIntegerField(default=0, editable=False)
    opened_from = models.DateTimeField(null=True, editable=False, help_text="The series is complete from here on.")
    opened_at = models.DateTimeField(
        null=True, editable=False, help_text="When that was read. Periods that were over by then raise no alerts."
    )
    due_at = models.DateTimeField(
        default=timezone.now,
        null=True,
        editable=False,
        help_text="When evaluation must look at it next, charged or not: a period begins.",
    )
    edit_version = models.PositiveIntegerField(default=1, editable=False, help_text="Grows with every edit.")
    sharing = models.CharField(max_length=6, choices=Sharing, default="", blank=True, help_text="Set: this is a pool.")
    shares_nightly = models.BooleanField(default=False, help_text="Shared out anew each night, without being asked.")
    pool = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    pool_share = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="Share of the pool's amount, 0 to 1: what it gets where shares are fixed, else the least it gets.",
    )
    shared_on = models.DateField(null=True, blank=True, editable=False, help_text="Of a pool: its last nightly turn.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="budget_due")]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="budget_amount_positive"),
            models.CheckConstraint(condition=Q(sharing="") | Q(pool__isnull=True), name="budget_pool_has_no_pool"),
            models.CheckConstraint(
                condition=Q(pool_share__isnull=True) | Q(pool__isnull=False, pool_share__gte=0, pool_share__lte=1),
                name="budget_pool_share",
            ),
            models.CheckConstraint(condition=Q(carry_over__gte=0, carry_over__lte=1), name="budget_carry_over_share"),
            models.CheckConstraint(
                condition=~Q(period="fixed")
                | Q(starts_on__isnull=False, ends_on__isnull=False, ends_on__gte=F("starts_on")),
                name="budget_fixed_dates",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_hard(self) -> bool:
        """Whether callers must reserve its money before they call, so that many gateways together stay within it."""
        return bool(
            self.metric == self.Metric.MONEY
            and self.on_exhausted == self.Action.BLOCK
            and isinstance(self.action_settings, dict)
            and self.action_settings.get("hard")
        )


class BudgetCharge(models.Model):
    """What one ingest transaction spent of one budget in one quarter hour: appended there, folded by evaluation.

    Appended and never updated, so that writers do not wait for each other on a hot counter row.
    """

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="+", db_constraint=False)
    bucket = models.DateTimeField()
    amount = models.BigIntegerField()
    calls = models.BigIntegerField(default=0)


class BudgetSeries(models.Model):
    """Folded charges of one budget in one quarter hour (UTC)."""

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="series")
    bucket = models.DateTimeField()
    amount = models.BigIntegerField()
    calls = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["budget", "bucket"], name="budget_series_bucket")]


class BudgetState(models.Model):
    """Where a budget stands in one period. `spent` equals its series over the period; written only by evaluation."""

    class Status(models.TextChoices):
        UNDER = "under", "Under"
        WARNING = "warning", "Close to the limit"  # a threshold below 100 % is crossed
        EXHAUSTED = "exhausted", "Over"

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="states")
    period_start = models.DateField()
    period_end = models.DateField(help_text="Last day, included.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="First instant after the period.")
    limit = models.BigIntegerField(help_text="The amount with what was carried over.")
    spent = models.BigIntegerField(default=0)
    calls = models.BigIntegerField(default=0)
    crossed = models.PositiveSmallIntegerField(default=0, help_text="Highest threshold crossed, percent.")
    status = models.CharField(max_length=9, choices=Status, default=Status.UNDER)
    limit_version = models.PositiveIntegerField(default=1)
    projected = models.BigIntegerField(null=True, help_text="Written by reports: expected at the end of the period.")
    projected_most = models.BigIntegerField(null=True, help_text="Upper end of the likely range (80 %).")
    projected_at = models.DateTimeField(null=True, help_text="When that was forecast.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="budget_state_end")]  # few run, many are over
        constraints = [
            models.UniqueConstraint(fields=["budget", "period_start"], name="budget_state_period"),
            models.CheckConstraint(condition=Q(limit__gte=0), name="budget_state_limit"),
            models.CheckConstraint(
                condition=Q(projected=None, projected_most=None, projected_at=None)
                | Q(projected__isnull=False, projected_at__isnull=False),
                name="budget_state_projected",
            ),
        ]

    def as_dict(self) -> dict[str, Any]:
        """What the bundle and the API say of it, in the metric's unit."""
        return {"limit": self.limit, "spent": self.spent, "status": self.status, "crossed": self.crossed}
