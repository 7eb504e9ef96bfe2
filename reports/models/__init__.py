"""The tables of this floor."""

from reports.models.audits import WorkflowAudit
from reports.models.findings import Finding, KnownUse, Watch, WatchedSeries
from reports.models.savings import SavingsRun

__all__ = ["Finding", "KnownUse", "SavingsRun", "Watch", "WatchedSeries", "WorkflowAudit"]
