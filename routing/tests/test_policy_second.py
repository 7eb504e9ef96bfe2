"""A second person approves a policy: who may, what it does, and that no killed process loses it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from django.db import connection
from django.utils import timezone

from budgets.access.roles import PUBLISH_POLICY, roles_with
from budgets.approvals import decide, words
from budgets.approvals.lapse import tend
from budgets.approvals.rules import deciders, lack_of_deciders
from budgets.approvals.waiting import waiting_for
from budgets.delivery.send import send_due
from budgets.models import ApprovalRequest, ApprovalRule, Delivery, Organisation, Role, Workflow
from budgets.tests.asking import a_person, by, dollars, entries
from routing.approvals import acts
from routing.models import PolicyReplay, PolicyVersion
from routing.policy.edit import RefusedEdit, discard_draft, live_version, save_draft
from routing.policy.publish import publish, roll_back
from routing.policy.second import publish_approved
from routing.replay.result import Basis, Result, Sides, Tally, written
from routing.tasks import settle
from routing.tests.policies import ACTOR, a_draft, a_policy, a_rule, live, published
from routing.tests.policies import acts as done_to
from routing.tests.slack_people import a_slack_person, only_they_saw, press
from tests.slack_server import set_up, slack_server

pytestmark = pytest.mark.django_db
POLICY = a_policy(a_rule("x", {"stage": ["draft"]}, tier=1))


@pytest.fixture
def kim():
    Organisation.objects.update(policy_needs_second=True)
    return a_person("Kim", Role.POLICY_ADMIN)


@pytest.fixture
def lena(kim):
    return a_person("Lena", Role.POLICY_ADMIN)


@pytest.fixture
def asked(kim, lena):
    """A draft of Kim's that waits, with Lena there to decide."""
    return publish(by(kim), a_draft(POLICY, actor=by(kim)), reason="Drafts are dear.")


def now_is(version):
    version.refresh_from_db()
    return version.state


def test_publishing_asks_and_changes_nothing_yet(asked, kim, lena):
    request = asked.request
    assert (asked.state, asked.number, live_version().number) == ("waiting", None, 1)
    assert (request.kind, request.policy, request.policy_title) == ("policy", asked.pk, "Cheaper drafts")
    assert request.facts["policy_over"] == 1
    assert "New rule 1, “X”: If the stage is draft → Economy." in request.facts["policy_changes"]
    assert done_to(asked) == ["began", "changed", "asked to publish"]
    with pytest.raises(RefusedEdit, match="waits for a second person"):
        save_draft(by(kim), asked, a_policy(), asked.edit_version)
    with pytest.raises(RefusedEdit, match="waits"):
        discard_draft(by(kim), asked)
    with pytest.raises(RefusedEdit, match="already"):
        publish(by(lena), asked)
    told = Delivery.objects.filter(request=request, address="lena@example.com").get()
    assert "Kim asks to publish the policy “Cheaper drafts”." in json.dumps(told.payload, ensure_ascii=False)


def test_who_may_publish_decides_and_nobody_else(asked, kim, lena):
    request = asked.request
    boss, finance = a_person("Boss", Role.ADMINISTRATOR), a_person("Fin", Role.FINANCE)
    approver = a_person("Ann", Role.APPROVER)
    assert roles_with(PUBLISH_POLICY) == [Role.POLICY_ADMIN, Role.ADMINISTRATOR]
    assert set(deciders(request)) == {lena, boss}
    for user, waits in ((kim, 0), (lena, 1), (boss, 1), (finance, 0), (approver, 0)):
        assert waiting_for(user).count() == waits, user
    for user in (kim, finance, approver):
        with pytest.raises(decide.MayNotDecide):
            acts.approve(by(user), request.pk)
    rule = ApprovalRule.objects.create(name="Named", position=1, kinds=["policy"])
    rule.people.add(finance)
    request.rule = rule
    request.save()
    request.approvers_needed = 1
    assert list(deciders(request)) == [finance]
    assert (waiting_for(finance).count(), waiting_for(lena).count()) == (1, 0)


def test_without_another_who_could_it_says_so(kim):
    assert "Policy admin" in lack_of_deciders(publish(by(kim), a_draft(POLICY)).request)


def test_approving_puts_it_in_force_at_once(asked, lena):
    decided = acts.approve(by(lena, "slack"), asked.request_id)
    assert decided.said == "It is put in force now."
    assert now_is(asked) == "published"
    assert (asked.number, asked.live, asked.published_by, asked.published_text) == (2, True, lena, "lena")
    assert live() == POLICY
    assert publish_approved() == 0
    with pytest.raises(decide.AlreadyDecided):
        acts.approve(by(a_person("Boss", Role.ADMINISTRATOR)), asked.request_id)


