"""Published bundles, and the keys that sign them."""

from django.db import models
from django.db.models import Q


class SigningKey(models.Model):
    """An Ed25519 key. The private half is encrypted with a key derived from SECRET_KEY; the public one is served."""

    kid = models.CharField(max_length=64, unique=True)
    public = models.JSONField(help_text="Public JWK.")
    sealed_private = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    active = models.BooleanField(default=True)
    retired_at = models.DateTimeField(null=True, blank=True, help_text="Signs no more; still served for a while.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["active"], condition=Q(active=True), name="one_active_signing_key")
        ]

    def __str__(self) -> str:
        return self.kid


class BundleEpoch(models.Model):
    """One row. The epoch changes when a backup is restored, so that (epoch, revision) stays monotonic."""

    epoch = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="epoch_is_one_row")]

    def __str__(self) -> str:
        return str(self.epoch)


class PolicyBundle(models.Model):
    """The compiled bytes and their detached signature under (epoch, revision)."""

    epoch = models.PositiveIntegerField()
    revision = models.PositiveBigIntegerField()
    content_digest = models.CharField(max_length=64, help_text="SHA-256 of what the bundle says, revision left out.")
    etag = models.CharField(max_length=80)
    body = models.BinaryField()
    signature = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["epoch", "revision"], name="bundle_revision")]

    def __str__(self) -> str:
        return f"{self.epoch}:{self.revision}"
