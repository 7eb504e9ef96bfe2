"""Ask for better models from Slack: a shortcut, or the command /tokenops, opens a dialog with the form of the page."""

import html
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse, JsonResponse
from django.utils import timezone

from budgets.access.reachable import reachable
from budgets.access.roles import ASK, may
from budgets.approvals import messages, words
from budgets.approvals.open import LONGEST_REASON, InvalidRequest, ReusedKey, open_request
from budgets.delivery.links import link
from budgets.models import ApprovalRequest, Organisation, Workflow
from routing.approvals.facts import facts_for
from routing.approvals.forms import PremiumForm, workflows_to_ask_for
from routing.models import Tier
from routing.slack import answers
from routing.slack.person import Unknown, actor_of, person_of, who_can
from routing.slack.signed import Payload

ASK_PREMIUM = "ask_premium"  # callback_id of the shortcut and of the dialog
SHORTCUTS = {ASK_PREMIUM, "ask_premium_here"}  # the second one stands under messages
FIELDS = ("workflow", "tier", "runs", "ceiling", "reason")
MOST_OPTIONS = 100
LONGEST_OPTION = 75
TITLE = "Ask for better models"
NO_RIGHT = "You need a role to ask; an administrator can give you one."


def shortcut(payload: Payload) -> HttpResponse:
    """Chosen from the menu of Slack, or of a message whose text is then the reason to begin with."""
    said = payload.message.text if payload.message else ""
    try:
        user = _asker(payload.user.id, payload.workspace, payload.company)
    except Unknown as unknown:
        answers.open_dialog(payload.trigger_id, answers.notice(TITLE, str(unknown)))
        return answers.heard()
    answers.open_dialog(payload.trigger_id, dialog(user, html.unescape(said or "")))
    return answers.heard()


def command(form: dict[str, str]) -> HttpResponse:
    """`/tokenops`, maybe with the reason after it."""
    try:
        user = _asker(form.get("user_id", ""), form.get("team_id", ""), form.get("enterprise_id", ""))
    except Unknown as unknown:
        return _only_you(str(unknown))
    if answers.open_dialog(form.get("trigger_id", ""), dialog(user, html.unescape(form.get("text", "")))):
        return answers.heard()
    return _only_you(f"Slack did not open the dialog. You can ask here: {link('/approvals/new/')}")


def options(payload: Payload) -> HttpResponse:
    """The workflows whose name holds what was typed, where there are too many for one menu."""
    try:
        user = _asker(payload.user.id, payload.workspace, payload.company)
    except Unknown:
        return JsonResponse({"options": []})
    typed = (payload.value or "").replace("\0", "")[:128]
    rows = _workflows(user).filter(name__icontains=typed)[:MOST_OPTIONS]
    return JsonResponse({"options": [_option(row.name, row.slug) for row in rows]})


def asked(payload: Payload) -> HttpResponse:
    """The dialog was sent off. One dialog asks once, however often Slack sends it."""
    assert payload.view is not None
    try:
        user = _asker(payload.user.id, payload.workspace, payload.company)
    except Unknown as unknown:
        return answers.in_dialog("Not asked", str(unknown))
    typed, now = payload.view.typed(), timezone.now()
    organisation = Organisation.get()
    form = PremiumForm(
        {name: typed.get(name, "") for name in FIELDS}, workflows=_workflows(user), zone=organisation.zone
    )
    if form.is_valid():
        wish = form.asked
        try:
            with messages.showing_their_currency():
                key = f"slack-{payload.view.id}"[:128]
                made = open_request(actor_of(user), wish, facts_for(wish, now), now, idempotency_key=key)
                return answers.in_dialog("Asked", _confirmation(made))
        except ReusedKey as used:
            return answers.in_dialog(
                "Asked already", f"You have sent this already. {link(messages.path(used.request))}"
            )
        except InvalidRequest as error:
            form.refuse(error.problems)
    problems: dict[str, str] = {}
    for name, said in form.errors.items():
        block = name if name in FIELDS else "reason"
        problems[block] = " ".join([problems.get(block, ""), *map(str, said)]).strip()
    return answers.wrong_fields(problems)


def dialog(user: User, reason: str) -> dict[str, Any]:
    """The form, with what this person may ask for."""
    rows = list(_workflows(user)[: MOST_OPTIONS + 1])
    if not rows:
        return answers.notice(TITLE, "There is no workflow yet that you could ask for.")
    tiers = [_option(f"{one.name} models", str(one.number)) for one in Tier.objects.order_by("-number")[:MOST_OPTIONS]]
    if not tiers:
        return answers.notice(TITLE, "There are no better models yet. An administrator has to name them first.")
    workflows: dict[str, Any] = {"type": "external_select", "min_query_length": 0}
    if len(rows) <= MOST_OPTIONS:
        workflows = {"type": "static_select", "options": [_option(row.name, row.slug) for row in rows]}
    number = {"type": "plain_text_input", "max_length": 20}
    why: dict[str, Any] = {"type": "plain_text_input", "multiline": True, "max_length": LONGEST_REASON}
    if first := reason.replace("\0", "").strip()[:LONGEST_REASON]:
        why["initial_value"] = first
    return {
        "type": "modal",
        "callback_id": ASK_PREMIUM,
        "title": answers.plain(TITLE),
        "submit": answers.plain("Ask"),
        "close": answers.plain("Cancel"),
        "blocks": [
            _field("workflow", "Workflow", workflows),
            _field("tier", "Which models", {"type": "static_select", "options": tiers, "initial_option": tiers[0]}),
            _field("runs", "For how many runs", number, "One run is one go of it."),
            _field("ceiling", "At most, in US dollars", number, "It ends when that much was spent."),
            _field("reason", "Why", why, "What is it for, and why is the usual model not enough?"),
        ],
    }


def _field(block: str, label: str, element: dict[str, Any], hint: str = "") -> dict[str, Any]:
    """What is left empty is sent, too: our answer says what is missing, beside its field."""
    made = {
        "type": "input",
        "block_id": block,
        "optional": True,
        "label": answers.plain(label),
        "element": {"action_id": "typed", **element},
    }
    return made | ({"hint": answers.plain(hint)} if hint else {})


def _option(name: str, value: str) -> dict[str, Any]:
    short = name if len(name) <= LONGEST_OPTION else f"{name[: LONGEST_OPTION - 1]}…"
    return {"text": answers.plain(short or value[:LONGEST_OPTION]), "value": value}


def _workflows(user: User) -> Any:
    return workflows_to_ask_for(reachable(Workflow, user, ASK))


def _asker(member: str, team: str, enterprise: str) -> User:
    """Who wants to ask, if they may. Raises Unknown."""
    user = person_of(member, team, enterprise)
    if not may(user, ASK):
        raise Unknown(NO_RIGHT)
    return user


def _confirmation(request: ApprovalRequest) -> str:
    first = request.first_asked
    whom = f"{words.person(first, first.get_username())} is asked first." if first else who_can(request)
    until = words.lapses(request, timezone.now())
    return f"{words.title(request)}\n{whom} You are told what they say. {until}\n{link(messages.path(request))}"


def _only_you(text: str) -> HttpResponse:
    return JsonResponse({"response_type": "ephemeral", "text": text})
