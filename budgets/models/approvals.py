"""Requests that somebody must decide, who decides them, and what an approved one allows."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from budgets.models.access import ApiKey
from budgets.models.limits import Budget
from budgets.models.people import Role
from budgets.models.workflows import Team, Workflow


class ApprovalRule(models.Model):
    """Who decides which requests. The first in order of `position` that fits decides; one without conditions fits all.

    `above` is in nano-dollars and compared with a request's extra cost (inclusive: exactly that much fits).
    """

    position = models.PositiveIntegerField(help_text="The lowest that fits is used.")
    name = models.CharField(max_length=128)
    kinds = ArrayField(models.CharField(max_length=8), default=list, blank=True, help_text="Empty: every kind.")
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+")
    risk_category = models.CharField(max_length=64, blank=True)
    above = models.BigIntegerField(null=True, blank=True, validators=[MinValueValidator(0)])
    role = models.CharField(max_length=16, choices=Role, default=Role.APPROVER, help_text="Who of the team decides.")
    people = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="+", help_text="If any are named, only they decide."
    )
    approvers_needed = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(2)]
    )
    second_after_hours = models.PositiveSmallIntegerField(
        default=8, help_text="When the others who may decide are asked, if the first is silent."
    )
    remind_before_hours = models.PositiveSmallIntegerField(default=12, help_text="Before it lapses.")
    lapses_after_hours = models.PositiveSmallIntegerField(default=72, validators=[MinValueValidator(1)])
    archived_at = models.DateTimeField(null=True, blank=True)
    edit_version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(approvers_needed__in=[1, 2]), name="approval_rule_one_or_two"),
            models.CheckConstraint(condition=Q(above=None) | Q(above__gte=0), name="approval_rule_above"),
            models.CheckConstraint(condition=Q(lapses_after_hours__gte=1), name="approval_rule_lapses"),
        ]

    def __str__(self) -> str:
        return self.name


class ApprovalRequest(models.Model):
    """Somebody asks for more than the limits allow. One decision wins; the row says whose.

    `premium`: a tier for a workflow, or for one run or one user of it. `budget`: a bigger amount. `policy`: a
    draft of the floor above, by its number there and its title then. `facts` are what the
    asker's floor computed when it was asked (`budgets.approvals.facts.Facts`), frozen. Money is in nano-dollars.
    """

    class Kind(models.TextChoices):
        PREMIUM = "premium", "Premium models"
        BUDGET = "budget", "A bigger budget"
        POLICY = "policy", "A policy to publish"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        APPROVED = "approved", "Approved"
        DECLINED = "declined", "Declined"
        LAPSED = "lapsed", "Lapsed"
        WITHDRAWN = "withdrawn", "Withdrawn"
        UNDONE = "undone", "Approved, then undone"

    kind = models.CharField(max_length=8, choices=Kind)
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    workflow = models.ForeignKey(Workflow, models.PROTECT, null=True, blank=True, related_name="+")
    run_id = models.CharField(max_length=128, blank=True, help_text="Only this run; empty: every run.")
    subject_user = models.CharField(max_length=128, blank=True, help_text="Only calls of this user; empty: of all.")
    tier = models.PositiveSmallIntegerField(null=True, blank=True)
    budget = models.ForeignKey(Budget, models.PROTECT, null=True, blank=True, related_name="+")
    amount = models.BigIntegerField(null=True, blank=True, help_text="The budget's new amount, in its metric.")
    policy = models.PositiveBigIntegerField(null=True, blank=True, help_text="The draft's key in routing.")
    policy_title = models.CharField(max_length=128, blank=True, db_default="")
    runs = models.PositiveIntegerField(null=True, blank=True, help_text="How many runs it is for, at most.")
    ceiling = models.BigIntegerField(null=True, blank=True, help_text="Most that may be spent, nano-dollars.")
    wanted_until = models.DateTimeField(null=True, blank=True, help_text="How long an allowance is wanted.")
    reason = models.CharField(max_length=1000)
    facts = models.JSONField(default=dict)
    extra_cost = models.BigIntegerField(null=True, blank=True, help_text="Nano-dollars; null: not known.")
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+")
    risk_categories = models.JSONField(default=list, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    requested_text = models.CharField(max_length=150)
    origin = models.CharField(max_length=8, help_text="As in the history: web, api, slack, …")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, blank=True, related_name="+")
    idempotency_key = models.CharField(max_length=128, blank=True)
    idempotency_digest = models.BinaryField(max_length=32, null=True)
    rule = models.ForeignKey(ApprovalRule, models.SET_NULL, null=True, related_name="+")
    approvers_needed = models.PositiveSmallIntegerField(default=1)
    first_asked = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    lapses_at = models.DateTimeField()
    second_at = models.DateTimeField(null=True, help_text="When the others are asked; null once they were.")
    remind_at = models.DateTimeField(null=True, help_text="When the reminder goes out; null once it did.")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    decided_text = models.CharField(max_length=150, blank=True)
    decided_origin = models.CharField(max_length=8, blank=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    before = models.JSONField(
        null=True, help_text="The budget as it was when this was asked, and the row of history of its raise."
    )

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "lapses_at"], name="approval_request_state"),
            models.Index(fields=["second_at"], condition=Q(state="waiting"), name="approval_request_second"),
            models.Index(fields=["remind_at"], condition=Q(state="waiting"), name="approval_request_remind"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["requested_text", "api_key", "idempotency_key"],
                nulls_distinct=False,
                condition=~Q(idempotency_key=""),
                name="approval_request_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="premium", workflow__isnull=False, tier__isnull=False, budget__isnull=True)
                | Q(kind="budget", budget__isnull=False, amount__gt=0)
                | Q(kind="policy", policy__isnull=False, workflow=None, budget=None),
                name="approval_request_subject",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at=None) | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="approval_request_decided",
            ),
            models.CheckConstraint(condition=Q(ceiling=None) | Q(ceiling__gt=0), name="approval_request_ceiling"),
        ]

    def __str__(self) -> str:
        if self.kind == self.Kind.POLICY:
            return f"The policy “{self.policy_title}”"
        return f"{self.get_kind_display()} for {self.budget if self.kind == self.Kind.BUDGET else self.workflow}"


class ApprovalVote(models.Model):
    """One approver's word on a request; a request may need two of them."""

    request = models.ForeignKey(ApprovalRequest, models.CASCADE, related_name="votes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    approves = models.BooleanField()
    origin = models.CharField(max_length=8)
    reason = models.CharField(max_length=500, blank=True)
    ceiling = models.BigIntegerField(null=True, blank=True, help_text="Nano-dollars that they allow at most.")
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint(fields=["request", "user"], name="approval_vote_once")]

    def __str__(self) -> str:
        return f"{self.user}: {'approve' if self.approves else 'decline'}"


