"""Send many refused items again: asked for in one statement, done in the background, each item with its own end."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.models import Count, F, Max, Q, QuerySet
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.models import AuditEntry
from budgets.notices.alone import alone
from budgets.notices.hint import hint_task
from usage.ingest.requeue import refuse_again, send_now
from usage.ingest.write import Answer
from usage.models import QuarantinedItem

logger = logging.getLogger(__name__)
SEND_LOCK = 7_061_014  # advisory lock number, ours by choice: one worker sends at a time
TASK = "usage.tasks.send_refused_again"
AT_A_TIME = 50
UNTRIED = Q(tried_at=None) | Q(tried_at__lt=F("queued_at"))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the newest request to send many is."""

    asked_at: datetime
    total: int
    tried: int
    taken: int

    @property
    def left(self) -> int:
        return self.total - self.tried

    @property
    def refused(self) -> int:
        return self.tried - self.taken

    @property
    def percent(self) -> str:
        """As an SVG width."""
        return f"{self.tried * 100 / self.total:.1f}%" if self.total else "100%"


def ask_to_send(items: QuerySet[QuarantinedItem], by: User | None) -> int:
    """Mark the open ones among `items` and tell a worker; how many. The sweep makes up for a lost message."""
    asked: int = (
        items.filter(status=QuarantinedItem.Status.OPEN).order_by().update(queued_at=timezone.now(), queued_by=by)
    )
    if asked:
        hint_task(TASK)
    return asked


def waiting() -> QuerySet[QuarantinedItem]:
    """Asked for and not tried yet, the oldest request first."""
    queued = QuarantinedItem.objects.filter(UNTRIED, queued_at__isnull=False, status=QuarantinedItem.Status.OPEN)
    return queued.order_by("queued_at", "pk")


def send_waiting(seconds: float = 20) -> int:
    """Send what waits, for about so long; how many were tried. Whoever finds another at it leaves."""
    if not waiting().exists():
        return 0
    with alone(SEND_LOCK) as held:
        return send_for(seconds) if held else 0


def send_for(seconds: float) -> int:
    """The work itself, item by item: a killed worker leaves the rest to the next."""
    tried, started = 0, time.monotonic()
    while time.monotonic() - started < seconds:
        chosen = list(waiting().select_related("queued_by")[:AT_A_TIME])
        if not chosen:
            break
        for item in chosen:
            send_one(item)
            tried += 1
    return tried


def send_one(item: QuarantinedItem) -> None:
    """One that cannot be sent at all waits no longer, and says so: the others are not to wait behind it for ever."""
    try:
        send_now(actor_of(item), item)
    except (OperationalError, MemoryError):
        raise  # nothing to do with this item: everything waits
    except Exception:
        logger.exception("Item %s could not be sent again.", item.pk)
        problem = {"title": "Not sent", "detail": "It could not be sent again; the server’s log says why."}
        refuse_again(item, item.code, problem, Answer())


def actor_of(item: QuarantinedItem) -> Actor:
    """Who asked for it; TokenOps did it."""
    if item.queued_by is None:
        return Actor.job("sending again")
    return Actor(item.queued_by, item.queued_by.get_username(), AuditEntry.Origin.JOB)


def progress() -> Progress | None:
    """Of the newest request; None where there was none. Two statements."""
    queued = QuarantinedItem.objects.filter(queued_at__isnull=False)
    newest = queued.aggregate(newest=Max("queued_at"))["newest"]
    if newest is None:
        return None
    done = Q(tried_at__gte=F("queued_at")) | ~Q(status=QuarantinedItem.Status.OPEN)
    sums = queued.filter(queued_at=newest).aggregate(
        total=Count("pk"), tried=Count("pk", filter=done), taken=Count("pk", filter=Q(status="replayed"))
    )
    return Progress(newest, sums["total"], sums["tried"], sums["taken"])
