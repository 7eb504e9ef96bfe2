"""Messages in Slack, against a server that speaks its Web API: sent, replaced in order, refused, tried again."""

import json
from collections import deque
from datetime import timedelta

import pytest
from django.utils import timezone

from budgets.approvals import words
from budgets.approvals.decide import approve, decline, undo, withdraw
from budgets.approvals.lapse import tend
from budgets.audit.record import Actor
from budgets.delivery.channels import ChannelValues, InvalidChannel, change_channel, create_channel
from budgets.delivery.channels import test as send_test
from budgets.delivery.message import Fact, Item, Message
from budgets.delivery.queue import queue
from budgets.delivery.sealed import secret_of
from budgets.delivery.send import attempt, claim, send_due, settle
from budgets.delivery.slack_blocks import blocks_of, escaped
from budgets.delivery.transport import InvalidAddress, Refused, Target, Temporary
from budgets.delivery.transports.slack import SLACK
from budgets.models import ApprovalRequest, AuditEntry, Channel, Delivery, Profile
from budgets.tests.asking import HOUR, a_person, a_request, a_team, a_workflow, an_approver, by
from tests.slack_server import CHANNELS, set_up, slack_server, wrong_blocks

pytestmark = pytest.mark.django_db
MESSAGE = Message(
    title="$84 of $100: <!channel> & SEO briefs",
    text="<https://evil.example|Click> @here #general *lands* at $120",
    facts=(Fact("Left", "$16 & <b>more</b>"),),
    items=(Item("One <thing>", "/alerts/1/?a=1&b=2"), Item("Another", resolved=True)),
    path="/budgets/seo/",
    open_label="Open budget",
)


@pytest.fixture
def slack(settings):
    with slack_server() as server:
        set_up(settings, server)
        yield server


def target(address="#money", secret=None, **values):
    return Target(address, secret or {}, {}, "tokenops-7", **values)


def texts(blocks):
    """Everything that stands in blocks, as one text."""
    return json.dumps(blocks, ensure_ascii=False)


def pressable(body):
    """The action ids of the buttons of a message."""
    return [one["action_id"] for block in body["blocks"] for one in block.get("elements", [])]


def by_hook(slack):
    return SLACK.clean({"url": f"{slack.url}/hook/T1/B1/secret", "channel": ""})


def test_a_message_in_blocks_with_everything_escaped(slack):
    assert SLACK.send(target(), MESSAGE) == {"channel": CHANNELS["#money"], "ts": "1763805600.000001"}
    (body,) = slack.sent("chat.postMessage")
    header, text, fields, items, acts = body["blocks"]
    assert header["text"] == {
        "type": "plain_text", "text": "$84 of $100: &lt;!channel&gt; &amp; SEO briefs", "emoji": False,
    }  # fmt: skip
    assert text["text"]["text"] == "&lt;https://evil.example|Click&gt; @here #general *lands* at $120"
    assert text["text"]["verbatim"] is True  # names and addresses in it do not become mentions and links
    assert [one["text"] for one in fields["fields"]] == ["*Left*\n$16 &amp; &lt;b&gt;more&lt;/b&gt;"]
    assert items["text"]["text"] == (
        "• <https://tokenops.example.com/alerts/1/?a=1&amp;b=2|One &lt;thing&gt;>\n• Resolved: Another"
    )
    assert [(one["action_id"], one["url"], one["text"]["text"]) for one in acts["elements"]] == [
        ("open", "https://tokenops.example.com/budgets/seo/", "Open budget")
    ]
    assert body["text"] == "$84 of $100: &lt;!channel&gt; &amp; SEO briefs"
    assert (body["parse"], body["link_names"], body["unfurl_links"]) == ("none", False, False)


def test_a_request_has_buttons_that_name_it_and_a_test_says_so(slack):
    SLACK.send(target("U012345"), Message(title="x", request=41, path="/approvals/41/", test=True))
    (body,) = slack.sent("chat.postMessage")
    assert body["channel"] == "U012345"
    approve_, decline_, open_ = body["blocks"][-1]["elements"]
    assert (approve_["action_id"], approve_["value"], approve_["style"]) == ("approve", "41", "primary")
    assert (decline_["action_id"], decline_["value"], decline_["style"]) == ("decline", "41", "danger")
    assert (open_["action_id"], open_["url"]) == ("open", "https://tokenops.example.com/approvals/41/")
    assert body["blocks"][0]["text"]["text"] == body["text"] == "[Test] x"


