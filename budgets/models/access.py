"""Senders and the keys they show."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Value, When

from budgets.models.workflows import Team, check_slug


class Source(models.Model):
    """A sender of usage. Its id is immutable; keys belong to it and may be replaced without changing it."""

    slug = models.CharField(max_length=128, unique=True, validators=[check_slug])
    name = models.CharField(max_length=128)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


EXPIRING = timedelta(days=14)  # how long before its end a key is said to expire


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Keys with where they stand."""

    def with_state(self, now: datetime) -> "ApiKeyQuerySet":
        """Annotates `state` (a value of `ApiKey.State`), so that lists filter and count by it in the database."""
        newer = ApiKey.objects.filter(replaces=OuterRef("pk"))
        state = ApiKey.State
        whens: Any = (
            When(revoked_at__isnull=False, then=Value(state.REVOKED)),
            When(expires_at__lte=now, then=Value(state.EXPIRED)),
            When(Exists(newer), then=Value(state.ROTATING)),
            When(expires_at__lte=now + EXPIRING, then=Value(state.EXPIRING)),
        )
        return self.annotate(
            state=Case(*whens, default=Value(state.ACTIVE), output_field=models.CharField(max_length=8))
        )

    def in_state(self, state: str) -> "ApiKeyQuerySet":
        """Those of `with_state` that stand so."""
        return self.filter(Q(state=state))

    def in_force(self, now: datetime) -> "ApiKeyQuerySet":
        """Keys that are taken now."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


class ApiKey(models.Model):
    """A bearer key, kept as a SHA-256 only (256 random bits need no slow hash), shown once when it is made."""

    class Scope(models.TextChoices):
        INGEST = "ingest", "Send usage"
        BUNDLE = "bundle", "Pull the policy bundle"
        READ = "read", "Read figures"
        REQUEST = "request", "Ask for approval"
        ADMIN = "admin", "Change settings"

    class State(models.TextChoices):
        """Where a key stands; made from its dates by `ApiKeyQuerySet.with_state`."""

        ACTIVE = "active", "Active"
        EXPIRING = "expiring", "Expires soon"
        ROTATING = "rotating", "Being replaced"
        EXPIRED = "expired", "Expired"
        REVOKED = "revoked", "Revoked"

    name = models.CharField(max_length=128)
    source = models.ForeignKey(Source, models.PROTECT, related_name="keys")
    sources = models.ManyToManyField(
        Source, blank=True, related_name="+", help_text="Other sources that events sent with this key may name."
    )
    teams = models.ManyToManyField(
        Team, blank=True, related_name="+", help_text="It reads and changes only what is theirs; empty: everything."
    )
    prefix = models.CharField(max_length=16, help_text="The key's first characters, to recognise it.")
    digest = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    replaces = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replaced_by", help_text="Rotated from this key."
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
