"""Tiers: ordered lists of models, cheap to premium, as the policy in force has them."""

from django.db import models as fields
from django.db.models import Q


class Tier(fields.Model):
    """Written when a policy is published, never by itself, so that floors below and queries need no document.

    `models` is an ordered list of {"provider": …, "model": …}, maybe with latency_ms and quality; the first is
    preferred.
    """

    number = fields.PositiveSmallIntegerField(unique=True)
    name = fields.CharField(max_length=64)
    models = fields.JSONField(default=list)
    needs_approval = fields.BooleanField(default=False)
    review_note = fields.CharField(max_length=500, blank=True, db_default="")

    class Meta:
        ordering = ["number"]
        constraints = [fields.CheckConstraint(condition=Q(number__gte=1), name="tier_from_one")]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"
