"""Teams and the workflows they own."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q, Value

SLUG = r"^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$"
UNASSIGNED = "unassigned"
check_slug = RegexValidator(SLUG, "Use small letters, digits, dots, dashes and underscores, at most 128 of them.")


class Team(models.Model):
    """A business unit or cost centre; owns workflows."""

    slug = models.CharField(max_length=128, unique=True, validators=[check_slug])
    name = models.CharField(max_length=128)
    cost_centre = models.CharField(max_length=64, blank=True)
    ledger_code = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class WorkflowQuerySet(models.QuerySet["Workflow"]):
    """Reading usage by workflow: what is merged into one counts as its own."""

    def counted_as(self, slug: str) -> "WorkflowQuerySet":
        """The rows under whose ids usage of this workflow stands: itself and its aliases; none for an alias."""
        return self.filter(Q(slug=slug, merged_into=None) | Q(merged_into__slug=slug))


class Workflow(models.Model):
    """A repeatable job that spends tokens. `slug` is what events name; it never changes.

    A merged one is an alias: events that name it count under `merged_into` (never itself merged), and what it spent
    before counts there too when read; the ledger is not rewritten.
    `cost_centre` and `ledger_code` go before those of its team. `stages` are those it goes through, in order.
    `guardrails` holds caps by name, and under "by_task_type" those that differ for a task type.
    """

    class Status(models.TextChoices):
        RESERVED = "reserved", "Reserved"  # only `unassigned`
        DISCOVERED = "discovered", "Discovered"  # made from an event; nobody claimed it yet
        DRAFT = "draft", "Draft"
        PRODUCTION = "production", "Production"
        IGNORED = "ignored", "Ignored"
        MERGED = "merged", "Merged into another"

    slug = models.CharField(max_length=128, unique=True, validators=[check_slug])
    name = models.CharField(max_length=128)
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="workflows")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    default_tier = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    value_weight = models.DecimalField(
        max_digits=4,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.5")), MaxValueValidator(Decimal(5))],
    )
    description = models.CharField(max_length=500, blank=True, db_default="")
    cost_centre = models.CharField(max_length=64, blank=True, db_default="")
    ledger_code = models.CharField(max_length=64, blank=True, db_default="")
    stages = models.JSONField(default=list, blank=True, db_default=Value([], models.JSONField()))
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="aliases")
    edit_version = models.PositiveIntegerField(
        default=1, db_default=1, editable=False, help_text="Grows with every edit."
    )
    risk_categories = models.JSONField(default=list, blank=True)
    guardrails = models.JSONField(default=dict, blank=True, help_text="Caps on one call or one run; see docs.")
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkflowQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(value_weight__gte=Decimal("0.5"), value_weight__lte=5), name="workflow_weight_in_range"
            ),
            models.CheckConstraint(
                condition=Q(status="merged", merged_into__isnull=False)
                | (~Q(status="merged") & Q(merged_into__isnull=True)),
                name="workflow_merged_somewhere",
            ),
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="workflow_not_merged_into_itself"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_claimed(self) -> bool:
        """Whether somebody answers for its spend."""
        return self.status in {self.Status.DRAFT, self.Status.PRODUCTION}
