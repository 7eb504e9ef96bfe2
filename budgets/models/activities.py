"""Planned activity: what explains more or less use than usual. Forecast and detection read it."""

from django.db import models
from django.db.models import F, Q, Value

from budgets.models.workflows import Team, Workflow


class PlannedActivity(models.Model):
    """A campaign, a launch, a batch night, a publishing date: from when to when, of which team and workflow.

    Without a team it concerns everybody. `recurrence` is an iCalendar RRULE ("FREQ=WEEKLY;BYDAY=FR"), counted in the
    organisation's time zone from `starts_at`, left out on `skipped_days` (ISO dates); empty: once. An all-day one
    begins and ends at midnights of that zone.
    `expects` says which way use will differ, `factor` by how much where somebody knows (2 = twice the usual).
    """

    class Kind(models.TextChoices):
        CAMPAIGN = "campaign", "Campaign"
        LAUNCH = "launch", "Launch"
        BATCH = "batch", "Batch night"
        PUBLISHING = "publishing", "Publishing date"
        PAUSE = "pause", "Planned quiet"
        OTHER = "other", "Other"

    class Expects(models.TextChoices):
        MORE = "more", "More use than usual"
        LESS = "less", "Less use than usual"
        NONE = "none", "No use at all"
        SAME = "same", "No difference"

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CAMPAIGN)
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+")
    workflow = models.ForeignKey(Workflow, models.PROTECT, null=True, blank=True, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="First instant after it.")
    is_all_day = models.BooleanField(default=True)
    recurrence = models.CharField(max_length=500, blank=True)
    skipped_days = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        help_text="Days on which it does not repeat.",
    )
    expects = models.CharField(max_length=4, choices=Expects, default=Expects.MORE)
    factor = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    note = models.CharField(max_length=500, blank=True)
    uid = models.CharField(max_length=255, blank=True, help_text="Its UID in the iCalendar file it came from.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "planned activities"
        ordering = ["starts_at", "name"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="activity_ends_after_it_starts"),
            models.CheckConstraint(condition=Q(factor__isnull=True) | Q(factor__gte=0), name="activity_factor"),
            models.UniqueConstraint(fields=["uid"], condition=~Q(uid=""), name="activity_uid_once"),
        ]

    def __str__(self) -> str:
        return self.name
