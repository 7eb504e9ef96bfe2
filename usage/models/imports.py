"""Imports: a file, how its columns are read, what was wrong with it, and what it brought."""

from django.conf import settings
from django.db import models


class Import(models.Model):
    """One uploaded file on its way: its columns are mapped, it is checked (dry run), carried out, and may be undone.

    `errors` are the first thousand of {"line", "column", "value", "problem"}; `summary` is what the check found it
    would bring, as label → value pairs for a reader. Lines count from 1, the header being line 1.
    """

    class Status(models.TextChoices):
        MAPPING = "mapping", "Columns to choose"
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Being imported"
        DONE = "done", "Imported"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"
        FAILED = "failed", "Failed"
        DISCARDED = "discarded", "Discarded"

    kind = models.CharField(max_length=32)
    status = models.CharField(max_length=9, choices=Status, default=Status.MAPPING)
    file_name = models.CharField(max_length=255)
    file = models.BinaryField(help_text="As uploaded, compressed with zlib; emptied when it is of no more use.")
    file_digest = models.BinaryField(max_length=32)
    header = models.JSONField(default=list)
    mapping = models.JSONField(default=dict, help_text="Field → column of the file.")
    options = models.JSONField(default=dict)
    rows = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    good = models.PositiveIntegerField(default=0)
    bad = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0, help_text="There already.")
    errors = models.JSONField(default=list)
    summary = models.JSONField(default=list)
    problem = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    requested_by_text = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(status__in=["checking", "running", "undoing"]), name="import_at_work"
            )
        ]

    def __str__(self) -> str:
        return self.file_name


class ImportedObject(models.Model):
    """What an import brought: ingest batches of the ledger, or rows of other tables; what its undo goes by."""

    imported_by = models.ForeignKey(Import, models.CASCADE, related_name="objects_made")
    object_type = models.CharField(max_length=64)
    object_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["imported_by", "object_type", "object_id"], name="imported_object_once")
        ]
