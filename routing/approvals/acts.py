"""Decide a request, and have what follows on this floor happen at once: a policy that was approved is put in force.

Pages, REST and Slack decide by these. What a killed process leaves undone a worker does within a second.
"""

from datetime import datetime

from budgets.approvals import decide
from budgets.approvals.decide import CannotApply, Decided
from budgets.audit.record import Actor
from budgets.models import ApprovalRequest
from routing.policy.second import check_can_publish, check_can_take_back, check_can_wait_again, publish_approved

Kind, State = ApprovalRequest.Kind, ApprovalRequest.State
__all__ = ["CannotApply", "Decided", "approve", "decline", "undo", "withdraw"]


def approve(
    actor: Actor, request_pk: int, reason: str = "", now: datetime | None = None, *, ceiling: int | None = None
) -> Decided:
    """As `decide.approve`. CannotApply, too, where a policy cannot be put in force now."""
    request = ApprovalRequest.objects.get(pk=request_pk)
    if request.kind == Kind.POLICY and request.state == State.WAITING:
        check_can_publish(request)
    return _followed(decide.approve(actor, request_pk, reason, now, ceiling=ceiling))


def decline(actor: Actor, request_pk: int, reason: str, now: datetime | None = None) -> Decided:
    """As `decide.decline`; a policy is a draft again."""
    return _followed(decide.decline(actor, request_pk, reason, now))


def withdraw(actor: Actor, request_pk: int, now: datetime | None = None) -> Decided:
    """As `decide.withdraw`; a policy is a draft again."""
    return _followed(decide.withdraw(actor, request_pk, now))


def undo(actor: Actor, request_pk: int, reason: str = "", now: datetime | None = None) -> Decided:
    """As `decide.undo`. CannotApply, too, where another policy is in force by now, or the draft was changed since."""
    request = ApprovalRequest.objects.get(pk=request_pk)
    if request.kind == Kind.POLICY and request.state == State.APPROVED:
        check_can_take_back(request)
    if request.kind == Kind.POLICY and request.state == State.DECLINED:
        check_can_wait_again(request)
    return _followed(decide.undo(actor, request_pk, reason, now))


def _followed(decided: Decided) -> Decided:
    if decided.request.kind == Kind.POLICY:
        publish_approved()
    return decided
