"""The tables of this floor."""

from usage.models.ledger import Claim, IngestBatch, LedgerEntry, QuarantinedItem
from usage.models.prices import ModelTier, PriceEntry, PriceRefresh, RepriceRun
from usage.models.rollups import QuarterHour, Run, Sums, WideDay

__all__ = [
    "Claim",
    "IngestBatch",
    "LedgerEntry",
    "ModelTier",
    "PriceEntry",
    "PriceRefresh",
    "QuarantinedItem",
    "QuarterHour",
    "RepriceRun",
    "Run",
    "Sums",
    "WideDay",
]
