"""Who is who in Slack, and what they see of what we say, for the tests of its buttons and dialogs."""

import json

from allauth.account.models import EmailAddress

from budgets.models import Profile
from tests.slack_server import a_click, send_payload


def a_slack_person(user, member):
    Profile.objects.create(user=user, slack_id=member, by_email=False)
    return user


def a_verified_person(user):
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def told_by_slack(slack, member, email, **more):
    """What `users.info` says of somebody."""
    slack.people[member] = {
        "id": member,
        "team_id": "T0001",
        "deleted": False,
        "is_bot": False,
        "profile": {"email": email, "real_name": "Somebody"},
    } | more


def only_they_saw(slack):
    """The text of each message that only who pressed saw."""
    return [one["text"] for one in slack.sent("respond") if one.get("response_type") == "ephemeral"]


def replaced(slack):
    """The blocks, as one text, of each message in the place of what was pressed."""
    said = [one for one in slack.sent("respond") if one.get("replace_original")]
    return [json.dumps(one["blocks"], ensure_ascii=False) for one in said]


def buttons(body):
    return [(one["action_id"], one.get("value")) for block in body["blocks"] for one in block.get("elements", [])]


def press(slack, member, action, request, **more):
    answer = send_payload(a_click(slack, member, action, request.pk, **more))
    assert (answer.status_code, answer.content) == (200, b"")
    request.refresh_from_db()
    return request
