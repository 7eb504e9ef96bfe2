"""Forecasts as they were made: what was expected, and, once it is known, what came."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class OutlookRun(models.Model):
    """One making of all forecasts from the complete days before `made_for`; `done` of `total` subjects so far."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Being made"
        DONE = "done", "Made"
        FAILED = "failed", "Failed"

    made_for = models.DateField(help_text="The first day that is forecast: the organisation's today.")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0, help_text="Subjects beyond the most that one run forecasts.")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["made_for"], condition=Q(state__in=["waiting", "running"]), name="outlook_run_one_waits"
            )
        ]

    def __str__(self) -> str:
        return f"Forecasts of {self.made_for}"


class Outlook(models.Model):
    """One forecast of one subject: `steps` days or hours from `starts_at` on.

    `key` is a team's or workflow's short name, a budget's id, "" for the organisation. Each step is [expected, low 80,
    high 80, low 95, high 95] in the metric's unit (nano-dollars, tokens, calls). Where there are too few complete days
    `steps` is empty and `ready_on` says from when there will be enough.

    Of days: `landing` is what the period (`period_first` to `period_end`) comes to, the same five numbers, `spent` of
    it known before `made_for`; `runs_out` the days on which the limit is expected to be used up: [expected, earliest,
    latest] of the 80 % range, null where not within the period. `week` are five numbers for the first seven days.
    `week_came` and `landed` are filled once they are known.
    """

    class Kind(models.TextChoices):
        ORGANISATION = "organisation", "The organisation"
        TEAM = "team", "Team"
        WORKFLOW = "workflow", "Workflow"
        BUDGET = "budget", "Budget"

    class Grain(models.TextChoices):
        DAY = "day", "Days"
        HOUR = "hour", "Hours"

    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=128, blank=True)
    grain = models.CharField(max_length=4, choices=Grain)
    made_for = models.DateField()
    made_at = models.DateTimeField()
    starts_at = models.DateTimeField()
    metric = models.CharField(max_length=6, default="money")
    known = models.PositiveIntegerField(default=0, help_text="Complete days or hours that it rests on.")
    ready_on = models.DateField(null=True, blank=True)
    steps = models.JSONField(default=list)
    period_first = models.DateField(null=True, blank=True)
    period_end = models.DateField(null=True, blank=True)
    limit = models.BigIntegerField(null=True, blank=True)
    spent = models.BigIntegerField(default=0)
    landing = models.JSONField(default=list)
    runs_out = models.JSONField(default=list)
    week = models.JSONField(default=list)
    week_came = models.BigIntegerField(null=True, blank=True)
    landed = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-made_for", "kind", "key"]
        constraints = [models.UniqueConstraint(fields=["kind", "key", "grain", "made_for"], name="outlook_once_a_day")]
        indexes = [models.Index(fields=["made_for"], name="outlook_made_for")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.key} from {self.made_for}"
