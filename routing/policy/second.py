"""A second person: ask for one, put in force what they approved, take back what they undid.

The decision and what follows from it are two transactions. The second is looked for by what the rows say, so anybody
may do it at any time, and doing it twice does nothing: whoever decided does it at once, a worker within a second.
"""

import logging
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from budgets.approvals.decide import CannotApply
from budgets.approvals.facts import Asked, Facts
from budgets.approvals.open import open_request
from budgets.audit.record import Actor, record
from budgets.models import ApprovalRequest
from budgets.organisation.configuration import changing_configuration
from routing.models import PolicyVersion
from routing.policy.compare import differences
from routing.policy.document import read
from routing.policy.edit import RefusedEdit, live_version, locked, policy_of
from routing.policy.publish import LiveMoved, check, check_live, put_in_force, roll_back
from routing.policy.shape import InvalidPolicy
from routing.replay.facts import latest_facts

logger = logging.getLogger(__name__)
State = PolicyVersion.State
Decision = ApprovalRequest.State
MOST_CHANGES = 40  # told with a request
CHANGED_SINCE = "The draft was changed since this was asked. It can be asked for anew."


def ask_second(actor: Actor, row: PolicyVersion, reason: str, now: datetime) -> PolicyVersion:
    """Open the request and have the draft wait for it. The caller holds the configuration and the row."""
    why = reason.strip() or row.note or f"Publish “{row.title}”."
    asked = Asked(ApprovalRequest.Kind.POLICY, why, policy=row.pk, policy_title=row.title)
    row.request = open_request(actor, asked, facts_of(row), now)
    row.state = State.WAITING
    row.save()
    before, after = {"state": State.DRAFT.value}, {"state": State.WAITING.value, "request": row.request.pk}
    record(actor, "asked to publish", row, before, after, reason)
    return row


def facts_of(row: PolicyVersion) -> Facts:
    """What a draft changes, and what it would have done if it was tried on all past calls of some days.

    As it is now, against the version in force now. Costs are of the calls whose cost both know: what has no price is no
    saving.
    """
    live = live_version()
    said = [one.sentence for one in differences(policy_of(live), policy_of(row))]
    rest = len(said) - MOST_CHANGES
    told = [*said[:MOST_CHANGES], *([f"And {rest} more."] if rest > 0 else [])]
    over = live.number if live else None
    tried = latest_facts(row)
    if tried is None or not tried.taken or tried.live_number != (over or 0):
        return Facts(policy_changes=told, policy_over=over)
    return Facts(
        extra_cost=tried.difference * tried.calls // tried.taken if tried.compared else None,
        policy_changes=told,
        policy_over=over,
        policy_calls=tried.taken,
        policy_calls_of=tried.calls,
        policy_compared=tried.compared,
        policy_cost_before=tried.compared_before,
        policy_cost_after=tried.compared_after,
        policy_blocked=tried.blocked,
        policy_approvals=tried.approval,
    )


def publish_approved() -> int:
    """Put in force what was approved, take back what was undone, free what was declined; how many there were.

    A fault with one keeps no other from its turn.
    """
    decided = Q(state=State.WAITING) & (Q(request=None) | ~Q(request__state=Decision.WAITING))
    again = Q(state=State.DRAFT, request__state=Decision.WAITING)
    undone = Q(live=True, request__state=Decision.UNDONE)
    done = 0
    for pk in PolicyVersion.objects.filter(decided | again | undone).order_by("pk").values_list("pk", flat=True):
        try:
            done += _follow(pk)
        except Exception:
            logger.exception("What was decided about policy %s was not done; it is tried again in a second", pk)
    return done


def check_can_publish(request: ApprovalRequest) -> None:
    """Raises CannotApply where approving it could put nothing in force."""
    row = PolicyVersion.objects.filter(request=request, state__in=[State.WAITING, State.DRAFT]).first()
    if row is None:
        raise CannotApply(CHANGED_SINCE)
    try:
        check_live(request.facts.get("policy_over") or 0)
        check(read(row.document))
    except LiveMoved as error:
        raise CannotApply(
            f"{error.live} was published since this was asked. Decline this; it can be asked for anew."
        ) from error
    except InvalidPolicy as error:
        raise CannotApply(f"This cannot be put in force as things are now. {error}") from error


def check_can_take_back(request: ApprovalRequest) -> None:
    """Raises CannotApply where undoing the approval could not bring back what was in force."""
    row = PolicyVersion.objects.filter(request=request).first()
    if row is None or row.state != State.PUBLISHED:
        return
    if not row.live:
        raise CannotApply("Another version is in force by now, so there is nothing to take back.")
    earlier = before(row)
    try:
        if earlier is None:
            raise CannotApply("There was no version before it to go back to.")
        check(read(earlier.document))
    except InvalidPolicy as error:
        raise CannotApply(f"{earlier} no longer fits what there is, so it cannot be brought back. {error}") from error


def check_can_wait_again(request: ApprovalRequest) -> None:
    """Raises CannotApply where a declined draft is no longer what was asked about."""
    if not PolicyVersion.objects.filter(request=request, state__in=[State.WAITING, State.DRAFT]).exists():
        raise CannotApply(CHANGED_SINCE)


def before(row: PolicyVersion) -> PolicyVersion | None:
    """The newest version before a published one that says something else."""
    earlier = PolicyVersion.objects.filter(number__lt=row.number).exclude(document=row.document)
    return earlier.order_by("-number").first()


def _follow(pk: int) -> int:
    now = timezone.now()
    with changing_configuration():
        row = locked(PolicyVersion(pk=pk))
        state = row.request.state if row.request else None
        if row.live and state == Decision.UNDONE:
            return _go_back(row, now)
        if row.state == State.DRAFT and state == Decision.WAITING:
            _turn(row, State.WAITING, "waits again")
        elif row.state == State.WAITING and state == Decision.APPROVED:
            _put_in_force(row, now)
        elif row.state == State.WAITING and state != Decision.WAITING:
            _turn(row, State.DRAFT, "is a draft again")
        else:
            return 0
    return 1


def _put_in_force(row: PolicyVersion, now: datetime) -> None:
    """As whoever approved it. What can no longer be put in force is a draft again, and its history says why."""
    request = row.request
    assert request is not None
    try:
        check_live(request.facts.get("policy_over") or 0)
        check(read(row.document))
    except (LiveMoved, InvalidPolicy) as error:
        _turn(row, State.DRAFT, "was approved and could not be put in force", str(error))
        return
    put_in_force(_decider(request), row, f"Request {request.pk}: {request.reason}", now)


def _go_back(row: PolicyVersion, now: datetime) -> int:
    request, earlier = row.request, before(row)
    assert request is not None
    try:
        if earlier is None:
            raise RefusedEdit("There was no version before it to go back to.")
        roll_back(_decider(request), earlier, f"The approval of version {row.number} was undone", now)
    except (RefusedEdit, InvalidPolicy) as error:
        logger.warning("The approval of %s was undone, and nothing could be brought back: %s", row, error)
        row.request = None  # or it would be tried for ever
        row.save(update_fields=["request"])
    return 1


def _turn(row: PolicyVersion, state: State, act: str, reason: str = "") -> None:
    stood, row.state = row.state, state
    row.save()
    actor = _decider(row.request) if row.request and row.request.decided_at else Actor.job("approvals")
    record(actor, act, row, {"state": stood}, {"state": state.value}, reason)


def _decider(request: ApprovalRequest) -> Actor:
    return Actor(request.decided_by, request.decided_text, request.decided_origin)
