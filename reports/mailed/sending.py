"""Make the reports that are due, each once: claimed, made and queued in one transaction."""

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from budgets.access.roles import VIEW, reach
from budgets.currency.shown import DOLLARS, organisations, show
from budgets.delivery.queue import queue
from budgets.models import Delivery, Organisation
from reports.mailed.letter import letter
from reports.mailed.reading import report_of
from reports.mailed.schedule import LATE, Times
from reports.mailed.stopping import stop_path
from reports.models import Subscription

logger = logging.getLogger(__name__)
GIVE_UP_AFTER = timedelta(days=2)
DUE, ASKED_FOR = "report", "report-test"  # what the keys of deliveries begin with


def times_of(subscription: Subscription, days: ZoneInfo) -> Times:
    """`days`: the organisation's zone."""
    weekly = subscription.cadence == Subscription.Cadence.WEEKLY
    return Times(weekly, subscription.weekday, subscription.hour, ZoneInfo(subscription.time_zone), days)


def send_reports(now: datetime | None = None) -> int:
    """Those due by `now`; how many. Running it twice, or together, makes none twice; one that fails delays no other."""
    now = now or timezone.now()
    made, zone = 0, Organisation.get().zone
    for one in Subscription.objects.filter(stopped_at=None).order_by("pk"):
        if not _is_due(one, now, zone):
            continue
        try:
            made += _send(one.pk, now, zone)
        except Exception:
            logger.exception("The report %s could not be made; it is tried again", one.pk)
    return made


def _is_due(one: Subscription, now: datetime, zone: ZoneInfo) -> bool:
    day, at = times_of(one, zone).last(now)
    return at > one.created_at and (one.sent_for is None or one.sent_for < day) and now - at < LATE


@transaction.atomic
def _send(pk: int, now: datetime, zone: ZoneInfo) -> int:
    """Make one, where nobody else does; the outbox and `sent_for` are committed together."""
    row = (
        Subscription.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(pk=pk, stopped_at=None)
        .select_related("owner", "view", "channel")
        .first()
    )
    if row is None or not _is_due(row, now, zone):
        return 0
    day, _ = times_of(row, zone).last(now)
    row.sent_for = day
    row.save(update_fields=["sent_for"])
    return int(put(row, now, f"{DUE}:{row.pk}:{day}"))


def has_lost_its_view(row: Subscription) -> bool:
    """Whether its view was removed, or is not shared with its owner any more."""
    view = row.view
    return view is not None and (view.removed_at is not None or (view.owner_id != row.owner_id and not view.shared))


def why_nobody(row: Subscription) -> str:
    """Why there is nobody who may have this report now; "" where there is."""
    if not row.owner.is_active or not reach(row.owner, VIEW):
        return "Its reader left, or has no role any more."
    if row.channel is None and not row.owner.email:
        return "Its reader has no e-mail address."
    if row.channel is not None and row.channel.archived_at is not None:
        return "The channel was removed."
    return "Its view was removed or is not shared any more." if has_lost_its_view(row) else ""


def why_not_sent(delivery: Delivery) -> str:
    """Why a report that was queued is not to leave any more; "" where it may. What somebody asked for now leaves."""
    what, _, rest = delivery.key.partition(":")
    pk = rest.partition(":")[0]
    rows = Subscription.objects.select_related("owner", "view", "channel")
    row = rows.filter(pk=int(pk)).first() if pk.isdecimal() else None
    if row is None or (row.stopped_at is not None and what == DUE):
        return "The report was ended before this was sent."
    return why_nobody(row)


def put(row: Subscription, now: datetime, key: str, *, test: bool = False) -> bool:
    """Queue the newest report of this subscription; whether there was anybody who may have it."""
    if why_nobody(row):
        return False
    day, _ = times_of(row, Organisation.get().zone).last(now)
    show(organisations)
    try:
        message = letter(
            report_of(row, day, now),
            stop_path="" if row.channel else stop_path(row),
            cadence=row.cadence,
            test=test,
        )
    finally:
        show(DOLLARS)
    to = {"channel": row.channel} if row.channel else {"transport": "email", "address": row.owner.email}
    return queue(message, key, give_up_after=GIVE_UP_AFTER, **to) is not None
