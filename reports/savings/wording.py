"""Words for the history of savings and audits."""

from budgets.audit.wording import Wording, one_of, register


def register_savings() -> None:
    """Called once, when the application starts."""
    from reports.models import WorkflowAudit  # models are there only then

    register(
        Wording(
            "reports.savingsrun",
            "savings",
            {"first_day": "from", "last_day": "to"},
            acts={"requested": "had the savings worked out again"},
            page="savings",
        ),
        Wording(
            "reports.workflowaudit",
            "audit",
            {"first_day": "from", "last_day": "to", "days": "complete days"},
            {"state": one_of(WorkflowAudit.State.choices)},
            phrase="the {object}",
        ),
    )
