"""Webhooks: a CloudEvents 1.0 body, signed as Standard Webhooks says (https://www.standardwebhooks.com).

Headers `webhook-id`, `webhook-timestamp` and `webhook-signature`: "v1," and base64 of HMAC-SHA256 over
"id.timestamp.body" under the secret; one signature for each secret in force, so that a secret is renewed without a gap.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from budgets.delivery import reach
from budgets.delivery.links import link
from budgets.delivery.message import Message
from budgets.delivery.transport import Address, Field, InvalidAddress, Target

PREFIX = "whsec_"
OVERLAP = 24 * 3600  # seconds that a renewed secret goes on being signed with
LONGEST = 2_000


class Webhook:
    """One POST to one address."""

    key = "webhook"
    words = "Webhook"
    fields: tuple[Field, ...] = (
        Field("url", "Web address", "It gets a signed CloudEvents message for each alert.", is_secret=True),
    )

    def clean(self, typed: Mapping[str, str], before: Mapping[str, Any] | None = None) -> Address:
        """Keeps the address and the secret there are where nothing else was typed; makes a secret for a new one."""
        url = typed.get("url", "").strip() or str((before or {}).get("url", ""))
        if not url:
            raise InvalidAddress({"url": "Type the web address to send to."})
        problem = "That is too long." if len(url) > LONGEST else reach.problem_with(url)
        if problem:
            raise InvalidAddress({"url": problem})
        kept = list((before or {}).get("secrets", ())) or [{"secret": new_secret(), "until": None}]
        return Address(urlsplit(url).netloc[:500], {"url": url, "secrets": kept})

    def send(self, target: Target, message: Message) -> dict[str, Any]:
        """The answer's status."""
        url = str(target.secret["url"])
        body = json.dumps(event_of(target, message), ensure_ascii=False).encode()
        now = int(time.time())
        headers = {
            "Content-Type": "application/cloudevents+json",
            "User-Agent": "TokenOps",
            "webhook-id": target.id,
            "webhook-timestamp": str(now),
            "webhook-signature": " ".join(
                signature(secret, target.id, now, body) for secret in in_force(target.secret["secrets"], now)
            ),
        }
        status, _ = reach.post(url, body, headers)
        reach.judge(status, target.address)
        return {"status": status}


def event_of(target: Target, message: Message) -> dict[str, Any]:
    """CloudEvents 1.0, structured. `id` is the same at each attempt, so that a receiver takes a message once."""
    data = msgspec.to_builtins(message)
    for of_mail in ("stop_path", "attachments"):
        del data[of_mail]
    return {
        "specversion": "1.0",
        "id": target.id,
        "source": settings.SITE_URL,
        "type": f"dev.tokenops.{message.kind}",
        "time": target.options.get("made_at") or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "datacontenttype": "application/json",
        "data": data | {"link": link(message.path)},
    }


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def renewed(kept: Sequence[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """A new secret first; the one before goes on for a day."""
    before = [{"secret": one["secret"], "until": now + OVERLAP} for one in kept[:1]]
    return [{"secret": new_secret(), "until": None}, *before]


def in_force(kept: Sequence[Mapping[str, Any]], now: float) -> list[str]:
    return [str(one["secret"]) for one in kept if one["until"] is None or one["until"] > now]


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and base64 of the HMAC-SHA256."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


WEBHOOK = Webhook()
