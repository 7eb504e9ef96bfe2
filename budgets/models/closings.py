"""What closed months are booked under: kept when their days are closed, since names and rates go on changing."""

from django.db import models
from django.db.models import F, Q


class Closing(models.Model):
    """What was known when days were closed; it holds for the months from `since` on (None: all) up to `before`.

    Both are first days of months. Of several that cover a month, as after its days were opened and closed again, the
    newest holds. `teams` and `workflows` have a row by id, as `budgets.organisation.closing` reads them; `rates` by
    month ("2026-10") what a dollar was in `currency` on its last day, and since when. A month without one has dollars.
    """

    closed_at = models.DateTimeField(auto_now_add=True)
    since = models.DateField(null=True)
    before = models.DateField()
    organisation = models.CharField(max_length=128)
    currency = models.CharField(max_length=3)
    rates = models.JSONField(default=dict)
    teams = models.JSONField(default=dict)
    workflows = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(since=None) | Q(since__lt=F("before")), name="closing_in_order"),
            models.CheckConstraint(
                condition=Q(before__day=1) & (Q(since=None) | Q(since__day=1)), name="closing_of_whole_months"
            ),
        ]

    def __str__(self) -> str:
        return f"closed before {self.before}"
