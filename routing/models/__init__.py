"""The tables of this floor."""

from routing.models.bundle import BundleEpoch, PolicyBundle, SigningKey
from routing.models.tiers import Tier

__all__ = ["BundleEpoch", "PolicyBundle", "SigningKey", "Tier"]
