"""A request from Slack: by shortcut, from a message, by the command; checked as on the page, asked once."""

from pathlib import Path

import pytest
import yaml

from budgets.models import ApprovalRequest, Delivery
from budgets.tests.asking import a_person, a_team, a_workflow, dollars
from routing.slack import asking
from routing.tests.slack_people import a_slack_person
from tests.slack_server import ADDRESS, a_submission, send_form, send_payload

pytest_plugins = ["routing.tests.slack_world"]
pytestmark = pytest.mark.django_db

WISH = {
    "workflow": {"chosen": "seo-briefs"},
    "tier": {"chosen": "3"},
    "runs": "40",
    "ceiling": "$300",
    "reason": "Why.",
}


def shortcut(member, **more):
    return {
        "type": "shortcut",
        "callback_id": "ask_premium",
        "user": {"id": member, "team_id": "T0001"},
        "team": {"id": "T0001"},
        "trigger_id": "99.1",
    } | more


def test_a_request_from_a_message(slack, world):
    said = {"type": "message", "text": "Briefs are bad &amp; slow", "ts": "1.1"}
    answer = send_payload(
        shortcut(
            "U0KIM0001", type="message_action", callback_id="ask_premium_here", message=said, response_url=slack.url
        )
    )
    assert (answer.status_code, answer.content) == (200, b"")
    (opened,) = slack.sent("views.open")
    view = opened["view"]
    assert opened["trigger_id"] == "99.1" and view["callback_id"] == "ask_premium"
    blocks = {one["block_id"]: one["element"] for one in view["blocks"]}
    assert list(blocks) == ["workflow", "tier", "runs", "ceiling", "reason"]
    assert [one["value"] for one in blocks["workflow"]["options"]] == ["seo-briefs"]
    assert [one["text"]["text"] for one in blocks["tier"]["options"]] == [
        "Premium models", "Standard models", "Economy models",
    ]  # fmt: skip
    assert blocks["reason"]["initial_value"] == "Briefs are bad & slow"
    sent = a_submission("U0KIM0001", "ask_premium", WISH)
    first, second = send_payload(sent), send_payload(sent)  # the same dialog, sent off twice
    made = ApprovalRequest.objects.exclude(pk=world.request.pk).get()
    assert (made.workflow, made.tier, made.runs, made.ceiling) == (world.workflow, 3, 40, dollars(300))
    assert (made.reason, made.requested_by, made.origin, made.requested_text) == ("Why.", world.kim, "slack", "kim")
    assert first.json() == second.json()
    shown = first.json()["view"]["blocks"][0]["text"]["text"]
    assert "Premium models for SEO briefs" in shown and f"/approvals/{made.pk}/" in shown
    assert "is asked first" in shown
    other = send_payload(
        {**sent, "view": {**sent["view"], "state": a_submission("U", "x", WISH | {"runs": "41"})["view"]["state"]}}
    )
    assert "You have sent this already" in other.content.decode()
    assert ApprovalRequest.objects.count() == 2
    assert Delivery.objects.filter(request=made, kind="request").exists()


def test_what_is_wrong_is_said_beside_its_field(slack, world):
    wrong = {"workflow": "", "tier": {"chosen": "77"}, "runs": "many", "ceiling": "-1", "reason": ""}
    answer = send_payload(a_submission("U0KIM0001", "ask_premium", wrong)).json()
    assert answer["response_action"] == "errors"
    assert {"tier", "runs", "ceiling"} <= set(answer["errors"])
    empty = {"workflow": "", "tier": {"chosen": "3"}, "runs": "", "ceiling": "", "reason": ""}
    answer = send_payload(a_submission("U0KIM0001", "ask_premium", empty)).json()
    assert answer["errors"] == {
        "workflow": "Choose the workflow this is for.",
        "reason": "Say why, so that whoever decides can: one or two sentences.",
    } | {key: said for key, said in answer["errors"].items() if key == "ceiling"}
    nothing = send_payload(a_submission("U0KIM0001", "ask_premium", {}))
    assert nothing.json()["response_action"] == "errors"
    assert ApprovalRequest.objects.count() == 1


def test_only_for_what_one_may_ask_for(slack, world):
    a_workflow("hr-letters", "HR letters", team=a_team("Other"))
    wish = WISH | {"workflow": {"chosen": "hr-letters"}}
    answer = send_payload(a_submission("U0KIM0001", "ask_premium", wish)).json()
    assert set(answer["errors"]) == {"workflow"}
    a_slack_person(a_person("Nora"), "U0NORA001")  # without a role
    answer = send_payload(a_submission("U0NORA001", "ask_premium", WISH)).json()
    assert answer["view"]["blocks"][0]["text"]["text"] == ("You need a role to ask; an administrator can give you one.")
    send_payload(shortcut("U0NORA001"))
    send_payload(shortcut("U0NOBODY1"))
    shown = [one["view"]["blocks"][0]["text"]["text"] for one in slack.sent("views.open")]
    assert shown[0].startswith("You need a role") and "U0NOBODY1" in shown[1]
    assert ApprovalRequest.objects.count() == 1


def test_by_the_command(slack, world):
    form = {
        "command": "/tokenops",
        "team_id": "T0001",
        "user_id": "U0KIM0001",
        "trigger_id": "5.5",
        "text": "For A &lt; B",
    }
    answer = send_form(form)
    assert (answer.status_code, answer.content) == (200, b"")
    (opened,) = slack.sent("views.open")
    assert opened["view"]["blocks"][-1]["element"]["initial_value"] == "For A < B"
    unknown = send_form(form | {"user_id": "U0NOBODY1"}).json()
    assert unknown["response_type"] == "ephemeral" and "U0NOBODY1" in unknown["text"]
    slack.refuse("views.open", "expired_trigger_id")
    assert "https://tokenops.example.com/approvals/new/" in send_form(form | {"text": ""}).json()["text"]


def test_many_workflows_are_looked_up_as_one_types(slack, world):
    for number in range(101):
        a_workflow(f"w{number}", f"Letter {'x' * 80} {number}", team=world.team)
    send_payload(shortcut("U0KIM0001"))
    element = slack.sent("views.open")[0]["view"]["blocks"][0]["element"]
    assert element["type"] == "external_select" and "options" not in element
    ask = {"type": "block_suggestion", "user": {"id": "U0KIM0001"}, "team": {"id": "T0001"}, "value": "seo"}
    assert [one["value"] for one in send_payload(ask).json()["options"]] == ["seo-briefs"]
    every = send_payload(ask | {"value": ""}).json()["options"]
    assert len(every) == 100
    assert all(len(one["text"]["text"]) <= 75 for one in every)
    assert send_payload(ask | {"value": "\0"}).status_code == 200
    assert send_payload(ask | {"user": {"id": "U0NOBODY1"}}).json() == {"options": []}


def test_the_manifest_in_the_manual_names_what_is_heard_here():
    text = (Path(__file__).parents[2] / "docs/slack.md").read_text()
    manifest = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert {one["callback_id"] for one in manifest["features"]["shortcuts"]} == asking.SHORTCUTS
    (command,) = manifest["features"]["slash_commands"]
    interactivity = manifest["settings"]["interactivity"]
    addresses = {command["url"], interactivity["request_url"], interactivity["message_menu_options_url"]}
    assert addresses == {f"https://tokenops.example.com{ADDRESS}"}
    assert manifest["oauth_config"]["scopes"]["bot"] == ["chat:write", "commands", "users:read", "users:read.email"]
