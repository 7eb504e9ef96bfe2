"""The tables of this floor."""

from budgets.models.access import ApiKey, Source
from budgets.models.activities import PlannedActivity
from budgets.models.alerts import Alert, AlertRule, Channel, Crossing, Delivery, Notice
from budgets.models.approvals import ApprovalRequest, ApprovalRule, ApprovalVote, Grant, GrantCharge, GrantRun
from budgets.models.audit import AuditEntry, HistoryCheck
from budgets.models.closings import Closing
from budgets.models.currency import CurrencyRate
from budgets.models.leases import Lease, LeaseCharge
from budgets.models.limits import NANO, Budget, BudgetCharge, BudgetSeries, BudgetState
from budgets.models.organisation import Organisation
from budgets.models.people import COMPANY_WIDE, Invitation, Membership, Profile, Role
from budgets.models.plan import PlanLine
from budgets.models.runs import StoppedRun
from budgets.models.workflows import UNASSIGNED, Team, Workflow

__all__ = [
    "COMPANY_WIDE",
    "NANO",
    "UNASSIGNED",
    "Alert",
    "AlertRule",
    "ApiKey",
    "ApprovalRequest",
    "ApprovalRule",
    "ApprovalVote",
    "AuditEntry",
    "Budget",
    "BudgetCharge",
    "BudgetSeries",
    "BudgetState",
    "Channel",
    "Closing",
    "Crossing",
    "CurrencyRate",
    "Delivery",
    "Grant",
    "GrantCharge",
    "GrantRun",
    "HistoryCheck",
    "Invitation",
    "Lease",
    "LeaseCharge",
    "Membership",
    "Notice",
    "Organisation",
    "PlanLine",
    "PlannedActivity",
    "Profile",
    "Role",
    "Source",
    "StoppedRun",
    "Team",
    "Workflow",
]
