"""Slack's Web API: one call, once, with what it answers in the terms of a delivery."""

import re
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from django.conf import settings
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from budgets.delivery.transport import Refused, Temporary

PATIENCE = 10  # seconds for a message; a person who waits for an answer gets less
CODE = re.compile(r"[a-z_]{1,100}")  # anything else is from whoever stands between
BY_FORM = {"users.info"}  # methods that read no JSON
LATER = {
    "ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable",
    "request_timeout", "team_added_to_org", "rollup_error",
}  # fmt: skip
WORDS = {
    "channel_not_found": "Slack knows no such channel, or the app was not invited to it.",
    "not_in_channel": "The app is not in this channel. Invite it there with /invite.",
    "is_archived": "The channel is archived in Slack.",
    "channel_is_archived": "The channel is archived in Slack.",
    "user_not_found": "Slack knows no person with this member id.",
    "no_service": "The incoming webhook was removed or switched off in Slack.",
    "no_service_id": "The incoming webhook was removed or switched off in Slack.",
    "no_active_hooks": "The incoming webhook was removed or switched off in Slack.",
    "invalid_token": "Slack does not know this incoming webhook.",
    "missing_scope": "The app lacks a permission in Slack. docs/slack.md lists what it needs.",
    "invalid_auth": "Slack does not accept SLACK_BOT_TOKEN.",
    "not_authed": "Slack does not accept SLACK_BOT_TOKEN.",
    "token_revoked": "SLACK_BOT_TOKEN was revoked in Slack.",
    "token_expired": "SLACK_BOT_TOKEN has expired.",
    "account_inactive": "SLACK_BOT_TOKEN belongs to an app that was removed from Slack.",
    "restricted_action": "A setting of the Slack workspace forbids the app to post there.",
}


class SlackRefused(Refused):
    """`code` is Slack's word for it."""

    def __init__(self, code: str) -> None:
        super().__init__(f"{WORDS.get(code, 'Slack refused it.')} ({code[:100]})")
        self.code = code


def is_set_up() -> bool:
    """Whether buttons work: Slack can send us what is pressed, and we can answer."""
    return bool(settings.SLACK_BOT_TOKEN and settings.SLACK_SIGNING_SECRET)


def call(method: str, values: Mapping[str, Any], patience: int = PATIENCE) -> dict[str, Any]:
    """Slack's answer. Raises SlackRefused or Temporary. Not tried again here: that might send a message twice."""
    if not settings.SLACK_BOT_TOKEN:
        raise Temporary("Slack is not set up: SLACK_BOT_TOKEN is not set.")
    client = WebClient(
        token=settings.SLACK_BOT_TOKEN,
        base_url=settings.SLACK_API_URL.rstrip("/") + "/",
        timeout=patience,
        retry_handlers=[],
    )
    try:
        if method in BY_FORM:
            answer = client.api_call(method, params=dict(values))
        else:
            answer = client.api_call(method, json=dict(values))
    except SlackApiError as error:
        raise _judged(error.response) from error
    except (OSError, ValueError, AttributeError, HTTPException, SlackClientError) as error:  # or no JSON object
        raise Temporary(f"No answer from Slack: {type(error).__name__}.") from error
    return dict(answer.data) if isinstance(answer.data, dict) else {}


def _judged(response: Any) -> Exception:
    """Of an answer that is no yes: a SlackResponse, or a dict where it was no JSON."""
    status = _of(response, "status_code") or _of(response, "status") or 0
    headers = {str(key).lower(): value for key, value in dict(_of(response, "headers") or {}).items()}
    data = _of(response, "data")
    code = str((data if isinstance(data, dict) else {}).get("error") or "")
    if status == 429 or code in LATER or status >= 500 or not CODE.fullmatch(code):
        said = "Slack wants fewer messages." if status == 429 else f"Slack answered {code[:100] or status}."
        return Temporary(said, seconds_of(headers.get("retry-after")))
    return SlackRefused(code)


def _of(response: Any, name: str) -> Any:
    return response.get(name) if isinstance(response, dict) else getattr(response, name, None)


def seconds_of(text: object) -> int | None:
    """A Retry-After in seconds; None for what is no such number."""
    said = str(text[0] if isinstance(text, list) and text else text)
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 7 else None
