"""A server on this machine that speaks Slack's Web API and its incoming webhooks, and keeps what it was sent.

And requests to us, signed as Slack signs them: https://docs.slack.dev/authentication/verifying-requests-from-slack/.
"""

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

from django.test import Client

TOKEN = "xoxb-a-token-of-tests"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ADDRESS = "/slack/actions/"
CHANNELS = {"#money": "C0MONEY01", "#alerts": "C0ALERTS1"}


class SlackServer(ThreadingHTTPServer):
    """`calls`: (method, what was sent), in order. `messages`: (channel, ts) → what stands there now.

    `people`: member id → what `users.info` says. `answers`: what comes instead, once each, of a method's next calls:
    (status, headers, body as text).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.messages: dict[tuple[str, str], dict[str, Any]] = {}
        self.people: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, deque[tuple[int, dict[str, str], str]]] = {}
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def sent(self, method: str) -> list[dict[str, Any]]:
        """What came to one method."""
        return [body for name, body in self.calls if name == method]

    def refuse(self, method: str, error: str, status: int = 200, **headers: str) -> None:
        """Answer the method's next call with this error."""
        body = json.dumps({"ok": False, "error": error}) if method != "hook" else error
        self.answers.setdefault(method, deque()).append((status, headers, body))


class Handler(BaseHTTPRequestHandler):
    server: SlackServer

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"])).decode()
        is_json = self.headers.get_content_type() == "application/json"
        body = json.loads(raw) if is_json else {key: values[0] for key, values in parse_qs(raw).items()}
        is_api = self.path.startswith("/api/")
        method = self.path.removeprefix("/api/") if is_api else self.path.split("/")[1]
        with self.server.lock:
            self.server.calls.append((method, body))
            waiting = self.server.answers.get(method)
            if waiting:
                status, headers, text = waiting.popleft()
            elif not is_api:
                status, headers, text = 200, {}, "ok"
            elif self.headers["authorization"] != f"Bearer {TOKEN}":
                status, headers, text = 200, {}, json.dumps({"ok": False, "error": "invalid_auth"})
            else:
                status, headers, text = 200, {}, json.dumps(self.answer(method, body))
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text.encode())

    def answer(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """As Slack would, in what we use of it."""
        kept = self.server.messages
        if method in {"chat.postMessage", "chat.update"} and (said := wrong_blocks(body)):
            return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": [said]}}
        if method == "chat.postMessage":
            channel = CHANNELS.get(body["channel"]) or body["channel"]
            if channel.startswith("#") or channel == "C0UNKNOWN":
                return {"ok": False, "error": "channel_not_found"}
            if channel.startswith("U"):
                channel = f"D{channel[1:]}"
            ts = f"1763805600.{next(self.server.numbers):06}"
            kept[channel, ts] = body
            return {"ok": True, "channel": channel, "ts": ts, "message": body}
        if method == "chat.update":
            where = (body.get("channel"), body.get("ts"))
            if where not in kept:
                return {"ok": False, "error": "message_not_found"}
            kept[where] = body
            return {"ok": True, "channel": where[0], "ts": where[1], "text": body.get("text", "")}
        if method == "users.info":
            person = self.server.people.get(body.get("user", ""))
            return {"ok": True, "user": person} if person else {"ok": False, "error": "user_not_found"}
        if method == "views.open":
            if not body.get("trigger_id"):
                return {"ok": False, "error": "invalid_trigger"}
            return {"ok": True, "view": {"id": "V1", **body["view"]}}
        if method == "conversations.info":
            found = body.get("channel") in CHANNELS.values()
            return {"ok": True, "channel": {"id": body["channel"]}} if found else NOT_THERE
        if method == "chat.postEphemeral":
            return {"ok": True, "message_ts": "1"}
        return {"ok": False, "error": "unknown_method"}

    def log_message(self, *_: object) -> None:
        """Nothing."""


NOT_THERE = {"ok": False, "error": "channel_not_found"}


def wrong_blocks(body: Mapping[str, Any]) -> str:
    """What Slack would refuse of a message, by the limits of its reference; "" if nothing."""
    blocks = body.get("blocks", [])
    if len(blocks) > 50:
        return "no more than 50 items allowed"
    for block in blocks:
        kind = block["type"]
        text = block.get("text", {}).get("text", "-")
        if not text or len(text) > (150 if kind == "header" else 3000):
            return f"must be 1 to so many characters: {kind}"
        if kind == "header" and block["text"]["type"] != "plain_text":
            return "a header is plain text"
        fields = block.get("fields", [])
        if len(fields) > 10 or any(not 0 < len(one["text"]) <= 2000 for one in fields):
            return "fields"
        for one in block.get("elements", []):
            if one["type"] == "button" and (len(one["text"]["text"]) > 75 or len(one.get("value", "")) > 2000):
                return "button"
    return ""


@contextmanager
def slack_server() -> Iterator[SlackServer]:
    """One that runs in a thread."""
    server = SlackServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def set_up(settings: Any, server: SlackServer) -> None:
    """As somebody does who makes an app."""
    settings.SLACK_BOT_TOKEN = TOKEN
    settings.SLACK_SIGNING_SECRET = SECRET
    settings.SLACK_API_URL = f"{server.url}/api/"
    settings.SITE_URL = "https://tokenops.example.com"
    settings.DELIVERY_ALLOW_PRIVATE = True


def signature(body: str, stamp: str, secret: str = SECRET) -> str:
    """By hand, as Slack's documentation says, not with its library."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()


def send_form(form: Mapping[str, str], *, secret: str = SECRET, stamp: str = "", **headers: str) -> Any:
    """Our answer to what Slack posts; `headers` go over those that Slack sends."""
    body = urlencode(form)
    stamp = stamp or str(int(time.time()))
    signed = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature(body, stamp, secret)}
    sent = {name: value for name, value in (signed | headers).items() if value}
    kind = "application/x-www-form-urlencoded"
    return Client(enforce_csrf_checks=True).post(ADDRESS, body, content_type=kind, headers=sent)


_clicks = itertools.count(1)


def send_payload(payload: Mapping[str, Any], **how: str) -> Any:
    """Slack's interactions come as one form field with JSON in it. No two of them are alike, nor are these."""
    return send_form({"payload": json.dumps({"trigger_id": f"1.2.{next(_clicks)}", **payload})}, **how)


def a_click(server: SlackServer, member: str, action: str, value: object, **more: Any) -> dict[str, Any]:
    """What Slack sends when a button of a message is pressed."""
    return {
        "type": "block_actions",
        "user": {"id": member, "username": member.lower(), "name": member.lower(), "team_id": "T0001"},
        "api_app_id": "A0001",
        "token": "deprecated",
        "team": {"id": "T0001", "domain": "acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "container": {"type": "message", "message_ts": "1763805600.000001", "channel_id": "C0MONEY01"},
        "channel": {"id": "C0MONEY01", "name": "money"},
        "response_url": f"{server.url}/respond/T0001/1/x",
        "actions": [
            {
                "type": "button",
                "action_id": action,
                "block_id": "b1",
                "text": {"type": "plain_text", "text": action, "emoji": False},
                "value": str(value),
                "action_ts": "1763805601.1",
            }
        ],
    } | more


def a_submission(member: str, callback: str, values: Mapping[str, Any], **view: Any) -> dict[str, Any]:
    """What Slack sends when a dialog is sent off. `values`: block → text typed, or {"chosen": value} of a menu."""
    state = {
        block: {
            "value": {"type": "static_select", "selected_option": {"value": one["chosen"], "text": {}}}
            if isinstance(one, dict)
            else {"type": "plain_text_input", "value": one or None}
        }
        for block, one in values.items()
    }
    return {
        "type": "view_submission",
        "team": {"id": "T0001", "domain": "acme"},
        "user": {"id": member, "username": member.lower(), "team_id": "T0001"},
        "view": {"id": f"V{next(_clicks)}", "callback_id": callback, "state": {"values": state}, "private_metadata": ""}
        | view,
        "response_urls": [],
        "enterprise": None,
    }
