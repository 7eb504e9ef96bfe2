"""The audit of one workflow: thirty days against a frozen baseline."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from budgets.models import Workflow


class WorkflowAudit(models.Model):
    """A workflow followed for thirty days. Days are the organisation's as they were when it began, in `zone`.

    `baseline`, `proposals` and `days` are those of `reports.workflow_audit.values`; the first two are frozen when it
    begins, the days when it ends. One at a time of a workflow.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped early"

    workflow = models.ForeignKey(Workflow, models.CASCADE, related_name="audits")
    state = models.CharField(max_length=7, choices=State, default=State.RUNNING)
    first_day = models.DateField()
    last_day = models.DateField(help_text="Included.")
    zone = models.CharField(max_length=64)
    goal = models.CharField(max_length=500, blank=True, help_text="What is to become better, in the starter's words.")
    baseline = models.JSONField()
    proposals = models.JSONField(default=list)
    days = models.JSONField(default=list)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    started_text = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField()
    followed_at = models.DateTimeField(null=True, help_text="When the days were last worked out.")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="audit_days_in_order"),
            models.CheckConstraint(
                condition=Q(state="running", ended_at=None) | (~Q(state="running") & Q(ended_at__isnull=False)),
                name="audit_ended_when_over",
            ),
            models.UniqueConstraint(
                fields=["workflow"], condition=Q(state="running"), name="audit_one_running_per_workflow"
            ),
        ]

    def __str__(self) -> str:
        return f"Audit of {self.workflow}, {self.first_day} to {self.last_day}"
