"""The tables of this floor."""

from budgets.models.access import ApiKey, Source
from budgets.models.activities import PlannedActivity
from budgets.models.alerts import Alert
from budgets.models.audit import AuditEntry, HistoryCheck
from budgets.models.currency import CurrencyRate
from budgets.models.limits import NANO, Budget, BudgetCharge, BudgetSeries, BudgetState
from budgets.models.organisation import Organisation
from budgets.models.plan import PlanLine
from budgets.models.workflows import UNASSIGNED, Team, Workflow

__all__ = [
    "NANO",
    "UNASSIGNED",
    "Alert",
    "ApiKey",
    "AuditEntry",
    "Budget",
    "BudgetCharge",
    "BudgetSeries",
    "BudgetState",
    "CurrencyRate",
    "HistoryCheck",
    "Organisation",
    "PlanLine",
    "PlannedActivity",
    "Source",
    "Team",
    "Workflow",
]
