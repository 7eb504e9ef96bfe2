"""The tables of this floor."""

from reports.models.audits import WorkflowAudit
from reports.models.findings import Finding, KnownUse, Watch, WatchedSeries
from reports.models.outlook import Outlook, OutlookRun
from reports.models.savings import SavingsRun
from reports.models.subscriptions import Subscription
from reports.models.views import SavedView

__all__ = [
    "Finding",
    "KnownUse",
    "Outlook",
    "OutlookRun",
    "SavedView",
    "SavingsRun",
    "Subscription",
    "Watch",
    "WatchedSeries",
    "WorkflowAudit",
]
