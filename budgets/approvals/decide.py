"""Decide a request: one decision wins, whatever comes together.

Whoever decides holds the request's row until they are done; who comes later finds it decided and is told by whom. What
changes what may be spent takes the configuration lock before that, as every change does.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from budgets.approvals import messages, words
from budgets.approvals.consequences import (
    before_closing,
    lower_again,
    raise_budget,
    spent_of,
    take_back,
    what_follows,
    without_none,
)
from budgets.approvals.lapse import lapse_one
from budgets.approvals.refusals import AlreadyDecided, CannotApply, MayNotDecide, NotDecided, ReasonNeeded
from budgets.approvals.rules import deciders, is_person, may_decide
from budgets.audit.record import Actor, record
from budgets.limits.edit import InvalidBudget, RefusedEdit, StaleEdit, changing_pools_too
from budgets.limits.values import MOST
from budgets.models import ApprovalRequest, ApprovalVote, AuditEntry
from budgets.pages import amounts

__all__ = [
    "AlreadyDecided",
    "CannotApply",
    "Decided",
    "MayNotDecide",
    "NotDecided",
    "ReasonNeeded",
    "approve",
    "decline",
    "is_asker",
    "spent_of",
    "undo",
    "withdraw",
]

State = ApprovalRequest.State
LONGEST = 500


class _TooLate(Exception):
    """Its time is over, and no worker has said so yet."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it. `waiting_for_second`: one approved where two have to. `entry`: the row of history.

    `said`: a sentence on what follows, such as what was spent before an approval was undone.
    """

    request: ApprovalRequest
    waiting_for_second: bool
    entry: AuditEntry
    said: str = ""


def approve(
    actor: Actor, request_pk: int, reason: str = "", now: datetime | None = None, *, ceiling: int | None = None
) -> Decided:
    """Say yes. Where two people have to, the first one's yes waits for the second's.

    `ceiling` (nano-dollars): allow no more than that; at most what was asked. Of two people's the lower counts. Raises
    AlreadyDecided, MayNotDecide, CannotApply.
    """
    now, reason = now or timezone.now(), _reason(reason)
    with _deciding(actor, request_pk, now, changes_limits=True) as request:
        _check_decider(actor, request, now)
        ceiling = _checked_ceiling(request, ceiling)
        _say(actor, request, True, reason, now, ceiling)
        if request.votes.filter(approves=True).count() < request.approvers_needed:
            messages.cancel_asks(request, now)
            messages.ask_second(request, now)
            entry = record(actor, "approved as the first", request, None, without_none(ceiling=ceiling), reason)
            return Decided(request, True, entry)
        messages.cancel_asks(request, now)
        became = before_closing(request, now)
        _close(actor, request, State.APPROVED, reason, now)
        said = what_follows(request)
        messages.decided(request, now, said)
        if request.kind == request.Kind.BUDGET:  # last, since it holds the history, and messages may wait
            raise_budget(actor, request, reason)
        before = {"state": State.WAITING.value}
        entry = record(actor, "approved", request, before, {"state": State.APPROVED.value} | became, reason)
    return Decided(request, False, entry, said)


def decline(actor: Actor, request_pk: int, reason: str, now: datetime | None = None) -> Decided:
    """Say no, and why: one person's no is enough. Raises AlreadyDecided, MayNotDecide, ReasonNeeded."""
    now, reason = now or timezone.now(), _reason(reason)
    with _deciding(actor, request_pk, now) as request:
        _check_decider(actor, request, now)
        if not reason:
            raise ReasonNeeded("Say why, so that whoever asked knows what to do instead.")
        messages.cancel_asks(request, now)
        _say(actor, request, False, reason, now)
        entry = _finish(actor, request, State.DECLINED, "declined", reason, now)
    return Decided(request, False, entry)


