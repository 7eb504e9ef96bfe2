"""What people must be told: one row for each crossing, whatever the number of workers."""

from django.db import models
from django.db.models import Q

from budgets.models.limits import Budget


class Alert(models.Model):
    """A crossing is identified by budget, period, threshold and limit version, so one after a top-up is told again."""

    class Kind(models.TextChoices):
        CROSSED = "crossed", "Threshold crossed"
        RESOLVED = "resolved", "Back under the threshold"

    kind = models.CharField(max_length=8, choices=Kind)
    budget = models.ForeignKey(Budget, models.CASCADE, related_name="alerts")
    period_start = models.DateField()
    threshold = models.PositiveSmallIntegerField()
    limit_version = models.PositiveIntegerField()
    spent = models.BigIntegerField()
    limit = models.BigIntegerField()
    raised_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-raised_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "period_start", "threshold", "limit_version"],
                condition=Q(kind="crossed"),
                name="alert_once_per_crossing",
            ),
            models.UniqueConstraint(
                fields=["budget", "period_start", "threshold", "limit_version"],
                condition=Q(kind="resolved"),
                name="alert_once_per_resolution",
            ),
        ]
