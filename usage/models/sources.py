"""What arrived from each source, hour by hour."""

from django.db import models


class SourceHour(models.Model):
    """Events of one source taken in one hour (UTC) of arrival; summed by folding, from ingest batches.

    `late` of them were made more than a day before they arrived, `elsewhere` count in another period than their own
    since that is closed.
    """

    source_id = models.IntegerField()
    hour = models.DateTimeField()
    events = models.BigIntegerField(default=0)
    late = models.BigIntegerField(default=0)
    elsewhere = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source_id", "hour"], name="source_hour_once")]
