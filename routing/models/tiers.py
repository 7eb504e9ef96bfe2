"""Tiers: ordered lists of models, cheap to premium."""

from django.db import models as fields
from django.db.models import Q


class Tier(fields.Model):
    """`models` is an ordered list of {"provider": …, "model": …}; the first is preferred."""

    number = fields.PositiveSmallIntegerField(unique=True)
    name = fields.CharField(max_length=64)
    models = fields.JSONField(default=list)
    needs_approval = fields.BooleanField(default=False)

    class Meta:
        ordering = ["number"]
        constraints = [fields.CheckConstraint(condition=Q(number__gte=1), name="tier_from_one")]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"
