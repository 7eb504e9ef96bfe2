"""What Slack posts to us, and what only seems to come from there: signed as Slack signs, or not."""

import time
from functools import partial

import pytest
from django.test import Client

from budgets.approvals.decide import undo
from budgets.models import ApprovalRequest
from budgets.tests.asking import by
from routing.tests.slack_people import press
from tests.slack_server import ADDRESS, a_click, a_submission, send_form, send_payload, signature

pytest_plugins = ["routing.tests.slack_world"]
pytestmark = pytest.mark.django_db
State = ApprovalRequest.State


def unsigned(request, slack):
    """Each way in which it is not from Slack, or not from Slack now."""
    click = a_click(slack, "U0LENA001", "approve", request.pk)
    now = int(time.time())
    yield "no signature", partial(send_payload, click, **{"x-slack-signature": ""})
    yield "no stamp", partial(send_payload, click, **{"x-slack-request-timestamp": ""})
    yield "another secret", partial(send_payload, click, secret="8f742231b10e8888abcd99yyyzzz85a6")
    yield "nonsense", partial(send_payload, click, **{"x-slack-signature": "v0=00"})
    yield "another version", partial(send_payload, click, **{"x-slack-signature": "v1=" + "0" * 64})
    yield "no ascii", partial(send_payload, click, **{"x-slack-signature": "v0=é"})
    yield "old", partial(send_payload, click, stamp=str(now - 6 * 60))
    yield "from tomorrow", partial(send_payload, click, stamp=str(now + 6 * 60))
    for stamp in ("soon", "-5", "1e9", "9" * 400, "²"):
        yield stamp, partial(send_payload, click, **{"x-slack-request-timestamp": stamp})


def test_what_slack_did_not_sign_is_refused_and_does_nothing(slack, world):
    for why, send in unsigned(world.request, slack):
        answer = send()
        assert answer.status_code == 403, why
    body = b"payload=\xff"
    stamp = str(int(time.time()))
    signed = {"x-slack-request-timestamp": stamp, "x-slack-signature": "v0=" + "0" * 64}
    kind = "application/x-www-form-urlencoded"
    assert Client().post(ADDRESS, body, content_type=kind, headers=signed).status_code == 403
    world.request.refresh_from_db()
    assert world.request.state == State.WAITING
    assert slack.calls == []


def test_a_changed_body_is_refused(slack, world):
    stamp = str(int(time.time()))
    signed = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature("payload={}", stamp)}
    kind = "application/x-www-form-urlencoded"
    assert Client().post(ADDRESS, "payload=[]", content_type=kind, headers=signed).status_code == 403


def test_a_replay_is_refused(slack, world):
    click = a_click(slack, "U0LENA001", "approve", world.request.pk, trigger_id="1.1")
    stamp = str(int(time.time()))
    assert send_payload(click, stamp=stamp).status_code == 200
    undo(by(world.lena), world.request.pk)
    again = send_payload(click, stamp=stamp)
    assert (again.status_code, again.content) == (403, b"This was sent before.\n")
    world.request.refresh_from_db()
    assert world.request.state == State.UNDONE


def test_without_an_app_there_is_nothing_here(slack, world, settings):
    settings.SLACK_SIGNING_SECRET = ""
    assert send_payload(a_click(slack, "U0LENA001", "approve", world.request.pk)).status_code == 403
    assert Client().get(ADDRESS).status_code == 405


HOSTILE = [
    "",
    "null",
    "[]",
    "{}",
    '{"type": 1}',
    '{"type": "block_actions"}',
    '{"type": "block_actions", "user": null}',
    '{"type": "block_actions", "user": {"id": "U0LENA001"}, "actions": [{"action_id": "approve", "value": {}}]}',
    '{"type": "view_submission", "user": {"id": "U0LENA001"}, "view": {"state": {"values": {"a": 1}}}}',
    '{"type": "\\ud800", "user": {"id": "U0LENA001"}}',
    '{"type": "a", "user": {"id": "U1"}, "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "{" * 100_000,
]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_what_slack_would_not_write_is_a_400(slack, world, payload):
    assert send_form({"payload": payload}).status_code == 400


def test_nor_so_many_fields_nor_so_much(slack, world):
    assert send_form({f"f{n}": "" for n in range(200)}).status_code == 400
    assert send_form({}).status_code == 400
    assert send_form({"payload": "x" * 1_000_001}).status_code == 413


ODD = ["", "0", "-1", "1e3", "²", "9" * 18, "9" * 400, "x\0y", "' OR 1=1"]


@pytest.mark.parametrize("value", ODD)
def test_odd_values_are_answered_and_do_nothing(slack, world, value):
    for action in ("approve", "decline", "undo", "open", "x\0"):
        assert send_payload(a_click(slack, "U0LENA001", action, value)).status_code == 200
    for callback in ("decline", "ask_premium", "x\0"):
        sent = a_submission(
            "U0LENA001", callback, {"reason": value, "workflow": value, "runs": value}, private_metadata=value, id=value
        )
        assert send_payload(sent).status_code == 200
    for member in (value, "U0\0LENA001", "U" * 500):
        assert send_payload(a_click(slack, member, "approve", world.request.pk)).status_code == 200
        assert send_form({"command": "/tokenops", "user_id": member, "text": value}).status_code == 200
    for url in (value, "http://169.254.169.254/", "https://evil.example/", "http://[", None):
        click = a_click(slack, "U0NOBODY1", "approve", world.request.pk, response_url=url)
        assert send_payload(click).status_code == 200
    world.request.refresh_from_db()
    assert world.request.state == State.WAITING
    assert ApprovalRequest.objects.count() == 1


def test_what_we_do_not_use_is_heard(slack, world):
    for kind in ("view_closed", "shortcut", "message_action", "block_actions", "workflow_step_edit"):
        answer = send_payload({"type": kind, "user": {"id": "U0LENA001"}, "callback_id": "else"})
        assert (answer.status_code, answer.content) == (200, b"")
    assert press(slack, "U0LENA001", "open", world.request).state == State.WAITING
    assert slack.calls == []