class Grant(models.Model):
    """What an approved request allows: a tier, for a scope, up to a ceiling of money and runs, until it expires.

    `key` is what gateways send as `grant_id`. `spent` (nano-dollars), `calls` and `runs` are folded from its charges.
    `scope` is like a budget's, of the dimensions workflow, run and user.
    """

    class End(models.TextChoices):
        CEILING = "ceiling", "Used up"
        EXPIRED = "expired", "Expired"
        UNDONE = "undone", "Undone"

    key = models.CharField(max_length=40, unique=True)
    request = models.OneToOneField(ApprovalRequest, models.PROTECT, related_name="grant")
    workflow = models.ForeignKey(Workflow, models.PROTECT, related_name="+")
    scope = models.JSONField()
    tier = models.PositiveSmallIntegerField()
    ceiling = models.BigIntegerField(null=True, blank=True)
    ceiling_runs = models.PositiveIntegerField(null=True, blank=True)
    starts_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    spent = models.BigIntegerField(default=0)
    calls = models.PositiveBigIntegerField(default=0)
    runs = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    end = models.CharField(max_length=8, choices=End, blank=True)

    class Meta:
        ordering = ["-starts_at", "-pk"]
        indexes = [models.Index(fields=["expires_at"], condition=Q(ended_at=None), name="grant_running")]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("starts_at")), name="grant_ends_later"),
            models.CheckConstraint(
                condition=Q(ended_at=None, end="") | (Q(ended_at__isnull=False) & ~Q(end="")), name="grant_end"
            ),
            models.CheckConstraint(condition=Q(ceiling=None) | Q(ceiling__gt=0), name="grant_ceiling"),
        ]

    def __str__(self) -> str:
        return self.key


class GrantCharge(models.Model):
    """What one batch spent on a grant in one run, appended in the ingest transaction; folded and deleted later."""

    grant = models.ForeignKey(Grant, models.CASCADE, related_name="charges")
    run_id = models.TextField(null=True)
    cost = models.BigIntegerField()
    calls = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.grant_id}: {self.cost}"


class GrantRun(models.Model):
    """A run that used a grant: how its runs are counted once each."""

    grant = models.ForeignKey(Grant, models.CASCADE, related_name="+")
    run_id = models.TextField()
    calls = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["grant", "run_id"], name="grant_run_once")]

    def __str__(self) -> str:
        return self.run_id