def test_no_buttons_where_nobody_would_hear_them(slack, settings):
    settings.SLACK_SIGNING_SECRET = ""
    SLACK.send(target(), Message(title="x", request=41, path="/approvals/41/", open_label="Open request"))
    (body,) = slack.sent("chat.postMessage")
    assert pressable(body) == []
    assert body["blocks"][-1]["text"]["text"] == "<https://tokenops.example.com/approvals/41/|Open request>"


@pytest.mark.parametrize("letter", ["x", "&", "ü", "😀"])
def test_whatever_its_size_a_message_keeps_slacks_limits(letter):
    huge = Message(
        title=letter * 4000,
        text=letter * 9000,
        facts=tuple(Fact(letter * 500, letter * 5000) for _ in range(25)),
        items=tuple(Item(letter * 2000, f"/a/{n}/") for n in range(300)),
        path="/a/",
        open_label=letter * 200,
        request=1,
        outcome=f"{letter * 900}\n{letter * 5000}",
    )
    for has_buttons in (True, False):
        blocks = blocks_of(huge, has_buttons=has_buttons)
        assert wrong_blocks({"blocks": blocks}) == ""
        assert len(blocks) == 50
    assert blocks_of(huge, has_buttons=True)[-1]["elements"][0]["action_id"] == "approve"
    assert escaped("a&b", 5) == "a…"
    assert escaped("a&b", 7) == "a&amp;b"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("channel_not_found", "Slack knows no such channel"),
        ("invalid_auth", "does not accept SLACK_BOT_TOKEN"),
        ("is_archived", "archived"),
        ("something_new", r"Slack refused it\. \(something_new\)"),
    ],
)
def test_what_slack_will_never_take_is_refused_in_words(slack, error, said):
    slack.refuse("chat.postMessage", error)
    with pytest.raises(Refused, match=said):
        SLACK.send(target(), MESSAGE)
    assert len(slack.calls) == 1


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        ((429, {"Retry-After": "17"}, '{"ok": false, "error": "ratelimited"}'), 17),
        ((429, {"Retry-After": "soon"}, "no json"), None),
        ((503, {}, "<html>"), None),
        ((200, {}, "<html>welcome to our proxy"), None),
        ((200, {}, "[1]"), None),
        ((200, {}, '{"ok": false, "error": "fatal_error"}'), None),
    ],
)
def test_what_passes_is_tried_later_and_not_at_once(slack, answer, after):
    slack.answers["chat.postMessage"] = deque([answer])
    with pytest.raises(Temporary) as said:
        SLACK.send(target(), MESSAGE)
    assert said.value.after == after
    assert len(slack.calls) == 1  # slack_sdk's own second try might send it twice


def test_nobody_there_and_not_set_up(slack, settings):
    settings.SLACK_API_URL = "http://127.0.0.1:9/api/"
    with pytest.raises(Temporary, match="No answer from Slack"):
        SLACK.send(target(), MESSAGE)
    settings.SLACK_BOT_TOKEN = ""
    with pytest.raises(Temporary, match="SLACK_BOT_TOKEN is not set"):
        SLACK.send(target(), MESSAGE)


def test_the_outbox_waits_as_long_as_slack_says(slack):
    delivery = queue(MESSAGE, "a", transport="slack", address="#money")
    slack.refuse("chat.postMessage", "ratelimited", 429, Retry_After="7")
    now = timezone.now()
    assert send_due(now) == 0
    delivery.refresh_from_db()
    assert (delivery.next_at - now, delivery.problem) == (timedelta(seconds=7), "Slack wants fewer messages.")
    assert send_due(now + timedelta(seconds=7)) == 1
    delivery.refresh_from_db()
    assert delivery.external == {"channel": CHANNELS["#money"], "ts": "1763805600.000001"}
    assert len(slack.messages) == 1


def test_an_incoming_webhook(slack):
    address = by_hook(slack)
    assert (address.shown, address.secret) == ("Incoming webhook", {"url": f"{slack.url}/hook/T1/B1/secret"})
    assert SLACK.send(target(address.shown, address.secret), MESSAGE) == {}
    (body,) = slack.sent("hook")
    assert body["blocks"][0]["type"] == "header"
    slack.refuse("hook", "no_service", 404)
    with pytest.raises(Refused, match="removed or switched off"):
        SLACK.send(target(address.shown, address.secret), MESSAGE)
    slack.refuse("hook", "rollup_error", 500)
    with pytest.raises(Temporary, match=r"500 \(rollup_error\)"):
        SLACK.send(target(address.shown, address.secret), MESSAGE)


