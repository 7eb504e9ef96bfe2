"""`/slack/actions/`: everything that Slack sends us, from buttons, dialogs, shortcuts and the command."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from routing.slack import answers, asking, deciding
from routing.slack.signed import NotFromSlack, Payload, TooLarge, form_of, payload_of

DIALOGS: dict[str, Callable[[Payload], HttpResponse]] = {
    deciding.ASK_REASON: deciding.declined,
    asking.ASK_PREMIUM: asking.asked,
}


@csrf_exempt
@require_POST
@never_cache
def actions(request: HttpRequest) -> HttpResponse:
    """403 without Slack's signature, 400 for what it does not write. What it writes and we do not use is heard."""
    try:
        form = form_of(request)
        payload = None if "command" in form else payload_of(form)
    except NotFromSlack as error:
        return _refused(403, str(error))
    except TooLarge:
        return _refused(413, "That is more than Slack sends.")
    except ValueError:
        return _refused(400, "That is nothing that Slack sends.")
    return asking.command(form) if payload is None else _answered(payload)


def _answered(payload: Payload) -> HttpResponse:
    if payload.type == "block_actions":
        return deciding.pressed(payload)
    if payload.type == "block_suggestion":
        return asking.options(payload)
    if payload.type in {"shortcut", "message_action"} and payload.callback_id in asking.SHORTCUTS:
        return asking.shortcut(payload)
    if payload.type == "view_submission" and payload.view is not None:
        handler = DIALOGS.get(payload.view.callback_id)
        return handler(payload) if handler else answers.heard()
    return answers.heard()


def _refused(status: int, said: str) -> HttpResponse:
    return HttpResponse(f"{said}\n", status=status, content_type="text/plain; charset=utf-8")
