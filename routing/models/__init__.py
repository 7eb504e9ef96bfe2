"""The tables of this floor."""

from routing.models.bundle import BundleEpoch, PolicyBundle, SigningKey
from routing.models.fleet import FleetClient
from routing.models.opa import OpaSigningKey
from routing.models.policy import ModelMeasure, PolicyReplay, PolicyVersion
from routing.models.snippets import Snippet, SnippetVersion
from routing.models.tiers import Tier

__all__ = [
    "BundleEpoch",
    "FleetClient",
    "ModelMeasure",
    "OpaSigningKey",
    "PolicyBundle",
    "PolicyReplay",
    "PolicyVersion",
    "SigningKey",
    "Snippet",
    "SnippetVersion",
    "Tier",
]
