"""Other AI costs: what is paid beside metered calls."""

from django.db import models
from django.db.models import F, Q

from budgets.models import Team, Workflow


class OtherCost(models.Model):
    """Seats, a subscription, credits, tax: an amount for the days from `first_day` to `last_day`, both included.

    `amount` is in billionths of `currency`, negative for a credit; `cost` the same in nano-dollars at the rate of
    `first_day`. It counts evenly over its days. Shown beside metered spend, never mixed into the ledger.
    """

    class Kind(models.TextChoices):
        SEATS = "seats", "Seats"
        SUBSCRIPTION = "subscription", "Subscription"
        CREDIT = "credit", "Credit"
        TAX = "tax", "Tax"
        OTHER = "other", "Other"

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.SUBSCRIPTION)
    vendor = models.CharField(max_length=128, blank=True)
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+")
    workflow = models.ForeignKey(Workflow, models.PROTECT, null=True, blank=True, related_name="+")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="USD")
    cost = models.BigIntegerField()
    first_day = models.DateField()
    last_day = models.DateField()
    reference = models.CharField(max_length=128, blank=True, help_text="Invoice number or the like.")
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, blank=True, help_text="Taken out; kept for the history.")

    class Meta:
        ordering = ["-first_day", "name"]
        constraints = [
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="other_cost_days_in_order"),
            models.CheckConstraint(
                condition=Q(kind="credit", amount__lt=0) | (~Q(kind="credit") & Q(amount__gt=0)),
                name="other_cost_credit_is_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.name
