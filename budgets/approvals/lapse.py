"""What happens to a request by itself: the others are asked, a reminder goes out, it lapses. Each exactly once."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from budgets.approvals import messages
from budgets.audit.record import Actor, record
from budgets.models import ApprovalRequest

logger = logging.getLogger(__name__)
State = ApprovalRequest.State
BY = "TokenOps"


def tend(now: datetime) -> int:
    """Do what is due at `now` (aware); how many things were done. Racing workers do each of them once."""
    waiting = ApprovalRequest.objects.filter(state=State.WAITING)
    return (
        _each(waiting.filter(lapses_at__lte=now), lapse_one, now)
        + _each(waiting.filter(second_at__lte=now, lapses_at__gt=now), ask_others, now)
        + _each(waiting.filter(remind_at__lte=now, lapses_at__gt=now), remind, now)
    )


def lapse_one(request_pk: int, now: datetime, *, wait: bool = False) -> bool:
    """End it undecided, if its time is over; False where somebody else did or, unless `wait`, is at it."""
    with transaction.atomic():
        request = _held(request_pk, wait)
        if request is None or request.lapses_at > now:
            return False
        messages.cancel_asks(request, now)
        request.state, request.decided_at = State.LAPSED, now
        request.decided_text, request.decided_origin = BY, "job"
        request.save()
        messages.decided(request, now)
        before, after = {"state": State.WAITING.value}, {"state": State.LAPSED.value}
        record(_actor(), "let lapse", request, before, after)
    return True


def ask_others(request_pk: int, now: datetime) -> bool:
    """The one who was asked first is silent: ask the others."""
    with transaction.atomic():
        request = _held(request_pk)
        if request is None or request.second_at is None or request.second_at > now:
            return False
        due, request.second_at = request.second_at, None
        request.save(update_fields=["second_at"])
        messages.ask_others(request, now)
        record(_actor(), "asked others about", request, {"second_at": due.isoformat()}, {"second_at": None})
    return True


def remind(request_pk: int, now: datetime) -> bool:
    """It lapses soon: say so to whoever may decide."""
    with transaction.atomic():
        request = _held(request_pk)
        if request is None or request.remind_at is None or request.remind_at > now:
            return False
        due, request.remind_at = request.remind_at, None
        request.save(update_fields=["remind_at"])
        messages.remind(request, now)
        record(_actor(), "reminded of", request, {"remind_at": due.isoformat()}, {"remind_at": None})
    return True


def _held(request_pk: int, wait: bool = False) -> ApprovalRequest | None:
    """The row, if it waits for a decision and, unless `wait`, nobody else is at it: a later minute comes."""
    rows = ApprovalRequest.objects.select_for_update(of=("self",), no_key=True, skip_locked=not wait)
    return rows.filter(pk=request_pk, state=State.WAITING).first()


def _each(due: QuerySet[ApprovalRequest], act: Callable[[int, datetime], bool], now: datetime) -> int:
    """One transaction each, so that a fault in one keeps no other from its turn."""
    done = 0
    for pk in due.order_by("pk").values_list("pk", flat=True):
        try:
            done += act(pk, now)
        except Exception:
            logger.exception("Request %s could not be tended; it is tried again in a minute", pk)
    return done


def _actor() -> Actor:
    return Actor.job("approvals")