def test_a_worker_does_what_the_decision_left_undone(asked, lena):
    decide.approve(by(lena), asked.request_id)
    assert now_is(asked) == "waiting"
    settle()
    assert now_is(asked) == "published"
    settle()
    assert PolicyVersion.objects.filter(number__isnull=False).count() == 2


@pytest.mark.parametrize("how", ["decline", "withdraw", "lapse"])
def test_what_is_not_approved_is_a_draft_again(asked, kim, lena, how):
    if how == "decline":
        acts.decline(by(lena), asked.request_id, "Not before the launch.")
    elif how == "withdraw":
        acts.withdraw(by(kim), asked.request_id)
    else:
        ApprovalRequest.objects.update(lapses_at=timezone.now())
        tend(timezone.now())
        settle()
    assert now_is(asked) == "draft"
    assert done_to(asked)[-1] == "is a draft again"
    assert live_version().number == 1
    assert publish(by(kim), asked).state == "waiting", "it can be asked for anew"


def test_a_decline_that_is_undone_waits_again_unless_the_draft_changed(asked, kim, lena):
    acts.decline(by(lena), asked.request_id, "No.")
    acts.undo(by(lena), asked.request_id)
    assert now_is(asked) == "waiting"
    acts.decline(by(lena), asked.request_id, "No.")
    asked.refresh_from_db()
    save_draft(by(kim), asked, a_policy(), asked.edit_version)
    with pytest.raises(decide.CannotApply, match="changed since"):
        acts.undo(by(lena), asked.request_id)


def test_undoing_the_approval_brings_back_what_was_before(asked, lena):
    first = live_version()
    acts.approve(by(lena), asked.request_id)
    assert acts.undo(by(lena), asked.request_id).said == "What was in force before it is in force again."
    now = live_version()
    assert (now.number, now.document, now.based_on, now.published_by) == (3, first.document, first, lena)
    assert publish_approved() == 0
    assert entries(asked.request)[-1] == "undid the approval of"


def test_the_undoing_too_is_done_by_a_worker(asked, lena):
    acts.approve(by(lena), asked.request_id)
    decide.undo(by(lena), asked.request_id)
    settle()
    assert live_version().number == 3
    settle()
    assert live_version().number == 3


def test_undone_before_it_was_put_in_force_it_never_is(asked, lena):
    decide.approve(by(lena), asked.request_id)
    acts.undo(by(lena), asked.request_id)
    assert (now_is(asked), live_version().number) == ("draft", 1)


def test_another_version_in_force_by_now_is_not_taken_back(asked, lena):
    acts.approve(by(lena), asked.request_id)
    roll_back(ACTOR, PolicyVersion.objects.get(number=1))
    with pytest.raises(decide.CannotApply, match="Another version is in force"):
        acts.undo(by(lena), asked.request_id)


def test_what_can_no_longer_be_put_in_force_is_not_approved(asked, lena):
    Workflow.objects.create(slug="w", name="W", default_tier=7)
    with pytest.raises(decide.CannotApply, match="Tier 7 cannot go"):
        acts.approve(by(lena), asked.request_id)
    Workflow.objects.all().delete()
    Organisation.objects.update(policy_needs_second=False)
    published(a_policy())
    with pytest.raises(decide.CannotApply, match="Version 2 was published since"):
        acts.approve(by(lena), asked.request_id)
    decide.approve(by(lena), asked.request_id)  # a moment before the other
    settle()
    assert now_is(asked) == "draft"
    assert done_to(asked)[-1] == "was approved and could not be put in force"


def test_where_two_have_to_the_first_yes_publishes_nothing(asked, lena):
    ApprovalRequest.objects.update(approvers_needed=2)
    assert acts.approve(by(lena), asked.request_id).waiting_for_second
    assert now_is(asked) == "waiting"
    acts.approve(by(a_person("Boss", Role.ADMINISTRATOR)), asked.request_id)
    assert now_is(asked) == "published"


def tried_on(draft, calls=10, of=10, compared=10, live_number=1, workflow="", draft_cost=3, **draft_counts):
    """A preview: by the policy in force $5, by the draft `draft_cost`, of the compared calls."""
    sides = Sides(
        Tally(calls=calls),
        Tally(calls=calls, cost=dollars(9)),
        Tally(calls=calls, cost=dollars(1), **draft_counts),
        compared=compared,
        live_compared=dollars(5) if compared else 0,
        draft_compared=dollars(draft_cost) if compared else 0,
    )
    result = Result(live_number, 10_000, 1, sides, {}, {}, {}, {}, Basis({}, {}, 0, 10_000))
    PolicyReplay.objects.create(
        version=draft,
        edit_version=draft.edit_version,
        starts_at=timezone.now() - timezone.timedelta(days=1),
        ends_at=timezone.now(),
        state="done",
        calls=of,
        taken=calls,
        workflow=workflow,
        result=written(result),
    )


