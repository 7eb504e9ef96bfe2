"""Who changed what, when, from where, before and after."""

from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """Append-only: the application never updates or deletes a row, and a trigger refuses it.

    The same trigger chains the rows: `position` counts them without gaps, and `digest` (SHA-256) covers the row and the
    digest before it. See `budgets.audit.chain`.
    """

    class Origin(models.TextChoices):
        WEB = "web", "Browser"
        API = "api", "API"
        JOB = "job", "TokenOps itself"
        COMMAND = "command", "Command line"

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    who = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    who_text = models.CharField(max_length=150)
    origin = models.CharField(max_length=8, choices=Origin)
    act = models.CharField(max_length=64, help_text="created, changed, paused, …")
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=128)
    object_name = models.CharField(max_length=200)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    position = models.BigIntegerField(null=True, editable=False)
    digest = models.BinaryField(max_length=32, null=True, editable=False)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["object_type", "object_id"])]
        constraints = [models.UniqueConstraint(fields=["position"], name="audit_position_once")]
