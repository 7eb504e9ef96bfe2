"""Channels: make, change, remove, renew a webhook's secret, send a marked test; each with its row of history.

What is secret of an address is in no row of history: that it was replaced is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.delivery.message import Message
from budgets.delivery.queue import queue
from budgets.delivery.sealed import CannotUnseal, sealed, secret_of
from budgets.delivery.transport import InvalidAddress
from budgets.delivery.transports import TRANSPORTS
from budgets.delivery.transports.webhook import WEBHOOK, renewed
from budgets.models import AuditEntry, Channel, Delivery

LONGEST_NAME = 128


class InvalidChannel(Exception):
    """What was typed cannot be a channel: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedChannel(Exception):
    """It cannot be done with the channel as it is now, in a sentence."""


@dataclass(frozen=True, slots=True)
class ChannelValues:
    """What people decide about a channel. `typed` are the transport's fields; an empty secret one keeps what is kept.

    `requests`: it also hears of requests that wait for a decision. Times are of the organisation's zone.
    """

    name: str
    transport: str
    typed: Mapping[str, str] = field(default_factory=dict)
    requests: bool = False
    quiet_from: time | None = None
    quiet_to: time | None = None
    digest_at: time = time(9)


def as_history(channel: Channel) -> dict[str, Any]:
    """For the row of history."""
    quiet = [channel.quiet_from, channel.quiet_to]
    return {
        "name": channel.name,
        "transport": channel.transport,
        "address": channel.address,
        "requests": bool(channel.options.get("requests")),
        "quiet_hours": "" if None in quiet else "–".join(f"{one:%H:%M}" for one in quiet if one),
        "digest_at": f"{channel.digest_at:%H:%M}",
        "removed": channel.archived_at is not None,
    }


@transaction.atomic
def create_channel(actor: Actor, values: ChannelValues, reason: str = "") -> Channel:
    """A new channel. Raises InvalidChannel."""
    channel = Channel(transport=values.transport)
    _write(channel, values)
    record(actor, "created", channel, None, as_history(channel), reason)
    return channel


@transaction.atomic
def change_channel(
    actor: Actor, channel: Channel, values: ChannelValues, reason: str = "", seen: int | None = None
) -> Channel:
    """Change it. `seen` is the `edit_version` that was edited. Raises InvalidChannel or RefusedChannel."""
    row = _held(channel, seen)
    before, kept = as_history(row), bytes(row.sealed or b"")
    _write(row, replace(values, transport=row.transport))
    after = as_history(row)
    if before == after and bytes(row.sealed or b"") == kept:
        return row
    if bytes(row.sealed or b"") != kept:
        after["signing"] = "replaced"
    Channel.objects.filter(pk=row.pk).update(edit_version=row.edit_version + 1)
    row.refresh_from_db()
    record(actor, "changed", row, before, after, reason)
    return row


@transaction.atomic
def archive(actor: Actor, channel: Channel, reason: str = "") -> Channel:
    """Nothing is sent there any more, and what waits is not sent. Its name is free again."""
    row = _held(channel)
    before = as_history(row)
    now = timezone.now()
    row.archived_at = now
    row.name = f"{row.name[:90]} (removed {now:%Y-%m-%d %H:%M:%S})"
    row.edit_version += 1
    row.save()
    waiting = Delivery.objects.filter(channel=row, state=Delivery.State.QUEUED)
    waiting.update(state=Delivery.State.CANCELLED, problem="The channel was removed.")
    record(actor, "archived", row, before, as_history(row), reason)
    return row


@transaction.atomic
def undo_archive(actor: Actor, channel: Channel, entry: AuditEntry) -> Channel:
    """Take its removal back; what was not sent stays so. RefusedChannel where it was not removed by `entry`."""
    row = Channel.objects.select_for_update().get(pk=channel.pk)
    if entry.act != "archived" or entry.object_id != str(row.pk) or row.archived_at is None or not entry.before:
        raise RefusedChannel("The channel is in use, so nothing was undone.")
    name = str(entry.before["name"])
    if Channel.objects.filter(name=name).exists():
        raise RefusedChannel(f"Another channel is called “{name}” now, so nothing was undone.")
    before = as_history(row)
    row.archived_at, row.name = None, name
    row.edit_version += 1
    row.save()
    record(actor, "restored", row, before, as_history(row), "Undone")
    return row


