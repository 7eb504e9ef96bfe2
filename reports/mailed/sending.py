"""Make the reports that are due, each once: claimed, made and queued in one transaction."""

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from budgets.access.roles import VIEW, reach
from budgets.currency.shown import DOLLARS, organisations, show
from budgets.delivery.queue import queue
from budgets.models import Organisation
from reports.mailed.letter import letter
from reports.mailed.reading import report_of
from reports.mailed.schedule import LATE, Times
from reports.mailed.stopping import stop_path
from reports.models import Subscription

logger = logging.getLogger(__name__)
GIVE_UP_AFTER = timedelta(days=2)


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
    return int(put(row, now, f"report:{row.pk}:{day}"))


def has_lost_its_view(row: Subscription) -> bool:
    """Whether its view was removed, or is not shared with its owner any more."""
    view = row.view
    return view is not None and (view.removed_at is not None or (view.owner_id != row.owner_id and not view.shared))


def put(row: Subscription, now: datetime, key: str, *, test: bool = False) -> bool:
    """Queue the newest report of this subscription; whether there was anybody who may have it."""
    owner = row.owner
    if not owner.is_active or not reach(owner, VIEW) or not (row.channel or owner.email):
        return False  # whoever left, or lost their role, is told nothing any more
    if row.channel is not None and row.channel.archived_at is not None:
        return False
    if has_lost_its_view(row):
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
    to = {"channel": row.channel} if row.channel else {"transport": "email", "address": owner.email}
    return queue(message, key, give_up_after=GIVE_UP_AFTER, **to) is not None
