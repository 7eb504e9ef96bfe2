"""Order a report, end it, take it up again; each with its row of history."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from django.db import IntegrityError, transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.models import Channel
from reports.models import SavedView, Subscription

MOST = 50  # running ones of one person


class RefusedReport(Exception):
    """It cannot be done, in a sentence."""


@dataclass(frozen=True, slots=True)
class ReportValues:
    """What somebody orders. `channel` None: to their own e-mail address."""

    view: SavedView | None
    cadence: str
    weekday: int
    hour: int
    time_zone: str
    channel: Channel | None = None


def as_history(row: Subscription) -> dict[str, Any]:
    return {
        "view": row.view.name if row.view else "",
        "cadence": row.cadence,
        "weekday": row.weekday if row.cadence == Subscription.Cadence.WEEKLY else None,
        "hour": row.hour,
        "time_zone": row.time_zone,
        "channel": row.channel.name if row.channel else "",
        "stopped": row.stopped_at is not None,
    }


@transaction.atomic
def order(actor: Actor, owner: Any, values: ReportValues) -> Subscription:
    """A new report for `owner`. Raises RefusedReport."""
    if values.time_zone not in available_timezones():
        raise RefusedReport("Choose a time zone from the list.")
    if values.channel is None and not owner.email:
        raise RefusedReport("Your account has no e-mail address. Add one to your profile first.")
    if Subscription.objects.filter(owner=owner, stopped_at=None).count() >= MOST:
        raise RefusedReport(f"You have {MOST} reports already. End one first.")
    row = Subscription(
        owner=owner,
        view=values.view,
        channel=values.channel,
        cadence=values.cadence,
        weekday=values.weekday,
        hour=values.hour,
        time_zone=values.time_zone,
        created_at=timezone.now(),
    )
    _save(row)
    record(actor, "created", row, None, as_history(row))
    return row


@transaction.atomic
def stop(actor: Actor, subscription: Subscription) -> int | None:
    """End it; the row of history, None where it had ended."""
    row = Subscription.objects.select_for_update(of=("self",)).get(pk=subscription.pk)
    if row.stopped_at is not None:
        subscription.stopped_at = row.stopped_at
        return None
    before = as_history(row)
    row.stopped_at = subscription.stopped_at = timezone.now()
    row.save(update_fields=["stopped_at"])
    return record(actor, "ended", row, before, as_history(row)).pk


@transaction.atomic
def resume(actor: Actor, subscription: Subscription) -> None:
    """Take an ended one up again. Raises RefusedReport where the same runs by now."""
    row = Subscription.objects.select_for_update(of=("self",)).get(pk=subscription.pk)
    if row.stopped_at is None:
        return
    before = as_history(row)
    row.stopped_at = None
    _save(row)
    record(actor, "restored", row, before, as_history(row), "Undone")


def _save(row: Subscription) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise RefusedReport("You have this report already.") from error
