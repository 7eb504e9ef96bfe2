"""What arrived from each source, quarter hour by quarter hour."""

from django.db import models


class SourceHour(models.Model):
    """Events of one source taken in the quarter hour (UTC) from `hour` on; summed by folding, from ingest batches.

    Older rows hold a whole hour each; making rollups anew divides them.
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