def withdraw(actor: Actor, request_pk: int, now: datetime | None = None) -> Decided:
    """Take one's own request back while it waits. Raises AlreadyDecided, MayNotDecide."""
    now = now or timezone.now()
    with _deciding(actor, request_pk, now) as request:
        if not is_asker(actor, request):
            raise MayNotDecide(f"Only {words.asker(request)} can withdraw this.")
        _check_waiting(request, now)
        messages.cancel_asks(request, now)
        entry = _finish(actor, request, State.WITHDRAWN, "withdrew", "", now)
    return Decided(request, False, entry)


def undo(actor: Actor, request_pk: int, reason: str = "", now: datetime | None = None) -> Decided:
    """Take a decision back. An approval ends what is left of its allowance, or gives the budget its earlier amount.

    A decline makes the request wait again. While a second person is waited for, one's own yes is taken back. What was
    spent stays spent: `said` tells how much. Raises AlreadyDecided, MayNotDecide, CannotApply.
    """
    now, reason = now or timezone.now(), _reason(reason)
    with _deciding(actor, request_pk, now, changes_limits=True) as request:
        if request.state == State.WAITING:
            return _take_back_vote(actor, request, reason, now)
        if request.state not in {State.APPROVED, State.DECLINED}:
            raise AlreadyDecided(request)
        _check_right(actor, request)
        if request.state == State.DECLINED:
            return _wait_again(actor, request, reason, now)
        said = take_back(request, now)
        _close(actor, request, State.UNDONE, reason, now)
        messages.decided(request, now, said)
        if request.kind == request.Kind.BUDGET:
            lower_again(actor, request)
        after = {"state": State.UNDONE.value, "said": said}
        entry = record(actor, "undid the approval of", request, {"state": State.APPROVED.value}, after, reason)
    return Decided(request, False, entry, said)


def is_asker(actor: Actor, request: ApprovalRequest) -> bool:
    """Whether it is theirs: who asked, the key that did, or who made that key."""
    if actor.key_id is not None:
        return actor.key_id == request.api_key_id
    if actor.user is None:
        return False
    key = request.api_key
    return actor.user.pk in {request.requested_by_id, key.created_by_id if key else None}


@contextmanager
def _deciding(
    actor: Actor, request_pk: int, now: datetime, *, changes_limits: bool = False
) -> Iterator[ApprovalRequest]:
    """One transaction that holds the request's row. Raises ApprovalRequest.DoesNotExist.

    One whose time is over lapses here, if no worker has come to it yet.
    """
    try:
        with ExitStack() as stack:
            if changes_limits:
                _check_at_all(actor, request_pk)
                stack.enter_context(_in_words())
                stack.enter_context(changing_pools_too())
            stack.enter_context(transaction.atomic())
            yield ApprovalRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=request_pk)
    except _TooLate:
        lapse_one(request_pk, now, wait=True)
        raise AlreadyDecided(ApprovalRequest.objects.get(pk=request_pk)) from None


@contextmanager
def _in_words() -> Iterator[None]:
    """What budgets and their pools refuse, even at the transaction's very end."""
    try:
        yield
    except (InvalidBudget, RefusedEdit, StaleEdit) as error:
        raise CannotApply(str(error)) from error


def _check_at_all(actor: Actor, request_pk: int) -> None:
    """Refuse whoever never could, before the configuration is held for them."""
    request = ApprovalRequest.objects.get(pk=request_pk)
    if not is_asker(actor, request):
        _check_right(actor, request)


def _check_waiting(request: ApprovalRequest, now: datetime) -> None:
    if request.state != State.WAITING:
        raise AlreadyDecided(request)
    if request.lapses_at <= now:
        raise _TooLate


def _check_decider(actor: Actor, request: ApprovalRequest, now: datetime) -> None:
    _check_waiting(request, now)
    if is_asker(actor, request):
        raise MayNotDecide("Someone else has to approve it: nobody decides their own request.")
    if actor.user is not None and request.votes.filter(user=actor.user).exists():
        raise MayNotDecide("You approved this already. One more person has to.")
    if not may_decide(actor.user, request):
        _refuse(actor, request)