@pytest.mark.parametrize(
    ("figures", "title", "said"),
    [
        ({"blocked": 2}, "$2.00 less: ", "10 past calls: $3.00 instead of $5.00, 2 refused"),
        # What a draft sends to a model without a price is no saving.
        ({"compared": 8}, "$2.00 less: ", "10 past calls: $3.00 instead of $5.00 for the 8 whose cost is known"),
        ({"compared": 0, "approval": 4}, "", "10 past calls: what they would have cost is not known, 4 to be approved"),
        ({"of": 40}, "About $8.00 less: ", "10 past calls, a sample of 40: $3.00 instead of $5.00"),
        ({"draft_cost": 5}, "No change in cost: ", "10 past calls: $5.00 instead of $5.00"),
        # Of one workflow only, or beside a policy that is not in force: nothing for this decision.
        ({"workflow": "briefs"}, "", ""),
        ({"live_number": 7}, "", ""),
        ({"calls": 0, "of": 0, "compared": 0}, "", ""),
    ],
)
def test_what_it_would_have_done_to_past_calls_is_told(kim, figures, title, said):
    draft = a_draft(POLICY, actor=by(kim))
    tried_on(draft, **figures)
    request = publish(by(kim), draft).request
    assert words.title(request) == f"{title}The policy “Cheaper drafts”"
    assert words.tried(request) == said
    if figures.get("compared") == 0 and said:
        assert words.cost(request) == "Cost not known"


def test_the_page_shows_what_changes_and_decides(asked, lena, client):
    client.force_login(lena)
    for path in ("/approvals/", f"/approvals/{asked.request_id}/"):
        page = client.get(path).content.decode()
        assert "asks to publish the policy “Cheaper drafts”" in page
        assert f"/routing/drafts/{asked.pk}/" in page
    assert "New rule 1, “X”: If the stage is draft → Economy." in page
    client.post(f"/approvals/{asked.request_id}/approve/")
    assert now_is(asked) == "published"
    assert "The policy “Cheaper drafts”" in b"".join(client.get("/export/approvals.csv?tab=decided")).decode()


def test_rest_decides_and_does_not_ask(asked, lena, client):
    client.force_login(lena)
    path = f"/api/v1/approval-requests/{asked.request_id}"
    said = client.get(path).json()
    assert (said["kind"], said["policy"], said["summary"]) == ("policy", asked.pk, "The policy “Cheaper drafts”")
    body = {"kind": "policy", "reason": "x"}
    assert client.post("/api/v1/approval-requests", body, "application/json").status_code == 422
    assert client.post(f"{path}/approve", {"ceiling": "5"}, "application/json").status_code == 409
    assert client.post(f"{path}/approve", {}, "application/json").json()["state"] == "approved"
    assert now_is(asked) == "published"
    assert client.post(f"{path}/undo", {}, "application/json").json()["state"] == "undone"
    assert live_version().number == 3


APPROVE_AND_DIE = """
import os, signal, django
django.setup()
from django.contrib.auth.models import User
from budgets.audit.record import Actor
from routing.approvals import acts

acts.publish_approved = lambda: os.kill(os.getpid(), signal.SIGKILL)  # the power goes just here
acts.approve(Actor(User.objects.get(username="lena"), "lena", "web"), int(os.environ["REQUEST"]))
"""


@pytest.mark.django_db(transaction=True)
def test_a_process_that_is_killed_after_the_decision_loses_nothing(asked, lena):
    settings = connection.settings_dict
    at = f"{settings['HOST']}:{settings['PORT'] or 5432}"
    url = f"postgres://{settings['USER']}:{settings['PASSWORD'] or ''}@{at}/{settings['NAME']}"
    told = {**os.environ, "DATABASE_URL": url, "REQUEST": str(asked.request_id)}
    ended = subprocess.run([sys.executable, "-c", APPROVE_AND_DIE], env=told, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert ApprovalRequest.objects.get().state == "approved"
    assert now_is(asked) == "waiting"
    began = time.monotonic()
    settle()
    assert time.monotonic() - began < 10
    assert now_is(asked) == "published"
    assert live() == POLICY


def test_slack_asks_and_decides_the_same(kim, settings):
    with slack_server() as slack:
        set_up(settings, slack)
        lena = a_slack_person(a_person("Lena", Role.POLICY_ADMIN), "U0LENA001")
        asked = publish(by(kim), a_draft(POLICY, actor=by(kim)))
        send_due()
        told = json.dumps(slack.calls, ensure_ascii=False, default=str)
        assert "asks to publish the policy “Cheaper drafts”" in told
        assert asked.request.facts["policy_changes"][0] in told
        press(slack, "U0LENA001", "approve", asked.request)
        assert now_is(asked) == "published"
        assert (asked.published_by, live()) == (lena, POLICY)
        assert only_they_saw(slack)[0].startswith("You approved this. It is put in force now.")
        press(slack, "U0LENA001", "undo", asked.request)
        assert live_version().number == 3
