"""What Slack posts to us, once it is sure that Slack did: signed, of the last minutes, and not seen before.

https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, UnreadablePostError
from slack_sdk.signature import SignatureVerifier

STAMP, SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"
LONGEST = 1_000_000  # bytes; a message with all the blocks that there may be has a fifth of it
REMEMBERED = 15 * 60  # seconds that a signature is known for: longer than its time stamp is good, either way


class NotFromSlack(Exception):
    """It is not, or nobody can tell; the sentence says why."""


class TooLarge(Exception):
    """More than Slack sends."""


def form_of(request: HttpRequest) -> dict[str, str]:
    """The fields of the form. Raises NotFromSlack, TooLarge, or ValueError where Slack would not write such a body."""
    if not settings.SLACK_SIGNING_SECRET:
        raise NotFromSlack("Slack is not set up here.")
    stamp, signature = request.headers.get(STAMP, ""), request.headers.get(SIGNATURE, "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 12 and signature.isascii() and signature):
        raise NotFromSlack("It has no signature of Slack.")
    body = _body(request)
    if not SignatureVerifier(settings.SLACK_SIGNING_SECRET).is_valid(body, stamp, signature):
        raise NotFromSlack("The signature is not Slack’s, or it is too old.")
    if not cache.add(f"slack:{signature}", 1, REMEMBERED):
        raise NotFromSlack("This was sent before.")
    return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=100, errors="strict"))


def _body(request: HttpRequest) -> str:
    try:
        raw = request.read(LONGEST + 1)
    except UnreadablePostError as error:
        raise NotFromSlack("It did not arrive whole.") from error
    if len(raw) > LONGEST:
        raise TooLarge
    try:
        return str(raw.decode())
    except UnicodeDecodeError as error:
        raise NotFromSlack("Slack writes UTF-8.") from error


class Named(msgspec.Struct, frozen=True):
    """Anything with an id."""

    id: str


class Member(msgspec.Struct, frozen=True):
    """Who pressed or typed."""

    id: str
    team_id: str | None = None


class Action(msgspec.Struct, frozen=True):
    """A button."""

    action_id: str = ""
    value: str | None = None


class Option(msgspec.Struct, frozen=True):
    """What was chosen of a menu."""

    value: str = ""


class Input(msgspec.Struct, frozen=True):
    """A field of a dialog."""

    value: str | None = None
    selected_option: Option | None = None

    @property
    def text(self) -> str:
        chosen = self.selected_option.value if self.selected_option else self.value
        return (chosen or "").replace("\0", "")


class State(msgspec.Struct, frozen=True):
    """The fields of a dialog, by block and action."""

    values: dict[str, dict[str, Input]] = {}


class View(msgspec.Struct, frozen=True):
    """A dialog that was sent off."""

    id: str = ""
    callback_id: str = ""
    private_metadata: str = ""
    state: State | None = None

    def typed(self) -> dict[str, str]:
        """Block → what stands in it."""
        values = self.state.values if self.state else {}
        return {block: next(iter(fields.values())).text for block, fields in values.items() if fields}


class Said(msgspec.Struct, frozen=True):
    """The message under which a shortcut was chosen."""

    text: str | None = None


class Payload(msgspec.Struct, frozen=True):
    """An interaction, as far as we use it. Whatever else is in it is left there."""

    type: str
    user: Member
    team: Named | None = None
    enterprise: Named | None = None
    trigger_id: str = ""
    response_url: str | None = None
    callback_id: str | None = None
    actions: tuple[Action, ...] = ()
    view: View | None = None
    message: Said | None = None
    value: str | None = None

    @property
    def workspace(self) -> str:
        return self.team.id if self.team else ""

    @property
    def company(self) -> str:
        """The enterprise grid, where there is one."""
        return self.enterprise.id if self.enterprise else ""


def payload_of(form: Mapping[str, str]) -> Payload:
    """The interaction in a form. ValueError where there is none."""
    try:
        return msgspec.json.decode(form.get("payload", "").encode(), type=Payload, strict=True)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("It has no payload of Slack.") from error
