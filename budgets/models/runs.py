"""Single runs that somebody, or a rule, stopped."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from budgets.models.workflows import Workflow


class StoppedRunQuerySet(models.QuerySet["StoppedRun"]):
    """Reading stops."""

    def in_force(self, now: datetime) -> "StoppedRunQuerySet":
        return self.filter(ends_at__gt=now)


class StoppedRun(models.Model):
    """A run whose calls are blocked from `stopped_at` up to, not including, `ends_at`.

    One row for each run that was ever stopped: stopping it again states it anew, letting it go on ends it now. The
    history has each time. `finding` is the id of the unusual spend that it was stopped for, on a floor above.
    """

    workflow = models.ForeignKey(Workflow, models.PROTECT, related_name="+")
    run_id = models.CharField(max_length=128)
    reason = models.CharField(max_length=500, blank=True)
    finding = models.BigIntegerField(null=True, blank=True)
    stopped_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    objects = StoppedRunQuerySet.as_manager()

    class Meta:
        ordering = ["-stopped_at", "-pk"]
        indexes = [
            models.Index(fields=["ends_at"], name="stopped_run_ends"),
            models.Index(fields=["finding"], condition=Q(finding__isnull=False), name="stopped_run_for"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "run_id"], name="stopped_run_once"),
            models.CheckConstraint(condition=Q(ends_at__gte=F("stopped_at")), name="stopped_run_ends_later"),
            models.CheckConstraint(condition=~Q(run_id=""), name="stopped_run_named"),
        ]

    def __str__(self) -> str:
        return self.run_id

    def is_in_force(self, now: datetime) -> bool:
        return now < self.ends_at
