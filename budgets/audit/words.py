"""The words for the kinds of this floor."""

from budgets.audit.wording import Wording, money, one_of, register
from budgets.models import ApiKey, PlannedActivity, Workflow
from budgets.pages.detail import FIELDS, differences

MONTHS = list(enumerate(("January", "February", "March", "April", "May", "June", "July", "August", "September",
                         "October", "November", "December"), start=1))  # fmt: skip


def register_words() -> None:
    """Called once, when the addresses of this floor are read."""
    register(*_what_is_governed(), *_what_is_set_up())


def _what_is_governed() -> list[Wording]:
    """Budgets, workflows, teams, and the plans made of them."""
    return [
        Wording("budgets.budget", "budget", FIELDS, page="budget", key="slug", differences=differences),
        Wording(
            "budgets.workflow",
            "workflow",
            {
                "paused": "paused",
                "slug": "short name",
                "default_tier": "usual tier",
                "value_weight": "value weight",
                "risk_categories": "risk categories",
                "guardrails": "limits",
                "cost_centre": "cost centre",
                "ledger_code": "ledger code",
            },
            {"status": one_of(Workflow.Status.choices)},
            page="workflow",
            key="slug",
            references={"owner_id": "auth.user", "team_id": "budgets.team"},
        ),
        Wording(
            "budgets.team",
            "team",
            {"slug": "short name", "cost_centre": "cost centre", "ledger_code": "ledger code"},
            page="team",
            key="slug",
        ),
        Wording("budgets.currencyrate", "currency rate", {"per_dollar": "for a dollar"}, page="rates"),
        Wording(
            "budgets.planline",
            "plan",
            values={"amount": money},
            page="plan",
            phrase="the plan {object}",
            references={"team_id": "budgets.team"},
        ),
        Wording(
            "budgets.plannedactivity",
            "activity",
            {"starts_at": "starts", "ends_at": "ends", "is_all_day": "all day", "expects": "expects"},
            {
                "kind": one_of(PlannedActivity.Kind.choices),
                "expects": one_of(PlannedActivity.Expects.choices),
            },
            page="activity",
            key="pk",
            phrase="{object} in the calendar",
            references={"team_id": "budgets.team", "workflow_id": "budgets.workflow"},
        ),
    ]


def _what_is_set_up() -> list[Wording]:
    """Keys and sources, and the organisation itself."""
    return [
        Wording(
            "budgets.apikey",
            "key",
            {
                "scopes": "what it may do",
                "also": "other sources",
                "expires_at": "expires",
                "revoked_at": "revoked",
                "replaces": "replaces",
            },
            {"scopes": lambda value: ", ".join(one_of(ApiKey.Scope.choices)(one) for one in value)},
            page="key",
            key="pk",
            phrase="the key {object}",
        ),
        Wording("budgets.source", "source", {"slug": "short name"}, page="source", key="slug"),
        Wording(
            "budgets.organisation",
            "organisation",
            {
                "time_zone": "time zone",
                "currency": "currency shown",
                "fiscal_year_starts": "fiscal year starts in",
                "closed_before": "closed before",
                "setup": "set-up steps",
            },
            {"fiscal_year_starts": one_of(MONTHS)},
            {"closed month": "closed a month of {object}", "set up": "went on setting up {object}"},
            page="settings",
            phrase="the settings of {object}",
        ),
    ]
