"""Which user somebody in Slack is, and what is told to whom nobody knows."""

import pytest
from allauth.account.models import EmailAddress

from budgets.approvals.decide import approve
from budgets.models import ApprovalRequest, Profile
from budgets.tests.asking import a_person, a_team, an_approver, by
from routing.tests.slack_people import a_slack_person, a_verified_person, only_they_saw, press, replaced, told_by_slack

pytest_plugins = ["routing.tests.slack_world"]
pytestmark = pytest.mark.django_db
State = ApprovalRequest.State


def test_who_is_not_known_is_told_so_privately_and_who_can_decide(slack, world):
    press(slack, "U0NOBODY1", "approve", world.request)
    (said,) = only_they_saw(slack)
    assert "type your Slack member id, U0NOBODY1, into your profile: https://tokenops.example.com/profile/" in said
    assert said.endswith("Lena or Max can decide it.")
    assert replaced(slack) == []
    assert world.request.state == State.WAITING


def test_who_has_no_right_is_told_so_and_who_has(slack, world):
    a_slack_person(a_person("Vera", "viewer", world.team), "U0VERA001")
    a_slack_person(an_approver("Olaf", a_team("Other")), "U0OLAF001")  # an approver, of another team
    a_slack_person(a_person("Nora"), "U0NORA001")  # no role at all
    for member in ("U0VERA001", "U0OLAF001", "U0NORA001"):
        press(slack, member, "approve", world.request)
        press(slack, member, "decline", world.request)
    seen = only_they_saw(slack)
    assert len(seen) == 6
    assert all(one.startswith("You may not decide this") and "Lena or Max" in one for one in seen)
    assert world.request.state == State.WAITING
    approve(by(world.lena), world.request.pk)
    press(slack, "U0OLAF001", "approve", world.request)
    # Nor do they learn what became of it.
    assert only_they_saw(slack)[6:] == ["You may not decide this: your role does not reach it."]


def test_one_that_was_switched_off_decides_nothing(slack, world):
    world.lena.is_active = False
    world.lena.save()
    told_by_slack(slack, "U0LENA001", "max@example.com")
    press(slack, "U0LENA001", "approve", world.request)
    assert "switched off" in only_they_saw(slack)[0]
    assert world.request.state == State.WAITING


def test_by_a_verified_address_where_it_is_one_active_persons(slack, world):
    wanda = a_verified_person(an_approver("Wanda", world.team))
    told_by_slack(slack, "U0WANDA01", "Wanda@Example.com")
    press(slack, "U0WANDA01", "approve", world.request)
    assert (world.request.state, world.request.decided_by) == (State.APPROVED, wanda)
    assert slack.sent("users.info") == [{"user": "U0WANDA01"}]


@pytest.mark.parametrize(
    "more",
    [
        {"is_stranger": True},
        {"team_id": "T0002"},
        {"deleted": True},
        {"is_bot": True},
        {"is_email_confirmed": False},
        {"id": "U0OTHER01"},
        {"profile": {}},
        {"profile": None},
        {"profile": {"email": ["wanda@example.com"]}},
        {"profile": {"email": "wanda@example.com\0"}},
    ],
)
def test_an_address_that_says_nothing_lets_nobody_decide(slack, world, more):
    a_verified_person(an_approver("Wanda", world.team))
    told_by_slack(slack, "U0WANDA01", "wanda@example.com", **more)
    press(slack, "U0WANDA01", "approve", world.request)
    assert world.request.state == State.WAITING
    assert "U0WANDA01" in only_they_saw(slack)[0]


@pytest.mark.parametrize("how", ["not verified", "two", "somebody else in Slack", "switched off"])
def test_nor_one_that_may_be_somebody_elses(slack, world, how):
    wanda = a_verified_person(an_approver("Wanda", world.team))
    told_by_slack(slack, "U0WANDA01", "wanda@example.com")
    if how == "not verified":
        EmailAddress.objects.update(verified=False)
    elif how == "two":
        other = an_approver("Other", world.team)
        EmailAddress.objects.filter(user=wanda).update(verified=False)
        EmailAddress.objects.create(user=other, email="WANDA@example.com", verified=False)
    elif how == "somebody else in Slack":
        Profile.objects.create(user=wanda, slack_id="U0WANDA99")
    else:
        wanda.is_active = False
        wanda.save()
    press(slack, "U0WANDA01", "approve", world.request)
    assert world.request.state == State.WAITING


def test_of_a_whole_enterprise(slack, world):
    a_verified_person(an_approver("Wanda", world.team))
    told_by_slack(slack, "W0WANDA01", "wanda@example.com", team_id="T9", enterprise_user={"enterprise_id": "E1"})
    press(slack, "W0WANDA01", "approve", world.request, enterprise={"id": "E2"})
    assert world.request.state == State.WAITING
    press(slack, "W0WANDA01", "approve", world.request, enterprise={"id": "E1"}, team=None)
    assert world.request.state == State.APPROVED
