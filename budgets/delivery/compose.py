"""Make deliveries of what channels have to hear: one message for what comes together, at once, later or in a digest.

A new alert of an urgent rule leaves at once, in quiet hours too. That it is over, or stands still, waits for their end.
What is not urgent goes into one digest a day. When many messages went to a channel within a minute, the next waits, and
tells of everything that came meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from budgets.alerts.findings import Finding
from budgets.delivery.message import Fact, Item, Message
from budgets.delivery.queue import queue
from budgets.models import Alert, Channel, Delivery, Notice, Organisation

MANY = 5  # messages to one channel
WITHIN = timedelta(minutes=1)
AT_ONCE = 2_000  # notices put together in one pass; the rest are in the next
NAMED = 25  # alerts that one message names; the page has them all


def compose(now: datetime | None = None) -> int:
    """Deliveries made. Racing workers make each once: a channel is one worker's at a time."""
    now = now or timezone.now()
    waiting = Notice.objects.filter(channel=OuterRef("pk"), delivery=None)
    made = 0
    for pk in Channel.objects.filter(Exists(waiting)).values_list("pk", flat=True):
        made += compose_for(pk, now)
    return made


@transaction.atomic
def compose_for(channel_id: int, now: datetime) -> int:
    """Those of one channel; 0 where another worker has it."""
    channel = Channel.objects.select_for_update(skip_locked=True).filter(pk=channel_id).first()
    if channel is None:
        return 0
    waiting = Notice.objects.filter(channel=channel, delivery=None)
    if channel.archived_at is not None:
        waiting.delete()
        return 0
    zone = Organisation.get().zone
    near = maybe_due(waiting, channel, now, zone).select_related("alert__rule").order_by("pk")[:AT_ONCE]
    due = [one for one in near if due_at(one, channel, zone) <= now]
    urgent = [one for one in due if one.urgent]
    digest = [one for one in due if not one.urgent]
    made = 0
    if urgent and not is_flooded(channel, now):
        made += put_together(channel, urgent, "alert")
    if digest:
        made += put_together(channel, digest, "digest")
    return made


def maybe_due(waiting: QuerySet[Notice], channel: Channel, now: datetime, zone: ZoneInfo) -> QuerySet[Notice]:
    """Without those that wait for a digest to come: this is looked at each second, and they may be thousands."""
    near = Q(urgent=True)
    if after_quiet(now, channel, zone) == now:
        near |= Q(created_at__lte=last_at(channel.digest_at, now, zone))
    return waiting.filter(near)


def due_at(notice: Notice, channel: Channel, zone: ZoneInfo) -> datetime:
    """When it may leave."""
    at = notice.created_at
    if notice.urgent and notice.kind == Notice.Kind.RAISED:
        return at
    if not notice.urgent:
        at = next_at(channel.digest_at, at, zone)
    return after_quiet(at, channel, zone)


def next_at(hour: time, after: datetime, zone: ZoneInfo) -> datetime:
    """The first moment from `after` on when clocks in `zone` show `hour`; one that is skipped in spring comes later."""
    local = after.astimezone(zone)
    day = local.date()
    found = datetime.combine(day, hour, zone)
    return found if found >= after else datetime.combine(day + timedelta(days=1), hour, zone)


def last_at(hour: time, before: datetime, zone: ZoneInfo) -> datetime:
    """The last moment up to `before` when clocks in `zone` showed `hour`."""
    day = before.astimezone(zone).date()
    found = datetime.combine(day, hour, zone)
    return found if found <= before else datetime.combine(day - timedelta(days=1), hour, zone)


def after_quiet(at: datetime, channel: Channel, zone: ZoneInfo) -> datetime:
    """`at`, or the end of the quiet hours that it falls in. They may go over midnight."""
    start, end = channel.quiet_from, channel.quiet_to
    if start is None or end is None:
        return at
    clock = at.astimezone(zone).time().replace(tzinfo=None)
    is_quiet = start <= clock < end if start < end else clock >= start or clock < end
    return next_at(end, at, zone) if is_quiet else at


def is_flooded(channel: Channel, now: datetime) -> bool:
    """Whether so many messages went there just now that the next had better wait and tell of more."""
    recent: QuerySet[Delivery] = Delivery.objects.filter(channel=channel, kind="alert", created_at__gt=now - WITHIN)
    return recent.count() >= MANY


def put_together(channel: Channel, notices: Sequence[Notice], kind: str) -> int:
    """One delivery that tells of them all. Its key names the first, so that a notice is in one delivery only."""
    message = message_of_one(notices[0]) if len(notices) == 1 else message_of_many(notices, kind)
    delivery = queue(message, f"notice:{notices[0].pk}", channel=channel)
    if delivery is None:
        delivery = Delivery.objects.get(key=f"notice:{notices[0].pk}")
    Notice.objects.filter(pk__in=[one.pk for one in notices]).update(delivery=delivery)
    return 1


def message_of_one(notice: Notice) -> Message:
    """The message for one alert."""
    alert = notice.alert
    is_over = notice.kind == Notice.Kind.RESOLVED
    finding = Finding.of_json(alert.facts)
    text = alert.resolution if is_over else ""
    if notice.kind == Notice.Kind.AGAIN:
        text = "This still stands. It was put off until now."
    return Message(
        kind="resolved" if is_over else "alert",
        id=f"alert-{alert.pk}",
        title=title_of(notice),
        text=text,
        facts=tuple(Fact(label, value) for label, value in finding.facts.items()),
        path=path_of(alert),
        urgent=notice.urgent,
        resolved=is_over,
    )


def message_of_many(notices: Sequence[Notice], kind: str) -> Message:
    """The message for several: how many, and a line for each; a day's digest says that it is one."""
    new = sum(one.kind != Notice.Kind.RESOLVED for one in notices)
    over = len(notices) - new
    counts = [f"{new} alert{'s' if new != 1 else ''}"] if new else []
    counts += [f"{over} resolved"] if over else []
    rest = len(notices) - NAMED
    return Message(
        kind=kind,
        title=("Your alerts of the day: " if kind == "digest" else "") + " and ".join(counts),
        text=f"The first {NAMED} of {len(notices)} are listed here." if rest > 0 else "",
        items=tuple(
            Item(title_of(one), path_of(one.alert), one.kind == Notice.Kind.RESOLVED) for one in notices[:NAMED]
        ),
        path="/alerts/",
        open_label="Open alerts",
        urgent=kind != "digest",
        resolved=not new,
    )


def title_of(notice: Notice) -> str:
    return f"Resolved: {notice.alert.title}" if notice.kind == Notice.Kind.RESOLVED else notice.alert.title


def path_of(alert: Alert) -> str:
    return f"/alerts/{alert.pk}/"
