"""What is said to people outside the page, as values; each transport renders it its own way. Pure."""

from typing import Any

import msgspec


class Fact(msgspec.Struct, frozen=True):
    """One line of figures: what it is, and how much, as text."""

    label: str
    value: str


class Item(msgspec.Struct, frozen=True):
    """One of several things told together: a sentence and the page (path) that shows it."""

    title: str
    path: str = ""
    resolved: bool = False


class Attachment(msgspec.Struct, frozen=True):
    """A file that goes along where the transport can carry one: its name, its media type, its text."""

    name: str
    media_type: str
    text: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it was when it was made; frozen, so that a late delivery says what held then.

    `title` is one line that leads with the amount. `path` is the address on our site (transports put the site's
    address before it). `request` is set where the message asks for a decision: transports that can take one show
    Approve, Decline and Open for that request, others only the link: a link never decides anything. `outcome` is what
    became of it, in a message that takes the place of one that asked. `test` messages say that they are one. `items`
    are told together; the title then sums them up. `stop_path` is the address on our site that ends mails of this kind
    with one click (RFC 8058); `attachments` go along by mail.
    """

    title: str
    text: str = ""
    facts: tuple[Fact, ...] = ()
    path: str = ""
    open_label: str = "Open"
    request: int | None = None
    urgent: bool = True
    resolved: bool = False
    test: bool = False
    items: tuple[Item, ...] = ()
    kind: str = "alert"
    outcome: str = ""
    id: str = ""
    stop_path: str = ""
    attachments: tuple[Attachment, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `Delivery.payload`."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told


def message_of(payload: dict[str, Any]) -> Message:
    """The message that a delivery carries."""
    return msgspec.convert(payload, Message, strict=False)
