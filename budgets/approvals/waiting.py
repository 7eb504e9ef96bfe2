"""Which requests wait for somebody's decision: the answer of `may_decide` for all of them at once."""

from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from budgets.access.roles import PUBLISH_POLICY, roles_with
from budgets.approvals.rules import is_person
from budgets.models import ApprovalRequest, ApprovalRule, ApprovalVote, Membership, Role


def waiting_for(user: Any) -> QuerySet[ApprovalRequest]:
    """Those that `user` may approve or decline now, the one that lapses first in front. One statement."""
    rows = ApprovalRequest.objects.filter(state=ApprovalRequest.State.WAITING).order_by("lapses_at", "pk")
    if not is_person(user) or not user.is_active:
        return rows.none()
    said = ApprovalVote.objects.filter(request=OuterRef("pk"), user_id=user.pk)
    rows = rows.exclude(requested_by_id=user.pk).exclude(api_key__created_by_id=user.pk).filter(~Exists(said))
    named = ApprovalRule.people.through.objects.filter(approvalrule_id=OuterRef("rule_id"))
    is_named = Exists(named.filter(user_id=user.pk))
    roles = Membership.objects.filter(user_id=user.pk)
    if user.is_superuser or roles.filter(role=Role.ADMINISTRATOR).exists():
        return rows.filter(~Exists(named) | is_named | _lacks_named())
    by_role = roles.filter(Q(team=None) | Q(team=OuterRef("team_id")))
    with_rule = Exists(by_role.filter(role=OuterRef("rule__role")))
    without_rule = Q(rule=None) & Q(Exists(by_role.filter(role=Role.APPROVER)))
    policy = Q(kind=ApprovalRequest.Kind.POLICY)
    publishes = policy & Q(Exists(roles.filter(team=None, role__in=roles_with(PUBLISH_POLICY))))
    return rows.filter(is_named | (~Exists(named) & (publishes | (~policy & (with_rule | without_rule)))))


def _lacks_named() -> Any:
    """Whether fewer people than needed are named, active and not the asker's: administrators come in then."""
    asker = Coalesce(OuterRef("requested_by_id"), 0)  # either may be nobody, and nothing equals null
    maker = Coalesce(OuterRef("api_key__created_by_id"), 0)
    able = Q(people__is_active=True) & ~Q(people=asker) & ~Q(people=maker)
    counted = ApprovalRule.objects.filter(pk=OuterRef("rule_id")).annotate(able=Count("people", filter=able))
    return ~Exists(counted.filter(able__gte=OuterRef("approvers_needed")))
