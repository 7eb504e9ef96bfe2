"""Slack: to a channel by the app or by an incoming webhook, and to a person by the app.

A message that asked is replaced when it is decided (`chat.update`). What an incoming webhook posted cannot be: there a
new message says what became of it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from budgets.delivery import reach
from budgets.delivery.message import Message
from budgets.delivery.slack_api import LATER, SlackRefused, call, is_set_up
from budgets.delivery.slack_blocks import blocks_of, fallback_of
from budgets.delivery.transport import Address, Field, InvalidAddress, Target, Temporary

HOOKS = {"hooks.slack.com", "hooks.slack-gov.com"}
BY_WEBHOOK = "Incoming webhook"  # how such an address is shown: the rest of it is secret
ID = re.compile(r"[CGD][A-Z0-9]{6,30}")
NAME = re.compile(r"#?([\w-]{1,80})")
LONGEST = 2_000
GONE = {"message_not_found"}  # somebody deleted it: nothing is left to press
FIXED = {"cant_update_message", "edit_window_closed", "channel_not_found"}  # then it is said anew


class Slack:
    """One message to a channel or to one person (the address is their member id)."""

    key = "slack"
    words = "Slack"
    fields: tuple[Field, ...] = (
        Field("channel", "Slack channel", "Such as #budgets. Invite the app to it first.", required=False),
        Field(
            "url",
            "Or an incoming webhook",
            "Begins with https://hooks.slack.com/. Its messages cannot be changed once somebody has decided.",
            is_secret=True,
            required=False,
        ),
    )

    def clean(self, typed: Mapping[str, str], before: Mapping[str, Any] | None = None) -> Address:
        """A channel's name or id, or the address of a webhook. One that is kept goes where a channel is typed."""
        url, channel = typed.get("url", "").strip(), typed.get("channel", "").strip()
        channel = "" if channel == BY_WEBHOOK else channel
        if not url and not channel:
            url = str((before or {}).get("url", ""))
        if url:
            if said := problem_with_hook(url):
                raise InvalidAddress({"url": said})
            return Address(BY_WEBHOOK, {"url": url})
        if not channel:
            raise InvalidAddress({"channel": "Type a channel, such as #budgets, or the address of a webhook."})
        named = NAME.fullmatch(channel)
        if not ID.fullmatch(channel) and (named is None or channel != channel.lower()):
            raise InvalidAddress(
                {"channel": "Type a channel’s name in small letters, such as #budgets, or its id, such as C012AB3CD."}
            )
        if not settings.SLACK_BOT_TOKEN:
            raise InvalidAddress(
                {"channel": "TokenOps has no Slack app yet (SLACK_BOT_TOKEN is not set). Use an incoming webhook."}
            )
        return Address(channel if named is None or ID.fullmatch(channel) else f"#{named[1]}")

    def send(self, target: Target, message: Message) -> dict[str, Any]:
        """Where Slack has it: `channel` and `ts`; nothing for a webhook."""
        body = {"text": fallback_of(message), "blocks": blocks_of(message, has_buttons=is_set_up())}
        if url := target.secret.get("url"):
            return send_by_hook(str(url), body)
        if target.external and target.external.get("ts"):
            stands = {"channel": target.external["channel"], "ts": target.external["ts"]}
            try:
                call("chat.update", stands | body)
                return stands
            except SlackRefused as refused:
                if refused.code in GONE:
                    return stands
                if refused.code not in FIXED:
                    raise
        plain = {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
        answer = call("chat.postMessage", {"channel": target.address} | body | plain)
        if not isinstance(answer.get("ts"), str) or not isinstance(answer.get("channel"), str):
            return {}  # taken, but nothing there to replace it by
        return {"channel": answer["channel"], "ts": answer["ts"]}


def problem_with_hook(url: str) -> str:
    """Why this is no incoming webhook of Slack, in a sentence; "" if it is one."""
    if len(url) > LONGEST:
        return "That is too long."
    if said := reach.problem_with(url):
        return said
    if urlsplit(url).hostname not in HOOKS and not settings.DELIVERY_ALLOW_PRIVATE:
        return "Slack’s incoming webhooks begin with https://hooks.slack.com/."
    return ""


def send_by_hook(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Slack answers with a word, not with JSON."""
    status, answer = reach.post(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    if 200 <= status < 300:
        return {}
    code = re.sub(r"[^\w.-]", "", answer[:100].decode("ascii", "ignore")) or str(status)
    if status in {408, 425, 429} or status >= 500 or code in LATER:
        raise Temporary(f"Slack answered {status} ({code}).")
    raise SlackRefused(code)


SLACK = Slack()