@transaction.atomic
def renew_secret(actor: Actor, channel: Channel, reason: str = "") -> str:
    """A webhook's new secret, to be shown once; the one before is signed with for another day."""
    row = _held(channel)
    if row.transport != WEBHOOK.key:
        raise RefusedChannel("Only webhooks have a secret that is renewed here.")
    kept = _secret(row)
    secrets = renewed(kept.get("secrets", ()), timezone.now().timestamp())
    row.sealed = sealed({**kept, "secrets": secrets})
    row.edit_version += 1
    row.save()
    record(actor, "renewed the secret of", row, None, {"signing": "replaced"}, reason)
    return str(secrets[0]["secret"])


def signing_secret(channel: Channel) -> str:
    """The secret that a webhook's receiver checks with; "" for other transports."""
    if channel.transport != WEBHOOK.key:
        return ""
    return str(_secret(channel)["secrets"][0]["secret"])


@transaction.atomic
def test(actor: Actor, channel: Channel, now: datetime | None = None) -> Delivery:
    """Send a message that says that it is a test. Raises RefusedChannel for a removed channel."""
    row = _held(channel)
    now = now or timezone.now()
    message = Message(
        kind="test",
        title=f"This is how messages from TokenOps to {row.name} look",
        text=f"{actor.text} asked for this test. Nothing happened.",
        path="/settings/channels/",
        open_label="Open channels",
        test=True,
    )
    sent = queue(message, f"test:{row.pk}:{now.timestamp()}", channel=row)
    assert sent is not None
    record(actor, "tested", row, None, None)
    return sent


def _held(channel: Channel, seen: int | None = None) -> Channel:
    row = Channel.objects.select_for_update().get(pk=channel.pk)
    if row.archived_at is not None:
        raise RefusedChannel("This channel was removed.")
    if seen is not None and seen != row.edit_version:
        raise RefusedChannel("Someone changed this channel meanwhile. Look at it as it is now, then change it again.")
    return row


def _secret(channel: Channel) -> dict[str, Any]:
    """{} where the SECRET_KEY that sealed it is gone: its fields are then typed again."""
    try:
        return secret_of(channel)
    except CannotUnseal:
        return {}


def _write(row: Channel, values: ChannelValues) -> None:
    """Check the values and save them."""
    problems: dict[str, str] = {}
    name = " ".join(values.name.replace("\0", "").split())
    if not any(letter.isalnum() for letter in name):
        problems["name"] = "Give it a name that people recognise, such as “Marketing alerts”."
    elif len(name) > LONGEST_NAME:
        problems["name"] = f"That is too long. Use at most {LONGEST_NAME} letters."
    elif Channel.objects.filter(name__iexact=name).exclude(pk=row.pk).exists():
        problems["name"] = f"There is a channel called “{name}” already."
    if (values.quiet_from is None) != (values.quiet_to is None):
        problems["quiet_to" if values.quiet_to is None else "quiet_from"] = "Quiet hours need both times, or none."
    elif values.quiet_from is not None and values.quiet_from == values.quiet_to:
        problems["quiet_to"] = "Quiet hours end at another time than they begin."
    transport = TRANSPORTS.get(values.transport)
    if transport is None:
        problems["transport"] = f"Choose from: {', '.join(TRANSPORTS)}."
        raise InvalidChannel(problems)
    before = _secret(row) if row.sealed is not None else None
    try:
        address = transport.clean({key: text.replace("\0", "") for key, text in values.typed.items()}, before)
    except InvalidAddress as error:
        raise InvalidChannel(problems | error.problems) from None
    if problems:
        raise InvalidChannel(problems)
    row.name, row.address = name, address.shown
    if address.secret != before or row.pk is None:
        row.sealed = sealed(address.secret)
    row.options = {**(address.options or {}), **({"requests": True} if values.requests else {})}
    row.quiet_from, row.quiet_to, row.digest_at = values.quiet_from, values.quiet_to, values.digest_at
    row.save()
