"""What levers would have saved on past calls: worked out by a worker each night, and on demand."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class SavingsRun(models.Model):
    """The levers tried on the calls of thirty complete days, by a worker; `routing.replay.claim` says how it is held.

    `result` is a `reports.savings.result.Result`, `basis` the sums that what-if is worked out from
    (`reports.what_if.basis`), once it is done. Days are the organisation's, in `zone`.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    first_day = models.DateField()
    last_day = models.DateField(help_text="Included.")
    zone = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="Not included.")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    calls = models.PositiveBigIntegerField(null=True, help_text="How many there are in the window.")
    taken = models.PositiveBigIntegerField(null=True, help_text="How many of them are looked at: fewer is a sample.")
    done = models.PositiveBigIntegerField(default=0)
    result = models.JSONField(null=True)
    basis = models.JSONField(null=True)
    problem = models.CharField(max_length=500, blank=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="savings_window"),
            # Two people who ask at once have the same one.
            models.UniqueConstraint(
                fields=["last_day"], condition=Q(state__in=["waiting", "running"]), name="savings_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"Savings of {self.first_day} to {self.last_day}"
