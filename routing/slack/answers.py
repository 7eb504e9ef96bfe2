"""What we say back in Slack: to one person only, in a message's place, or in a dialog."""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from urllib3.util import Timeout

from budgets.approvals import messages
from budgets.delivery import reach
from budgets.delivery.slack_api import call, is_set_up
from budgets.delivery.slack_blocks import Block, blocks_of, button, escaped, fallback_of, section
from budgets.delivery.transport import Refused, Temporary
from budgets.delivery.transports.slack import HOOKS
from budgets.models import ApprovalRequest

logger = logging.getLogger(__name__)
PATIENCE = Timeout(connect=0.5, read=0.8)  # Slack waits three seconds for us altogether
LONGEST_TITLE = 24
LONGEST_ERROR = 1_000


def heard() -> HttpResponse:
    """All that Slack wants for most of what it sends; it closes a dialog that was sent off."""
    return HttpResponse(status=200)


def only_you(url: str | None, text: str, buttons: tuple[Block, ...] = ()) -> bool:
    """A message that only who pressed sees; False where Slack did not take it."""
    blocks = [section(escaped(text)), *([{"type": "actions", "elements": list(buttons)}] if buttons else [])]
    return _respond(
        url, {"response_type": "ephemeral", "replace_original": False, "text": escaped(text), "blocks": blocks}
    )


def instead(url: str | None, text: str) -> None:
    """Text in the place of the message that only they see."""
    blocks = [section(escaped(text))]
    _respond(url, {"replace_original": True, "text": escaped(text), "blocks": blocks})


def show_outcome(url: str | None, request: ApprovalRequest, now: datetime, said: str = "") -> None:
    """What became of the request, in the place of the message that was pressed.

    The outbox does that for each message it knows; this one changes at once, and those of an incoming webhook, too.
    """
    message = messages.concluded(request, now, said)
    blocks = blocks_of(message, has_buttons=is_set_up())
    _respond(url, {"replace_original": True, "text": fallback_of(message), "blocks": blocks})


def undo_button(request: ApprovalRequest) -> Block:
    return button("Undo", "undo", str(request.pk))


def open_dialog(trigger: str, view: Mapping[str, Any]) -> bool:
    """Whether Slack opened it."""
    try:
        call("views.open", {"trigger_id": trigger, "view": dict(view)}, 1)
    except (Refused, Temporary) as problem:
        logger.warning("Slack opened no dialog: %s", problem)
        return False
    return True


def in_dialog(title: str, text: str) -> HttpResponse:
    """Text in the place of the dialog that was sent off."""
    return JsonResponse({"response_action": "update", "view": notice(title, text)})


def wrong_fields(problems: Mapping[str, str]) -> HttpResponse:
    """Each sentence beside its field (block)."""
    errors = {block: said[:LONGEST_ERROR] for block, said in problems.items()}
    return JsonResponse({"response_action": "errors", "errors": errors})


def notice(title: str, text: str) -> dict[str, Any]:
    """A dialog that only says something."""
    return {
        "type": "modal",
        "title": plain(title[:LONGEST_TITLE]),
        "close": plain("Close"),
        "blocks": [section(escaped(text))],
    }


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _respond(url: str | None, body: Mapping[str, Any]) -> bool:
    """Whether Slack took it. If not, what was done is done all the same, and the page shows it."""
    if not url or not _is_slacks(url):
        return False
    try:
        status, _ = reach.post(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, PATIENCE)
    except (Refused, Temporary) as problem:
        logger.warning("Somebody who pressed a button in Slack was not answered: %s", problem)
        return False
    if status >= 300:
        logger.warning("Slack answered %s to what somebody who pressed a button should see", status)
    return status < 300


def _is_slacks(url: str) -> bool:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return host in HOOKS or host == urlsplit(settings.SLACK_API_URL).hostname
