"""The keys that sign what Open Policy Agents fetch."""

from django.db import models

from routing.models.bundle import SigningKey


class OpaSigningKey(models.Model):
    """A P-256 key beside an Ed25519 one, which it is published, rotated and retired with.

    OPA verifies its bundles by ECDSA, RSA or a shared secret; EdDSA is not among them.
    """

    beside = models.OneToOneField(SigningKey, models.CASCADE, related_name="opa")
    kid = models.CharField(max_length=64, unique=True)
    public = models.JSONField(help_text="Public JWK.")
    sealed_private = models.BinaryField()

    def __str__(self) -> str:
        return self.kid
