"""People, workflows and requests for the tests of approvals."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from budgets.approvals.facts import Asked, Facts
from budgets.approvals.open import open_request
from budgets.audit.record import Actor
from budgets.models import NANO, ApprovalRequest, AuditEntry, Delivery, Membership, Role, Team, Workflow

ACTOR = Actor.command("test")
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_person(name: str, role: str = "", team: Team | None = None, **values: Any) -> User:
    """Somebody active with an address, maybe with a role."""
    user = User.objects.create_user(name.lower(), f"{name.lower()}@example.com", first_name=name, **values)
    if role:
        Membership.objects.create(user=user, role=role, team=team)
    return user


def an_approver(name: str, team: Team | None = None) -> User:
    return a_person(name, Role.APPROVER, team)


def a_team(name: str = "Content") -> Team:
    return Team.objects.get_or_create(slug=name.lower(), defaults={"name": name})[0]


def a_workflow(slug: str = "seo-briefs", name: str = "SEO briefs", **values: Any) -> Workflow:
    return Workflow.objects.create(slug=slug, name=name, **{"status": "production", "default_tier": 1} | values)


def by(user: User, origin: str = "web") -> Actor:
    return Actor(user, user.get_username(), origin)


def premium(**values: Any) -> Asked:
    stated: dict[str, Any] = {"kind": "premium", "reason": "The launch needs better briefs.", "workflow": "seo-briefs"}
    return Asked(**stated | {"tier": 3, "runs": 40} | values)


def dollars(amount: int) -> int:
    return amount * NANO


def a_request(actor: Actor, *, extra: int | None = 230, now: datetime = NOW, key: str = "", **values: Any) -> Any:
    """A waiting request for Premium models, with what it would cost more in dollars."""
    facts = Facts(runs=40, extra_cost=None if extra is None else dollars(extra), based_on_runs=100)
    return open_request(actor, premium(**values), facts, now, idempotency_key=key)


def told(request: ApprovalRequest) -> list[tuple[str, str]]:
    """(kind, address) of what is queued or sent for it, as a sorted list."""
    rows = Delivery.objects.filter(request=request).exclude(state="cancelled")
    return sorted((row.kind, row.address) for row in rows)


def entries(request: ApprovalRequest) -> list[str]:
    """What was done with it, in order."""
    rows = AuditEntry.objects.filter(object_type="budgets.approvalrequest", object_id=str(request.pk))
    return list(rows.order_by("position").values_list("act", flat=True))