def _check_right(actor: Actor, request: ApprovalRequest) -> None:
    """Whether they could have decided it."""
    if actor.user is None or not deciders(request).filter(pk=actor.user.pk).exists():
        _refuse(actor, request)


def _refuse(actor: Actor, request: ApprovalRequest) -> None:
    if not is_person(actor.user):
        raise MayNotDecide("A person has to decide this: sign in, or answer in Slack.")
    if is_asker(actor, request):
        raise MayNotDecide("Someone else has to do this: it is your own request.")
    able = [words.person(one, one.get_username()) for one in deciders(request).order_by("pk")[:3]]
    raise MayNotDecide(f"You may not decide this. Ask {' or '.join(able) if able else 'an administrator'}.")


def _reason(text: str) -> str:
    reason = text.replace("\0", "").encode("utf-8", "ignore").decode().strip()
    if len(reason) > LONGEST:
        raise ReasonNeeded(f"Keep the reason under {LONGEST} characters.")
    return reason


def _checked_ceiling(request: ApprovalRequest, ceiling: int | None) -> int | None:
    if ceiling is None:
        return None
    if request.kind != request.Kind.PREMIUM:
        what = "A bigger budget has its new amount and" if request.kind == request.Kind.BUDGET else "A policy has"
        raise CannotApply(f"{what} no other limit. Leave the limit empty.")
    if isinstance(ceiling, bool) or not isinstance(ceiling, int) or not 0 < ceiling <= MOST:
        raise CannotApply("Give the most that may be spent as an amount above zero.")
    if request.ceiling is not None and ceiling > request.ceiling:
        asked = amounts.cents(request.ceiling)
        raise CannotApply(f"At most {asked} was asked for. Allow that or less; more needs a new request.")
    return ceiling


def _say(
    actor: Actor, request: ApprovalRequest, approves: bool, reason: str, now: datetime, ceiling: int | None = None
) -> None:
    assert actor.user is not None
    ApprovalVote.objects.create(
        request=request, user=actor.user, approves=approves, origin=actor.origin, reason=reason, at=now, ceiling=ceiling
    )


def _close(actor: Actor, request: ApprovalRequest, state: State, reason: str, now: datetime) -> None:
    request.state, request.decided_at = state, now
    request.decided_by, request.decided_text = actor.user, actor.text[:150]
    request.decided_origin, request.decision_reason = actor.origin, reason
    request.save()


def _finish(actor: Actor, request: ApprovalRequest, state: State, act: str, reason: str, now: datetime) -> AuditEntry:
    _close(actor, request, state, reason, now)
    messages.decided(request, now)
    return record(actor, act, request, {"state": State.WAITING.value}, {"state": state.value}, reason)


def _take_back_vote(actor: Actor, request: ApprovalRequest, reason: str, now: datetime) -> Decided:
    _check_waiting(request, now)
    vote = request.votes.filter(user=actor.user).first() if actor.user else None
    if vote is None:
        raise MayNotDecide("Nothing is decided here yet, so there is nothing to undo.")
    vote.delete()
    entry = record(actor, "took back the approval of", request, {"first": actor.text}, {"first": None}, reason)
    return Decided(request, False, entry)


def _wait_again(actor: Actor, request: ApprovalRequest, reason: str, now: datetime) -> Decided:
    if request.lapses_at <= now:
        raise CannotApply("It would have lapsed by now, so it cannot wait again. It can be asked for anew.")
    request.votes.filter(approves=False).delete()
    request.state, request.decided_at, request.decided_by = State.WAITING, None, None
    request.decided_text = request.decided_origin = request.decision_reason = ""
    request.save()
    messages.asked_again(request, now)
    before, after = {"state": State.DECLINED.value}, {"state": State.WAITING.value}
    entry = record(actor, "took back the decline of", request, before, after, reason)
    return Decided(request, False, entry)