def test_what_can_be_an_address(slack, settings):
    assert [SLACK.clean({"channel": one}).shown for one in ("#money", "money", "C0MONEY01", " #zürich_1 ")] == [
        "#money", "#money", "C0MONEY01", "#zürich_1",
    ]  # fmt: skip
    for wrong in ("", "#Money", "a b", "#", "@lena", "<!channel>", "x" * 81):
        with pytest.raises(InvalidAddress) as said:
            SLACK.clean({"channel": wrong})
        assert set(said.value.problems) == {"channel"}
    settings.DELIVERY_ALLOW_PRIVATE = False
    for wrong in (
        "https://example.com/services/T/B/x", "http://hooks.slack.com/services/T/B/x", "https://10.0.0.1/", "hooks",
        "https://hooks.slack.com.evil.example/x", "https://a:b@hooks.slack.com/x",
        "https://hooks.slack.com/" + "x" * 2000,
    ):  # fmt: skip
        with pytest.raises(InvalidAddress) as said:
            SLACK.clean({"url": wrong})
        assert set(said.value.problems) == {"url"}
    hook = "https://hooks.slack.com/services/T0/B0/x"
    assert SLACK.clean({"url": hook}).secret == {"url": hook}
    settings.SLACK_BOT_TOKEN = ""
    with pytest.raises(InvalidAddress, match="no Slack app yet"):
        SLACK.clean({"channel": "#money"})


def test_a_channel_in_settings_keeps_its_webhook_until_another_is_typed(slack):
    actor = Actor.command("test")
    url = f"{slack.url}/hook/T1/B1/secret"
    made = create_channel(actor, ChannelValues("Money", "slack", {"url": url}, requests=True))
    assert (made.address, secret_of(made)) == ("Incoming webhook", {"url": url})
    changed = change_channel(actor, made, ChannelValues("Cash", "slack", {"channel": "Incoming webhook", "url": ""}))
    assert secret_of(changed) == {"url": url}
    send_test(actor, changed)
    assert send_due() == 1
    assert slack.sent("hook")[0]["text"].startswith("[Test] ")
    moved = change_channel(actor, changed, ChannelValues("Cash", "slack", {"channel": "#money", "url": ""}))
    assert (moved.address, secret_of(moved)) == ("#money", {})
    with pytest.raises(InvalidChannel):
        create_channel(actor, ChannelValues("Other", "slack", {}))
    said = json.dumps(list(AuditEntry.objects.values_list("before", "after")))
    assert "/hook/" not in said and "secret" not in said


# --- Replacing what asked ---------------------------------------------------------------------------------------------


@pytest.fixture
def team():
    team = a_team()
    a_workflow(team=team)
    return team


@pytest.fixture
def lena(team):
    lena = an_approver("Lena", team)
    Profile.objects.create(user=lena, slack_id="U0LENA001", by_email=False)
    return lena


@pytest.fixture
def asked(slack, team, lena):
    """A request that stands in a channel and in Lena's direct messages."""
    kim = a_person("Kim", "budget_owner", team)
    Profile.objects.create(user=kim, by_email=False)
    Channel.objects.create(name="a", transport="slack", address="#money", options={"requests": True})
    request = a_request(by(kim), now=timezone.now())
    assert send_due() == 2
    assert all(pressable(body) == ["approve", "decline", "open"] for body in slack.messages.values())
    return request


def standing(slack):
    """Each message as it stands now: (buttons, the line where they were)."""
    return [(pressable(body), texts(body["blocks"])) for body in slack.messages.values()]


def a_clock(request):
    """As words say when it was decided."""
    return words.outcome(ApprovalRequest.objects.get(pk=request.pk), timezone.now()).rpartition(", ")[2]


def test_after_the_decision_the_buttons_are_gone_and_it_says_who(slack, asked, lena):
    approve(by(lena), asked.pk, "Go", timezone.now())
    assert send_due() == 2
    assert (len(slack.messages), len(slack.sent("chat.update"))) == (2, 2)  # in their places: nothing new was posted
    for buttons, said in standing(slack):
        assert buttons == ["open"]
        assert f"*Approved by Lena, {a_clock(asked)}*" in said
        assert "“Go” Allowed from now on" in said
        assert "Extra cost" in said and "Lapses" not in said
    assert send_due() == 0


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda request, lena: decline(by(lena), request.pk, "Use Standard"), "*Declined by Lena, "),
        (lambda request, lena: withdraw(by(request.requested_by), request.pk), "*Withdrawn by Kim, "),
        (lambda request, lena: tend(timezone.now() + 80 * HOUR), "*Lapsed, "),
    ],
)
def test_so_they_are_when_it_ends_otherwise(slack, asked, lena, act, said):
    act(asked, lena)
    send_due()
    assert len(slack.messages) == 2
    assert all(buttons == ["open"] and said in text for buttons, text in standing(slack))


