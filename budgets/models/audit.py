"""Who changed what, when, from where, before and after."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q

# What the search of the history looks into; the index is on the same expression.
WORDS = SearchVector("who_text", "object_name", "object_id", "reason", config="simple")


class AuditEntry(models.Model):
    """Append-only: the application never updates or deletes a row, and a trigger refuses it.

    The same trigger chains the rows: `position` counts them without gaps, and `digest` (SHA-256) covers the row and the
    digest before it. See `budgets.audit.chain`.
    """

    class Origin(models.TextChoices):
        WEB = "web", "Browser"
        API = "api", "API"
        SLACK = "slack", "Slack"
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
    # Both are set by the trigger, whatever is sent.
    position = models.BigIntegerField(editable=False)
    digest = models.BinaryField(max_length=32, editable=False)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["-position"]
        indexes = [
            models.Index(fields=["object_type", "object_id", "position"], name="audit_by_object"),
            models.Index(fields=["object_type", "position"], name="audit_by_type"),
            models.Index(fields=["who_text", "position"], name="audit_by_who"),
            models.Index(fields=["act", "position"], name="audit_by_act"),
            models.Index(fields=["origin", "position"], name="audit_by_origin"),
            GinIndex(WORDS, name="audit_by_words"),
        ]
        constraints = [models.UniqueConstraint(fields=["position"], name="audit_position_once")]


class HistoryCheck(models.Model):
    """One row: how far the chain is proven, and what was found wrong with it. Written by `budgets.audit.checking`."""

    id = models.SmallAutoField(primary_key=True)
    position = models.BigIntegerField(default=0, help_text="Proven from the first row up to this one.")
    digest = models.BinaryField(max_length=32, default=bytes(32))
    again_position = models.BigIntegerField(default=0, help_text="How far the next round has come.")
    again_digest = models.BinaryField(max_length=32, default=bytes(32))
    checked_at = models.DateTimeField(null=True)
    round_at = models.DateTimeField(null=True, help_text="When all rows were last proven anew.")
    problem = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="history_check_is_one_row")]
