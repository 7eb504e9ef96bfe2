"""Imports: a file, how its columns are read, what was wrong with it, and what it brought."""

from django.conf import settings
from django.db import models


class Import(models.Model):
    """One uploaded file on its way: its columns are mapped, it is checked (dry run), carried out, and may be undone.

    `options` are how the file is written (encoding, delimiter, decimal comma, order of a date's parts, time zone of
    times without one) and what its kind asks. `summary` is what the check found it would bring, as (label, value) for
    a reader. `rows_done` counts the file's lines that the work at hand has dealt with. What was wrong with lines is in
    `problems`. `attempts` grows whenever a worker begins, and starts anew with every step forward.
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
    rows = models.PositiveIntegerField(default=0, help_text="Lines of the file, the header not among them.")
    rows_done = models.PositiveIntegerField(default=0)
    good = models.PositiveIntegerField(default=0)
    bad = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0, help_text="There already.")
    left_out = models.PositiveIntegerField(default=0, help_text="Lines that hold nothing to import.")
    undo_rows = models.PositiveIntegerField(default=0, help_text="How much its undo has to take back.")
    undo_done = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
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


class ImportProblem(models.Model):
    """What is wrong with one line. Lines count from 1, the header being line 1, as an editor shows them."""

    import_run = models.ForeignKey(Import, models.CASCADE, related_name="problems")
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=200, blank=True, help_text="As the file names it; empty: the whole line.")
    value = models.CharField(max_length=200, blank=True)
    sentence = models.CharField(max_length=500)

    class Meta:
        ordering = ["line", "id"]
        indexes = [models.Index(fields=["import_run", "line"], name="import_problem_lines")]

    def __str__(self) -> str:
        return f"Line {self.line}: {self.sentence}"


class ImportedObject(models.Model):
    """What an import brought: ingest batches of the ledger, or rows of other tables; what its undo goes by."""

    imported_by = models.ForeignKey(Import, models.CASCADE, related_name="objects_made")
    object_type = models.CharField(max_length=64)
    object_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["imported_by", "object_type", "object_id"], name="imported_object_once")
        ]
