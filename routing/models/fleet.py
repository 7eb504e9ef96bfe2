"""Who enforces the policy, and which revision each runs."""

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, When
from django.db.models.functions import Greatest

from budgets.models import ApiKey
from routing.models.bundle import PolicyBundle

SETTLING = timedelta(seconds=30)  # in which a new revision reaches a client, and its word of it comes back


class FleetClientQuerySet(models.QuerySet["FleetClient"]):
    """Clients against the bundles that are kept."""

    def with_behind(self) -> models.QuerySet[Any]:
        """`behind_at`: since when a newer bundle than theirs is there; null: none is.

        That is when the next one was made, or when they came to theirs, whichever is later. Bundles are kept for a
        while only: where the next is gone, it was made soon after they came to theirs. Who obeys none yet is measured
        from its first word.
        """
        newer = PolicyBundle.objects.filter(
            Q(epoch__gt=OuterRef("epoch")) | Q(epoch=OuterRef("epoch"), revision__gt=OuterRef("revision"))
        ).order_by("epoch", "revision")
        return self.annotate(
            next_at=Subquery(newer.values("created_at")[:1]), next_revision=Subquery(newer.values("revision")[:1])
        ).annotate(
            behind_at=Case(
                When(Q(revision=None) & Exists(PolicyBundle.objects.all()), then=F("since")),
                When(next_revision=F("revision") + 1, then=Greatest(F("next_at"), F("since"))),
                When(next_revision__isnull=False, then=F("since")),
                default=None,
                output_field=models.DateTimeField(null=True),
            )
        )

    def late(self) -> models.QuerySet[Any]:
        """Those that still spoke of an older bundle when a newer one had long been there."""
        return self.with_behind().filter(behind_at__lte=F("seen_at") - SETTLING)


class FleetClient(models.Model):
    """What one client last said of the bundle it runs. `epoch` and `revision` are those it obeys."""

    class Answer(models.TextChoices):
        ACK = "ack", "Obeys it"
        NACK = "nack", "Refused it"

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="+")
    client = models.CharField(max_length=128, help_text="The name that the client gives itself, one for each process.")
    software = models.CharField(max_length=128, blank=True)
    epoch = models.PositiveIntegerField(null=True)
    revision = models.PositiveBigIntegerField(null=True)
    since = models.DateTimeField(help_text="When it first said that it runs this revision.")
    answer = models.CharField(max_length=4, choices=Answer)
    refused_epoch = models.PositiveIntegerField(null=True)
    refused_revision = models.PositiveBigIntegerField(null=True)
    error = models.CharField(max_length=500, blank=True)
    error_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()

    objects = FleetClientQuerySet.as_manager()

    class Meta:
        ordering = ["-seen_at"]
        constraints = [models.UniqueConstraint(fields=["key", "client"], name="fleet_client_once")]

    def __str__(self) -> str:
        return self.client