def test_an_undo_replaces_it_again_and_never_the_other_way_round(slack, asked, lena):
    approve(by(lena), asked.pk)
    slack.refuse("chat.update", "fatal_error")
    slack.refuse("chat.update", "fatal_error")
    assert send_due() == 0  # "approved" has to wait
    assert len(slack.sent("chat.update")) == 2
    undo(by(lena), asked.pk)
    assert send_due() == 2
    assert send_due(timezone.now() + HOUR) == 0  # and comes too late: what came later stands there
    assert all("*Approved, then undone by Lena" in said for _, said in standing(slack))
    late = Delivery.objects.filter(state="cancelled")
    assert [one.problem for one in late] == ["A later message took its place."] * 2


def test_a_later_replacement_waits_for_one_that_is_just_being_sent(slack, asked, lena):
    approve(by(lena), asked.pk)
    in_hand = [claim(timezone.now()), claim(timezone.now())]
    undo(by(lena), asked.pk)
    assert send_due() == 0
    for one in in_hand:
        assert settle(one, attempt(one), timezone.now())  # they see that something came later
    assert slack.sent("chat.update") == []
    assert send_due(timezone.now() + timedelta(seconds=2)) == 2
    assert all("*Approved, then undone by Lena" in said for _, said in standing(slack))


def test_a_replacement_waits_for_the_message_that_is_just_being_sent(slack, team, lena):
    kim = a_person("Kim", "budget_owner", team)
    request = a_request(by(kim), now=timezone.now())
    in_hand = claim(timezone.now())
    tried = attempt(in_hand)  # a worker has posted it and not said so yet
    approve(by(lena), request.pk)
    Delivery.objects.filter(transport="email").delete()
    now = timezone.now()
    assert send_due(now) == 0
    waiting = Delivery.objects.get(kind="decision")
    assert (waiting.state, waiting.problem) == ("queued", "It waits for the message whose place it takes.")
    assert settle(in_hand, tried, now)
    assert send_due(now + timedelta(seconds=2)) == 1
    ((buttons, said),) = standing(slack)
    assert buttons == ["open"] and "Approved by Lena" in said


def test_what_asks_is_not_sent_once_it_is_decided(slack, team, lena):
    kim = a_person("Kim", "budget_owner", team)
    request = a_request(by(kim), now=timezone.now())
    in_hand = claim(timezone.now())
    slack.refuse("chat.postMessage", "fatal_error")
    tried = attempt(in_hand)
    approve(by(lena), request.pk)
    now = timezone.now()
    settle(in_hand, tried, now)
    Delivery.objects.filter(transport="email").delete()
    for minutes in range(3):
        send_due(now + timedelta(minutes=minutes))
    assert slack.messages == {}
    assert {(one.kind, one.state) for one in Delivery.objects.all()} == {
        ("request", "cancelled"), ("decision", "cancelled"),
    }  # fmt: skip


def test_a_message_that_somebody_deleted_is_left_alone(slack, asked, lena):
    slack.messages.clear()
    approve(by(lena), asked.pk)
    assert send_due() == 2
    assert slack.messages == {}


def test_a_message_that_may_not_be_changed_any_more_gets_a_new_one(slack, asked, lena):
    slack.refuse("chat.update", "edit_window_closed")
    approve(by(lena), asked.pk)
    assert send_due() == 2
    assert len(slack.messages) == 3


def test_a_webhooks_message_cannot_be_replaced_so_one_new_message_says_it(slack, team, lena):
    Profile.objects.update(slack_id="")
    values = ChannelValues("Money", "slack", {"url": f"{slack.url}/hook/T1/B1/x"}, requests=True)
    create_channel(Actor.command("test"), values)
    now = timezone.now()
    request = a_request(Actor.command("test"), now=now)
    tend(now + 61 * HOUR)  # a reminder: two messages ask
    send_due(now + 61 * HOUR)
    approve(by(lena), request.pk)
    assert send_due() == 1
    first, second, said = slack.sent("hook")
    assert pressable(first) == pressable(second) == ["approve", "decline", "open"]
    assert said["text"].startswith("Lena approved this ")
    assert pressable(said) == ["open"]


def test_whoever_asked_is_told_in_a_message_of_their_own(slack, asked, lena):
    Profile.objects.filter(user=asked.requested_by).update(slack_id="U0KIM0001")
    approve(by(lena), asked.pk)
    assert send_due() == 3
    assert slack.messages["D0KIM0001", "1763805600.000003"]["text"].startswith("Lena approved this ")
