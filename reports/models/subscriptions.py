"""Reports that come to people: who gets which view, when, and where."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from budgets.models import Channel
from reports.models.views import SavedView


class Subscription(models.Model):
    """A report of one view (None: everything its owner sees), once a week or once a month.

    It leaves when clocks in `time_zone`, its reader's, show `hour`: weekly on `weekday` (1 is Monday), monthly on the
    first. To its owner's e-mail address, or to `channel`. `sent_for` is the newest day that it was made for: a day's
    report is made once. Figures are those that its owner may see when it is made.
    """

    class Cadence(models.TextChoices):
        WEEKLY = "weekly", "Every week"
        MONTHLY = "monthly", "Every month"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    view = models.ForeignKey(SavedView, models.CASCADE, null=True, blank=True, related_name="+")
    channel = models.ForeignKey(Channel, models.CASCADE, null=True, blank=True, related_name="+")
    cadence = models.CharField(max_length=7, choices=Cadence)
    weekday = models.PositiveSmallIntegerField(default=1)
    hour = models.PositiveSmallIntegerField(default=8)
    time_zone = models.CharField(max_length=64)
    sent_for = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                F("owner"),
                Coalesce("view", Value(0)),
                Coalesce("channel", Value(0)),
                F("cadence"),
                condition=Q(stopped_at=None),
                name="subscription_once",
            ),
            models.CheckConstraint(
                condition=Q(weekday__gte=1, weekday__lte=7, hour__gte=0, hour__lte=23), name="subscription_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.view.name if self.view else 'Everything'}, {self.get_cadence_display().lower()}"
