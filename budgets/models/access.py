"""Senders and the keys they show."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from budgets.models.workflows import check_slug


class Source(models.Model):
    """A sender of usage. Its id is immutable; keys belong to it and may be replaced without changing it."""

    slug = models.CharField(max_length=128, unique=True, validators=[check_slug])
    name = models.CharField(max_length=128)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class ApiKey(models.Model):
    """A bearer key, kept as a SHA-256 only (256 random bits need no slow hash), shown once when it is made."""

    class Scope(models.TextChoices):
        INGEST = "ingest", "Send usage"
        BUNDLE = "bundle", "Pull the policy bundle"
        READ = "read", "Read figures"
        ADMIN = "admin", "Change settings"

    name = models.CharField(max_length=128)
    source = models.ForeignKey(Source, models.PROTECT, related_name="keys")
    sources = models.ManyToManyField(
        Source, blank=True, related_name="+", help_text="Other sources that events sent with this key may name."
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

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
