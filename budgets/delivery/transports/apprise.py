"""Microsoft Teams, Discord, PagerDuty and a hundred others through Apprise: one address says service and secrets.

Apprise connects by itself, so an address that names a host of its own (json://, mailto://, …) is refused unless private
addresses are allowed: only services whose host Apprise knows are reached.
"""

import logging
from collections.abc import Mapping
from typing import Any

import apprise
from django.conf import settings

from budgets.delivery.links import link
from budgets.delivery.message import Message
from budgets.delivery.transport import Address, Field, InvalidAddress, Target, Temporary

# Services that have a public host of their own; the address holds tokens only.
HOSTED = {
    "discord", "workflow", "workflows", "msteams", "pagerduty", "opsgenie", "tgram", "gchat", "pover", "pbul", "zulip",
    "wxteams", "webex", "splunk", "victorops", "slack", "ntfys", "ifttt", "twilio", "sendgrid", "mailgun", "signl4",
}  # fmt: skip
LONGEST = 2_000


class Apprise:
    """One Apprise address."""

    key = "apprise"
    words = "Teams, Discord, PagerDuty and others"
    fields: tuple[Field, ...] = (
        Field(
            "url",
            "Apprise address",
            "Such as discord://id/token or pagerduty://key@service; https://github.com/caronc/apprise lists them.",
            is_secret=True,
        ),
    )

    def clean(self, typed: Mapping[str, str], before: Mapping[str, Any] | None = None) -> Address:
        url = typed.get("url", "").strip() or str((before or {}).get("url", ""))
        if not url:
            raise InvalidAddress({"url": "Type the address to send to."})
        if len(url) > LONGEST:
            raise InvalidAddress({"url": "That is too long."})
        service = service_of(url)
        if service is None:
            raise InvalidAddress({"url": "Apprise does not understand this address. Look at its list of services."})
        if url.partition(":")[0].lower() not in HOSTED and not settings.DELIVERY_ALLOW_PRIVATE:
            raise InvalidAddress(
                {
                    "url": "This service names a host of its own. Use the webhook transport, or have an administrator"
                    " set DELIVERY_ALLOW_PRIVATE=1."
                }
            )
        return Address(str(service.service_name), {"url": url})

    def send(self, target: Target, message: Message) -> dict[str, Any]:
        """Apprise says only whether it was taken; what its log says is the reason."""
        service = service_of(str(target.secret["url"]))
        if service is None:
            raise Temporary("Apprise does not understand this channel's address.")
        heard = _Heard()
        log = logging.getLogger("apprise")
        log.addHandler(heard)
        try:
            kind = apprise.NotifyType.SUCCESS if message.resolved else apprise.NotifyType.WARNING
            sender = apprise.Apprise()
            sender.add(service)
            taken = sender.notify(body=body_of(message), title=title_of(message), notify_type=kind)
        finally:
            log.removeHandler(heard)
        if not taken:
            raise Temporary(heard.said or f"{target.address} did not take it.")
        return {}


def service_of(url: str) -> Any:
    """Apprise's plugin for the address; None where it is none."""
    try:
        return apprise.Apprise.instantiate(url, suppress_exceptions=True)
    except Exception:  # its plugins parse what they are given, each in its own way
        return None


def title_of(message: Message) -> str:
    return ("[Test] " if message.test else "") + message.title


def body_of(message: Message) -> str:
    """Plain text: what it says, figures, the things told together, the page."""
    lines = [message.text] if message.text else []
    lines += [f"{fact.label}: {fact.value}" for fact in message.facts]
    lines += [f"• {item.title}" for item in message.items]
    if message.path:
        lines.append(link(message.path))
    return "\n".join(lines) or message.title


class _Heard(logging.Handler):
    """The last warning while sending; addresses and tokens are not in those."""

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.said = " ".join(record.getMessage().split())[:300]


APPRISE = Apprise()
