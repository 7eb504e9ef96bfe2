"""Read a TokenOps policy bundle: verify it, keep it, ask it. No Django."""

from tokenops_sdk.bundle import SCHEMA, Bundle, renew, verify
from tokenops_sdk.refusals import (
    BundleRefused,
    NotFresh,
    OlderRevision,
    UnknownKey,
    UnknownSchema,
    WrongAudience,
    WrongSignature,
)

__all__ = [
    "SCHEMA",
    "Bundle",
    "BundleRefused",
    "NotFresh",
    "OlderRevision",
    "UnknownKey",
    "UnknownSchema",
    "WrongAudience",
    "WrongSignature",
    "renew",
    "verify",
]
