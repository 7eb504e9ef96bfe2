"""The annual plan: what each team means to spend in each month."""

from django.db import models
from django.db.models import Q

from budgets.models.workflows import Team


class PlanLine(models.Model):
    """An amount in nano-dollars for a team and a calendar month; without a team, for what no team's line covers."""

    month = models.DateField(help_text="Its first day.")
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+")
    amount = models.BigIntegerField()
    note = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["month", "team__name"]
        constraints = [
            models.UniqueConstraint(fields=["month", "team"], name="plan_line_once"),
            models.UniqueConstraint(fields=["month"], condition=Q(team=None), name="plan_line_without_team_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="plan_amount_not_negative"),
            models.CheckConstraint(condition=Q(month__day=1), name="plan_month_begins"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%B %Y}, {self.team or 'no team'}"
