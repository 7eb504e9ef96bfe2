"""Buttons and their dialog, as Slack sends them, answered to a server like Slack; also at once with a page."""

import json
import time
from functools import partial

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from budgets.approvals.decide import approve
from budgets.delivery.send import attempt, claim, send_due
from budgets.models import ApprovalRequest, AuditEntry, Channel, Delivery, Grant
from budgets.tests.asking import HOUR, a_request, by, dollars, entries
from budgets.tests.made import at_once
from routing.tests.slack_people import buttons, only_they_saw, press, replaced
from tests.slack_server import a_click, a_submission, send_payload

pytest_plugins = ["routing.tests.slack_world"]
pytestmark = pytest.mark.django_db
State = ApprovalRequest.State


def test_approve_with_one_press(slack, world):
    Channel.objects.create(name="a", transport="slack", address="#money", options={"requests": True})
    request = a_request(by(world.kim), now=timezone.now(), ceiling=dollars(300))
    send_due()
    slack.calls.clear()
    press(slack, "U0LENA001", "approve", request)
    assert (request.state, request.decided_by, request.decided_origin) == (State.APPROVED, world.lena, "slack")
    assert Grant.objects.get(request=request).ceiling == dollars(300)
    assert entries(request) == ["asked", "approved"]
    entry = AuditEntry.objects.get(object_type="budgets.approvalrequest", object_id=str(request.pk), act="approved")
    assert (entry.who, entry.who_text, entry.origin) == (world.lena, "lena", "slack")
    (said,) = only_they_saw(slack)
    assert said.startswith("You approved this. Allowed from now on: at most $300, 40 runs, until ")
    assert buttons(slack.sent("respond")[0]) == [("undo", str(request.pk))]
    (now,) = replaced(slack)
    assert "*Approved by Lena, " in now and '"approve"' not in now
    send_due()
    for body in slack.sent("chat.update"):
        assert "*Approved by Lena, " in json.dumps(body, ensure_ascii=False)
        assert [action for action, _ in buttons(body)] == ["open"]
    assert len(slack.sent("chat.update")) == 2  # the channel's and whoever's was asked first


def test_the_one_who_approved_takes_it_back(slack, world):
    press(slack, "U0LENA001", "approve", world.request)
    slack.calls.clear()
    press(slack, "U0LENA001", "undo", world.request)
    assert world.request.state == State.UNDONE
    assert slack.sent("respond")[0]["text"] == "Undone. The allowance is gone. Nothing was spent on it."
    press(slack, "U0LENA001", "undo", world.request)
    assert "Lena undid that at " in slack.sent("respond")[1]["text"]
    press(slack, "U0KIM0001", "undo", world.request)
    assert entries(world.request) == ["asked", "approved", "undid the approval of"]


def test_decline_asks_why_and_shows_in_the_dialog_what_is_missing(slack, world):
    press(slack, "U0MAX0001", "decline", world.request, trigger_id="13.37")
    assert world.request.state == State.WAITING
    (opened,) = slack.sent("views.open")
    view = opened["view"]
    assert (opened["trigger_id"], view["callback_id"], view["blocks"][0]["block_id"]) == ("13.37", "decline", "reason")
    sent = partial(a_submission, "U0MAX0001", "decline", private_metadata=view["private_metadata"])
    empty = send_payload(sent({"reason": "  "}))
    assert empty.json() == {
        "response_action": "errors",
        "errors": {"reason": "Say why, so that whoever asked knows what to do instead."},
    }
    long = send_payload(sent({"reason": "x" * 501}))
    assert "reason" in long.json()["errors"]
    done = send_payload(sent({"reason": "Standard is enough."}))
    assert (done.status_code, done.content) == (200, b"")  # the dialog closes
    world.request.refresh_from_db()
    assert (world.request.state, world.request.decided_by) == (State.DECLINED, world.max)
    assert (world.request.decision_reason, world.request.decided_origin) == ("Standard is enough.", "slack")
    assert only_they_saw(slack) == ["You declined this. Whoever asked is told why."]
    assert "Declined by Max, " in replaced(slack)[0] and "“Standard is enough.”" in replaced(slack)[0]
    press(slack, "U0MAX0001", "undo", world.request)
    assert world.request.state == State.WAITING


def test_a_dialog_that_does_not_open_leads_to_the_page(slack, world):
    slack.refuse("views.open", "expired_trigger_id")
    press(slack, "U0MAX0001", "decline", world.request)
    assert f"https://tokenops.example.com/approvals/{world.request.pk}/" in only_they_saw(slack)[0]


