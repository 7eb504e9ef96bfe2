"""The words for the kinds of this floor."""

from budgets.access.roles import CHANGE_BUDGET
from budgets.audit.wording import Wording, money, one_of, register
from budgets.models import ApiKey, ApprovalRequest, PlannedActivity, Role, Workflow
from budgets.pages.detail import FIELDS, differences

MONTHS = list(enumerate(("January", "February", "March", "April", "May", "June", "July", "August", "September",
                         "October", "November", "December"), start=1))  # fmt: skip

BUDGET = Wording(
    "budgets.budget",
    "budget",
    FIELDS,
    page="budget",
    key="slug",
    undo="budget-undo",
    undo_right=CHANGE_BUDGET,
    differences=differences,
)


def register_words() -> None:
    """Called once, when the addresses of this floor are read."""
    register(*_what_is_governed(), *_what_is_set_up(), *_what_is_approved(), *_what_is_told())


def _what_is_governed() -> list[Wording]:
    """Budgets, workflows, teams, and the plans made of them."""
    return [
        BUDGET,
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
            "budgets.stoppedrun",
            "run",
            {"ends_at": "until"},
            acts={"let go on": "let {what} go on"},
            phrase="the run {object}",
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


def _what_is_approved() -> list[Wording]:
    """Requests, and the rules of who decides them."""
    return [
        Wording(
            "budgets.approvalrequest",
            "request",
            {
                "extra_cost": "extra cost",
                "ceiling": "at most",
                "wanted_until": "wanted until",
                "lapses_at": "lapses",
                "approvers_needed": "people who have to approve",
                "expires_at": "expires",
                "second_at": "others are asked",
                "remind_at": "reminder",
                "said": "what came of it",
            },
            {
                "state": one_of(ApprovalRequest.State.choices),
                "kind": one_of(ApprovalRequest.Kind.choices),
                "extra_cost": money,
                "ceiling": money,
            },
            {
                "asked": "asked for {object}",
                "approved as the first": "approved, as the first of two, {what}",
                "let lapse": "let {what} lapse",
            },
            page="approval",
            key="pk",
            phrase="the request “{object}”",
        ),
        Wording(
            "budgets.approvalrule",
            "approval rule",
            {
                "kinds": "what is asked for",
                "risk_category": "risk category",
                "above": "from",
                "approvers_needed": "people who have to approve",
                "second_after_hours": "hours until others are asked",
                "remind_before_hours": "hours of notice before it lapses",
                "lapses_after_hours": "hours until it lapses",
            },
            {
                "above": money,
                "role": one_of(Role.choices),
                "kinds": lambda value: ", ".join(one_of(ApprovalRequest.Kind.choices)(one) for one in value),
            },
            page="approval-rules",
            phrase="the approval rule {object}",
        ),
    ]


def _what_is_told() -> list[Wording]:
    """Alert rules, and what people do with an alert."""
    return [
        Wording(
            "budgets.alertrule",
            "alert rule",
            {
                "options": "what it tells of",
                "urgent": "sent at once",
                "mute_reason": "why it is muted",
                "muted_at": "muted",
                "muted_until": "muted until",
                "archived_at": "archived",
            },
            {
                "options": lambda stated: ", ".join(
                    f"{name.replace('_', ' ')} {value}" for name, value in stated.items() if value not in (None, "")
                ),
                "channels": lambda stated: ", ".join(one["name"] for one in stated),
            },
            page="alert-rule",
            key="pk",
            phrase="the alert rule “{object}”",
            references={"team_id": "budgets.team", "owner_id": "auth.user"},
            undo="alert-rule-undo",
            undo_right="budgets.change_alertrule",
        ),
        Wording(
            "budgets.alert",
            "alert",
            {"acknowledged_at": "acknowledged", "acknowledged_by_id": "by", "snoozed_until": "told again"},
            page="alert",
            key="pk",
            phrase="the alert “{object}”",
            references={"owner_id": "auth.user", "acknowledged_by_id": "auth.user"},
            undo="alert-undo",
            undo_right="budgets.handle_alert",
        ),
    ]


def role_list(held: list[dict[str, str]]) -> str:
    """ "Viewer, Approver of Brand", of the roles that a row of history names."""
    names = dict(Role.choices)
    said = [(names.get(one["role"], one["role"]), one.get("team", "")) for one in held]
    return ", ".join(f"{role} of {team}" if team else role for role, team in said)


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
        Wording("auth.user", "person", values={"roles": role_list}, page="person", key="pk", phrase="{object}"),
        Wording("budgets.invitation", "invitation", {"expires_at": "good until"}, phrase="the invitation to {object}"),
        Wording("budgets.source", "source", {"slug": "short name"}, page="source", key="slug"),
        Wording(
            "budgets.organisation",
            "organisation",
            {
                "time_zone": "time zone",
                "currency": "currency shown",
                "fiscal_year_starts": "fiscal year starts in",
                "closed_before": "closed before",
                "policy_needs_second": "a second person approves a new policy",
                "setup": "set-up steps",
            },
            {"fiscal_year_starts": one_of(MONTHS)},
            {"closed month": "closed a month of {object}", "set up": "went on setting up {object}"},
            page="settings",
            phrase="the settings of {object}",
        ),
    ]
