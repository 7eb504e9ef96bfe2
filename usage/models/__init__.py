"""The tables of this floor."""

from usage.models.costs import OtherCost
from usage.models.imports import Import, ImportedObject, ImportProblem
from usage.models.ledger import Claim, IngestBatch, LedgerEntry, QuarantinedItem
from usage.models.outcomes import OutcomeMessage, RunDay, RunPosting
from usage.models.prices import ModelColour, ModelTier, PriceEntry, PriceRefresh, RepriceRun
from usage.models.rollups import CoreDay, QuarterHour, Run, Sums, TokenDay, ValueDay, WideDay
from usage.models.sources import SourceHour

__all__ = [
    "Claim",
    "CoreDay",
    "Import",
    "ImportProblem",
    "ImportedObject",
    "IngestBatch",
    "LedgerEntry",
    "ModelColour",
    "ModelTier",
    "OtherCost",
    "OutcomeMessage",
    "PriceEntry",
    "PriceRefresh",
    "QuarantinedItem",
    "QuarterHour",
    "RepriceRun",
    "Run",
    "RunDay",
    "RunPosting",
    "SourceHour",
    "Sums",
    "TokenDay",
    "ValueDay",
    "WideDay",
]