def test_whoever_comes_second_is_told_by_whom_it_was_decided(slack, world):
    approve(by(world.lena), world.request.pk)  # on the page
    for action in ("approve", "decline"):
        press(slack, "U0MAX0001", action, world.request)
    assert [one.partition(" at ")[0] for one in only_they_saw(slack)] == ["Lena approved this"] * 2
    assert all("*Approved by Lena, " in one for one in replaced(slack))
    late = send_payload(
        a_submission(
            "U0MAX0001", "decline", {"reason": "No"}, private_metadata=f"{world.request.pk} {slack.url}/respond/1"
        )
    )
    view = late.json()["view"]
    assert late.json()["response_action"] == "update"
    assert view["blocks"][0]["text"]["text"].startswith("Lena approved this at ")
    assert entries(world.request) == ["asked", "approved"]


def test_a_message_that_was_posted_twice_loses_its_buttons_too(slack, world):
    """The worker died after Slack had said yes: nobody knows of the first message."""
    Delivery.objects.exclude(transport="slack", request=world.request).delete()
    attempt(claim(timezone.now()))
    assert send_due(timezone.now() + HOUR) == 1
    first, second = slack.messages
    approve(by(world.max), world.request.pk)
    send_due()
    assert [action for action, _ in buttons(slack.messages[first])] == ["approve", "decline", "open"]
    assert [action for action, _ in buttons(slack.messages[second])] == ["open"]
    press(slack, "U0LENA001", "approve", world.request)
    assert only_they_saw(slack)[0].startswith("Max approved this at ")
    assert "*Approved by Max, " in replaced(slack)[0]
    assert entries(world.request) == ["asked", "approved"]


def test_nobody_decides_their_own(slack, world):
    for action in ("approve", "decline"):
        press(slack, "U0KIM0001", action, world.request)
    said = "Someone else has to approve it: nobody decides their own request."
    assert only_they_saw(slack) == [said, said]
    assert slack.sent("views.open") == replaced(slack) == []
    sent = a_submission("U0KIM0001", "decline", {"reason": "x"}, private_metadata=f"{world.request.pk} ")
    assert said in send_payload(sent).content.decode()
    assert world.request.state == State.WAITING


def test_two_people_have_to_where_the_amount_is_large(slack, world):
    request = a_request(by(world.kim), extra=900, now=timezone.now())
    assert request.approvers_needed == 2
    press(slack, "U0LENA001", "approve", request)
    press(slack, "U0LENA001", "approve", request)
    assert request.state == State.WAITING
    assert only_they_saw(slack) == [
        "You approved this. One more person has to.",
        "You approved this already. One more person has to.",
    ]
    assert replaced(slack) == []
    press(slack, "U0MAX0001", "approve", request)
    assert request.state == State.APPROVED


def test_what_lapsed_is_not_approved(slack, world):
    ApprovalRequest.objects.filter(pk=world.request.pk).update(lapses_at=timezone.now() - HOUR)
    press(slack, "U0LENA001", "approve", world.request)
    assert world.request.state == State.LAPSED
    assert only_they_saw(slack)[0].startswith("Nobody decided in time")
    assert "*Lapsed, " in replaced(slack)[0]


@pytest.mark.django_db(transaction=True)
def test_one_in_slack_and_one_on_the_page_at_once_one_wins_and_the_other_is_told(slack, world):
    for _ in range(3):
        request = a_request(by(world.kim), now=timezone.now())
        slack.calls.clear()
        page = Client()
        page.force_login(world.max)
        in_slack = partial(send_payload, a_click(slack, "U0LENA001", "approve", request.pk))
        on_page = partial(page.post, f"/approvals/{request.pk}/approve/")
        pressed, posted = at_once(in_slack, on_page)
        request.refresh_from_db()
        assert request.state == State.APPROVED
        assert entries(request) == ["asked", "approved"]
        assert Grant.objects.filter(request=request).count() == 1
        assert pressed.status_code == 200
        (said,) = only_they_saw(slack)
        if request.decided_by == world.lena:
            assert posted.status_code == 409 and "Lena approved this" in posted.content.decode()
            assert said.startswith("You approved this.")
        else:
            assert posted.status_code == 302
            assert said.startswith("Max approved this at ")
        who = request.decided_by.first_name
        assert f"*Approved by {who}, " in replaced(slack)[0]


@pytest.mark.django_db(transaction=True)
def test_the_same_click_sent_twice_at_once_is_taken_once(slack, world):
    click = a_click(slack, "U0LENA001", "approve", world.request.pk, trigger_id="7.7")
    stamp = str(int(time.time()))
    came = at_once(*[partial(send_payload, click, stamp=stamp)] * 4)
    assert sorted(one.status_code for one in came) == [200, 403, 403, 403]
    assert connection.vendor == "postgresql"
