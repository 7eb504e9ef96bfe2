"""Slices of a hard limit that callers reserve before they spend: money of a budget, calls a minute, tokens a day."""

from django.db import models
from django.db.models import F, Q

from budgets.models.access import ApiKey
from budgets.models.limits import Budget
from budgets.models.workflows import Workflow


class Lease(models.Model):
    """`amount` of one limit, reserved for one caller: nano-dollars, calls or tokens as `kind` says.

    `money`: of `budget`'s period that holds `starts_at`. `calls`: of `workflow`'s limit a minute; `tokens`: of its day
    in `environment`. While it runs all of it is reserved; what its calls were charged (`spent`, and `LeaseCharge` rows
    not folded yet) is charged to the limit instead. Released, the `used` that the caller states stays reserved until
    the events that say so are there, at most until `held_until`.
    """

    class Kind(models.TextChoices):
        MONEY = "money", "Money"
        CALLS = "calls", "Calls"
        TOKENS = "tokens", "Tokens"

    key = models.CharField(max_length=64, unique=True, help_text="Sent with each call as lease_id.")
    kind = models.CharField(max_length=6, choices=Kind)
    budget = models.ForeignKey(Budget, models.CASCADE, null=True, related_name="+")
    workflow = models.ForeignKey(Workflow, models.CASCADE, null=True, related_name="+")
    environment = models.CharField(max_length=64, blank=True)
    window_start = models.DateTimeField(help_text="Of the limit: the period, the minute, the day.")
    window_end = models.DateTimeField()
    amount = models.BigIntegerField()
    spent = models.BigIntegerField(default=0, help_text="Folded charges of its calls.")
    used = models.BigIntegerField(null=True, help_text="What the caller said at release.")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="+")
    client = models.CharField(max_length=128, blank=True)
    starts_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    held_until = models.DateTimeField(help_text="Reserves nothing from then on.")

    class Meta:
        ordering = ["-starts_at", "-pk"]
        indexes = [
            models.Index(fields=["budget", "held_until"], name="lease_of_budget"),
            models.Index(fields=["workflow", "kind", "held_until"], name="lease_of_workflow"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="lease_amount"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("starts_at")), name="lease_expires_later"),
            models.CheckConstraint(
                condition=Q(kind="money", budget__isnull=False, workflow=None)
                | (~Q(kind="money") & Q(budget=None, workflow__isnull=False)),
                name="lease_subject",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class LeaseCharge(models.Model):
    """What one batch spent under a lease, appended in the ingest transaction; folded and deleted later."""

    lease = models.ForeignKey(Lease, models.CASCADE, related_name="charges")
    cost = models.BigIntegerField(help_text="Nano-dollars.")
    tokens = models.BigIntegerField()
    calls = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.lease_id}: {self.cost}"
