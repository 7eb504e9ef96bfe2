"""Who decides a request, and who sees it."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet

from budgets.access.roles import PUBLISH_POLICY, roles_with
from budgets.models import ApprovalRequest, ApprovalRule, Membership, Role, Team

NOBODY = "Nobody can decide this yet. An administrator has to give somebody the role Approver, or decide it."
NO_POLICY_ADMIN = "Nobody can decide this yet. An administrator has to make somebody else Policy admin, or decide it."
NOT_TWO = "Two people have to approve this, and only one can so far. An administrator has to name another."


def live_rules() -> QuerySet[ApprovalRule]:
    """The rules in force, in their order."""
    return ApprovalRule.objects.filter(archived_at=None).order_by("position", "pk")


def rule_for(kind: str, team: Team | None, risk_categories: Iterable[str], extra_cost: int | None) -> ApprovalRule:
    """The first rule that fits; one that is not saved, with what every installation starts with, where none does.

    `extra_cost` in nano-dollars. What is not known might be any amount, so rules for large ones fit it too; but none
    from an amount on fits a policy, which asks for no money.
    """
    fits = Q(kinds=[]) | Q(kinds__contains=[kind])
    fits &= Q(team=None) | Q(team=team) if team else Q(team=None)
    fits &= Q(risk_category="") | Q(risk_category__in=list(risk_categories))
    if kind == ApprovalRequest.Kind.POLICY:
        fits &= Q(above=None)
    elif extra_cost is not None:
        fits &= Q(above=None) | Q(above__lte=extra_cost)
    return live_rules().filter(fits).first() or ApprovalRule(name="No rule fits", position=0)


def who_may_decide(request: ApprovalRequest) -> QuerySet[User]:
    """Whoever may say yes or no to it now: neither who asked nor who has said their word already."""
    return deciders(request).exclude(pk__in=request.votes.values("user_id"))


def may_decide(user: Any, request: ApprovalRequest) -> bool:
    """Whether `user` may approve or decline it now."""
    return (
        request.state == ApprovalRequest.State.WAITING
        and is_person(user)
        and who_may_decide(request).filter(pk=user.pk).exists()
    )


def may_undo(user: Any, request: ApprovalRequest) -> bool:
    """Whether `user` may take the decision back, or their own word while another is waited for."""
    if not is_person(user):
        return False
    state = ApprovalRequest.State
    if request.state == state.WAITING:
        return request.votes.filter(user_id=user.pk).exists()
    return request.state in {state.APPROVED, state.DECLINED} and deciders(request).filter(pk=user.pk).exists()


def is_person(user: Any) -> bool:
    """Whether somebody signed in; not the holder of a key."""
    return isinstance(user, get_user_model())


def deciders(request: ApprovalRequest) -> QuerySet[User]:
    """Everybody whose word counts, whether or not they have said it. Nobody decides what they asked for themselves.

    The people that the rule names, else its role in the request's team or the whole company (of a policy, those who may
    publish one), and administrators. These come in for named people too where there are too few of them.
    """
    able = User.objects.filter(is_active=True).exclude(pk__in=askers(request))
    admins = administrators()
    rule = request.rule
    if rule is not None and rule.people.exists():
        named = able.filter(pk__in=rule.people.values("pk"))
        if named.count() >= request.approvers_needed:
            return named
        return able.filter(admins | Q(pk__in=rule.people.values("pk")))
    members = Membership.objects.filter(Q(team=None) | Q(team=request.team_id), role__in=deciding_roles(request))
    return able.filter(admins | Q(pk__in=members.values("user_id")))


def deciding_roles(request: ApprovalRequest) -> list[str]:
    """The roles whose holders decide it where nobody is named."""
    if request.kind == ApprovalRequest.Kind.POLICY:
        return [role.value for role in roles_with(PUBLISH_POLICY)]
    return [request.rule.role if request.rule is not None else Role.APPROVER.value]


def askers(request: ApprovalRequest) -> set[int]:
    """Whose request it is: who asked, or who made the key that did."""
    key = request.api_key
    return {one for one in (request.requested_by_id, key.created_by_id if key else None) if one is not None}


def administrators() -> Q:
    """Of users: those who may do everything."""
    return Q(is_superuser=True) | Q(pk__in=Membership.objects.filter(role=Role.ADMINISTRATOR).values("user_id"))


def first_to_ask(request: ApprovalRequest) -> User | None:
    """Who is asked before the others: named people and the team's before the company's, administrators last.

    Among those alike, who is first to be asked of the fewest that wait.
    """
    rule = request.rule
    named = set(rule.people.values_list("pk", flat=True)) if rule is not None else set()
    members = Membership.objects.filter(role__in=deciding_roles(request))
    near = set(members.filter(team=request.team_id, team__isnull=False).values_list("user_id", flat=True))
    wide = set(members.filter(team=None).values_list("user_id", flat=True))
    waiting = ApprovalRequest.objects.filter(state=ApprovalRequest.State.WAITING, first_asked__isnull=False)
    load = dict(waiting.order_by().values_list("first_asked").annotate(count=Count("pk")))

    def turn(one: User) -> tuple[int, int, int]:
        distance = 0 if one.pk in named | near else 1 if one.pk in wide else 2
        return distance, load.get(one.pk, 0), one.pk

    return min(deciders(request), key=turn, default=None)


def lack_of_deciders(request: ApprovalRequest) -> str:
    """A sentence where a waiting request cannot be decided by enough people; "" where it can."""
    if request.state != ApprovalRequest.State.WAITING:
        return ""
    needed = request.approvers_needed - request.votes.filter(approves=True).count()
    able = who_may_decide(request).count()
    if able >= needed:
        return ""
    if able:
        return NOT_TWO
    return NO_POLICY_ADMIN if request.kind == ApprovalRequest.Kind.POLICY else NOBODY
