"""Approve, Decline, Undo and Open under a message. The same rights, functions and history as on the page."""

from contextlib import suppress
from datetime import datetime

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.utils import timezone

from budgets.access.reachable import reachable
from budgets.approvals import decide, messages
from budgets.delivery.links import link
from budgets.delivery.slack_blocks import APPROVE, DECLINE, UNDO
from budgets.models import ApprovalRequest
from routing.approvals import acts
from routing.slack import answers
from routing.slack.person import Unknown, actor_of, person_of, who_can
from routing.slack.signed import Payload

ASK_REASON = "decline"  # callback_id of the dialog
LONGEST_REASON = 500
GONE = "This request does not exist any more."


def pressed(payload: Payload) -> HttpResponse:
    """A button of a message. Whatever comes of it is told to who pressed, and nobody else."""
    for action in payload.actions[:1]:
        if action.action_id in {APPROVE, DECLINE, UNDO}:
            with messages.showing_their_currency():
                _act(payload, action.action_id, _request_of(action.value))
    return answers.heard()


def declined(payload: Payload) -> HttpResponse:
    """The dialog with the reason was sent off."""
    assert payload.view is not None
    number, _, url = payload.view.private_metadata.partition(" ")
    request, now = _request_of(number), timezone.now()
    if request is None:
        return answers.in_dialog("Not declined", GONE)
    try:
        user = _decider(payload, request)
        with messages.showing_their_currency():
            request = acts.decline(actor_of(user), request.pk, payload.view.typed().get("reason", ""), now).request
    except decide.ReasonNeeded as needed:
        return answers.wrong_fields({"reason": str(needed)})
    except decide.AlreadyDecided as late:
        answers.show_outcome(url, late.request, now)
        return answers.in_dialog("Already decided", str(late))
    except (Unknown, decide.NotDecided) as refused:
        return answers.in_dialog("Not declined", str(refused))
    if answers.only_you(url, "You declined this. Whoever asked is told why.", (answers.undo_button(request),)):
        answers.show_outcome(url, request, now)
    return answers.heard()


def _act(payload: Payload, what: str, request: ApprovalRequest | None) -> None:
    url, now = payload.response_url, timezone.now()
    if request is None:
        answers.only_you(url, GONE)
        return
    try:
        user = _decider(payload, request)
        if what == APPROVE:
            _approve(user, request, url, now)
        elif what == UNDO:
            said = acts.undo(actor_of(user), request.pk, now=now).said
            answers.instead(url, f"Undone. {said}" if said else "Undone. The request waits again.")
        else:
            _ask_reason(payload, user, request, now)
    except decide.AlreadyDecided as late:
        if what == UNDO:
            answers.instead(url, str(late))
        elif answers.only_you(url, str(late)):
            answers.show_outcome(url, late.request, now)
    except (Unknown, decide.NotDecided) as refused:
        answers.only_you(url, str(refused))


def _approve(user: User, request: ApprovalRequest, url: str | None, now: datetime) -> None:
    done = acts.approve(actor_of(user), request.pk, "", now)
    undo = (answers.undo_button(request),)
    said = "One more person has to." if done.waiting_for_second else done.said
    if answers.only_you(url, f"You approved this. {said}".strip(), undo) and not done.waiting_for_second:
        answers.show_outcome(url, done.request, now, done.said)


def _ask_reason(payload: Payload, user: User, request: ApprovalRequest, now: datetime) -> None:
    """Open the dialog, for those who may decline. Without a reason nothing is declined."""
    with suppress(decide.ReasonNeeded):
        acts.decline(actor_of(user), request.pk, "", now)
    view = {
        "type": "modal",
        "callback_id": ASK_REASON,
        "private_metadata": f"{request.pk} {(payload.response_url or '')[:1_000]}",
        "title": answers.plain("Decline"),
        "submit": answers.plain("Decline"),
        "close": answers.plain("Cancel"),
        "blocks": [
            {
                "type": "input",
                "block_id": "reason",
                # Empty is sent, too, so that the answer says what is missing.
                "optional": True,
                "label": answers.plain("Why?"),
                "hint": answers.plain("Whoever asked reads it, and knows what to do instead."),
                "element": {
                    "type": "plain_text_input",
                    "action_id": "typed",
                    "multiline": True,
                    "max_length": LONGEST_REASON,
                },
            }
        ],
    }
    if not answers.open_dialog(payload.trigger_id, view):
        page = link(messages.path(request))
        said = f"Slack did not open the dialog, so nothing was declined. You can do it here: {page}"
        answers.only_you(payload.response_url, said)


def _decider(payload: Payload, request: ApprovalRequest) -> User:
    """Who pressed, if the request is one that they see. Raises Unknown."""
    try:
        user = person_of(payload.user.id, payload.workspace, payload.company)
    except Unknown as unknown:
        raise Unknown(f"{unknown} {who_can(request)}".strip()) from unknown
    if not reachable(ApprovalRequest, user).filter(pk=request.pk).exists():
        raise Unknown(f"You may not decide this: your role does not reach it. {who_can(request)}".strip())
    return user


def _request_of(number: str | None) -> ApprovalRequest | None:
    if not number or not (number.isascii() and number.isdecimal()) or len(number) > 18:
        return None
    return ApprovalRequest.objects.filter(pk=int(number)).first()
