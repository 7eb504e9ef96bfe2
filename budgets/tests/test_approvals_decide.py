"""Decisions: who may make them, what follows, and how each is taken back."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from budgets.access.keys import make_key
from budgets.approvals.decide import (
    AlreadyDecided,
    CannotApply,
    MayNotDecide,
    ReasonNeeded,
    approve,
    decline,
    undo,
    withdraw,
)
from budgets.audit.record import Actor
from budgets.models import ApiKey, ApprovalRequest, ApprovalVote, AuditEntry, Grant, GrantCharge, Workflow
from budgets.tests.asking import (
    HOUR,
    NOW,
    a_person,
    a_request,
    a_team,
    a_workflow,
    an_approver,
    by,
    dollars,
    entries,
    told,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def team():
    return a_team()


@pytest.fixture
def workflow(team):
    return a_workflow(team=team)


@pytest.fixture
def kim(workflow):
    return a_person("Kim", "budget_owner", workflow.team)


@pytest.fixture
def lena(team):
    return an_approver("Lena", team)


@pytest.fixture
def omar(team):
    return an_approver("Omar", team)


def state_of(request: ApprovalRequest) -> str:
    return ApprovalRequest.objects.get(pk=request.pk).state


def test_an_approval_makes_a_grant(kim, lena):
    request = a_request(by(kim), ceiling=dollars(300))
    done = approve(by(lena), request.pk, "Go", NOW + HOUR)
    request.refresh_from_db()
    assert (request.state, request.decided_by, request.decided_text) == ("approved", lena, "lena")
    assert (request.decided_origin, request.decision_reason, request.decided_at) == ("web", "Go", NOW + HOUR)
    grant = Grant.objects.get(request=request)
    assert (grant.tier, grant.ceiling, grant.ceiling_runs) == (3, dollars(300), 40)
    assert not done.waiting_for_second
    assert done.said == "Allowed from now on: at most $300, 40 runs, until 29 Nov 2026."
    entry = AuditEntry.objects.get(object_type="budgets.approvalrequest", act="approved")
    assert (entry.who, entry.origin, entry.reason) == (lena, "web", "Go")
    assert done.entry == entry
    assert entry.after["grant"] == grant.key


@pytest.mark.parametrize("origin", ["web", "api", "slack"])
def test_the_history_says_from_where(kim, lena, origin):
    first, second = a_request(by(kim, origin)), a_request(by(kim, origin))
    approve(by(lena, origin), first.pk, now=NOW)
    undo(by(lena, origin), first.pk, now=NOW)
    decline(by(lena, origin), second.pk, "Too dear", NOW)
    rows = AuditEntry.objects.filter(object_type="budgets.approvalrequest").order_by("position")
    assert [(row.act, row.origin) for row in rows] == [
        ("asked", origin),
        ("asked", origin),
        ("approved", origin),
        ("undid the approval of", origin),
        ("declined", origin),
    ]


def test_a_decline_needs_a_reason_that_fits(kim, lena):
    request = a_request(by(kim))
    for reason, said in (("", "Say why"), (" \n\0", "Say why"), ("x" * 501, "under 500")):
        with pytest.raises(ReasonNeeded, match=said):
            decline(by(lena), request.pk, reason, NOW)
    assert state_of(request) == "waiting"
    assert ApprovalVote.objects.count() == 0
    decline(by(lena), request.pk, " Too dear\0 ", NOW)
    request.refresh_from_db()
    assert (request.state, request.decision_reason) == ("declined", "Too dear")
    assert not Grant.objects.exists()


def test_nobody_decides_their_own(team, workflow):
    lena = an_approver("Lena", team)
    boss = a_person("Boss", is_superuser=True)
    for user in (lena, boss):
        request = a_request(by(user))
        with pytest.raises(MayNotDecide, match="Someone else has to approve it"):
            approve(by(user), request.pk, now=NOW)
        with pytest.raises(MayNotDecide, match="Someone else"):
            decline(by(user), request.pk, "No", NOW)
        assert state_of(request) == "waiting"


def test_nobody_decides_what_their_own_key_asked(lena, omar, workflow):
    key = make_key("Writer", ["request"], created_by=lena)[0]
    request = a_request(Actor(None, "key Writer", "api", key_id=key.pk))
    assert (request.requested_by, request.api_key, request.requested_text) == (None, key, "key Writer")
    with pytest.raises(MayNotDecide, match="Someone else"):
        approve(by(lena), request.pk, now=NOW)
    approve(by(omar), request.pk, now=NOW)
    assert state_of(request) == "approved"


def test_nobody_undoes_the_approval_of_their_own(lena, omar, workflow):
    request = a_request(by(lena))
    approve(by(omar), request.pk, now=NOW)
    with pytest.raises(MayNotDecide, match="your own"):
        undo(by(lena), request.pk, now=NOW)
    assert state_of(request) == "approved"


def test_without_the_right_nothing_happens_and_the_sentence_names_who_can(kim, lena, team):
    request = a_request(by(kim))
    strangers = [
        a_person("Viewer", "viewer", team),
        a_person("Owner", "budget_owner", team),
        an_approver("Elsewhere", a_team("Sales")),
        a_person("Nobody"),
    ]
    for user in strangers:
        for act in (lambda who: approve(who, request.pk, now=NOW), lambda who: decline(who, request.pk, "No", NOW)):
            with pytest.raises(MayNotDecide, match=r"You may not decide this\. Ask Lena\."):
                act(by(user))
    assert state_of(request) == "waiting"
    approve(by(lena), request.pk, now=NOW)
    with pytest.raises(MayNotDecide):
        undo(by(strangers[0]), request.pk, now=NOW)


def test_a_key_decides_nothing(kim, lena):
    key = make_key("Robot", ["admin", "request"])[0]
    request = a_request(by(kim))
    robot = Actor(None, "key Robot", "api", key_id=key.pk)
    with pytest.raises(MayNotDecide, match="A person has to"):
        approve(robot, request.pk, now=NOW)
    approve(by(lena), request.pk, now=NOW)
    with pytest.raises(MayNotDecide, match="A person has to"):
        undo(robot, request.pk, now=NOW)


def test_somebody_who_left_decides_nothing(kim, lena, omar):
    request = a_request(by(kim))
    User.objects.filter(pk=lena.pk).update(is_active=False)
    lena.refresh_from_db()
    with pytest.raises(MayNotDecide, match="Ask Omar"):
        approve(by(lena), request.pk, now=NOW)


def test_the_second_is_told_who_decided_and_when(kim, lena, omar):
    request = a_request(by(kim))
    approve(by(lena), request.pk, now=NOW)
    for act in (lambda: approve(by(omar), request.pk, now=NOW), lambda: decline(by(omar), request.pk, "No", NOW)):
        with pytest.raises(AlreadyDecided, match=r"Lena approved this (at|on 22 Nov,) 10:00\.") as told_:
            act()
        assert told_.value.request.decided_by == lena
    with pytest.raises(AlreadyDecided, match="Lena approved"):
        withdraw(by(kim), request.pk, NOW)
    assert Grant.objects.count() == 1
    assert ApprovalVote.objects.count() == 1


def test_two_people_have_to_where_the_rule_says(kim, lena, omar):
    request = a_request(by(kim), extra=500)
    assert request.approvers_needed == 2
    first = approve(by(lena), request.pk, now=NOW)
    assert first.waiting_for_second
    assert state_of(request) == "waiting"
    assert not Grant.objects.exists()
    with pytest.raises(MayNotDecide, match="You approved this already"):
        approve(by(lena), request.pk, now=NOW)
    second = approve(by(omar), request.pk, now=NOW)
    assert not second.waiting_for_second
    assert state_of(request) == "approved"
    assert Grant.objects.count() == 1
    assert entries(request) == ["asked", "approved as the first", "approved"]


def test_the_decline_of_one_ends_what_two_have_to_approve(kim, lena, omar):
    request = a_request(by(kim), extra=501)
    approve(by(lena), request.pk, now=NOW)
    decline(by(omar), request.pk, "No", NOW)
    assert state_of(request) == "declined"
    assert not Grant.objects.exists()


def test_a_first_yes_can_be_taken_back_while_the_second_is_waited_for(kim, lena, omar):
    request = a_request(by(kim), extra=501)
    approve(by(lena), request.pk, now=NOW)
    with pytest.raises(MayNotDecide, match="Nothing is decided"):
        undo(by(omar), request.pk, now=NOW)
    undo(by(lena), request.pk, now=NOW)
    assert approve(by(omar), request.pk, now=NOW).waiting_for_second
    approve(by(lena), request.pk, now=NOW)
    assert state_of(request) == "approved"


def test_an_approver_may_allow_less_and_of_two_the_lower_counts(kim, lena, omar):
    request = a_request(by(kim), ceiling=dollars(600))
    with pytest.raises(CannotApply, match=r"At most \$600\.00 was asked for"):
        approve(by(lena), request.pk, now=NOW, ceiling=dollars(601))
    for wrong in (0, -1, True, 10**19):
        with pytest.raises(CannotApply, match="above zero"):
            approve(by(lena), request.pk, now=NOW, ceiling=wrong)
    approve(by(lena), request.pk, now=NOW, ceiling=dollars(200))
    approve(by(omar), request.pk, now=NOW, ceiling=dollars(250))
    assert Grant.objects.get().ceiling == dollars(200)


def test_undoing_an_approval_ends_what_is_left_and_says_what_was_spent(kim, lena):
    request = a_request(by(kim))
    approve(by(lena), request.pk, now=NOW)
    grant = Grant.objects.get()
    Grant.objects.filter(pk=grant.pk).update(spent=dollars(10))
    GrantCharge.objects.create(grant=grant, run_id="r1", cost=2_400_000_000, calls=3)  # not folded yet
    done = undo(by(lena), request.pk, "Too fast", NOW + HOUR)
    assert done.said == "What was left of the allowance is gone. $12.40 was spent on it and stays spent."
    assert state_of(request) == "undone"
    grant.refresh_from_db()
    assert (grant.end, grant.ended_at) == ("undone", NOW + HOUR)
    with pytest.raises(AlreadyDecided, match="Lena undid that"):
        undo(by(lena), request.pk, now=NOW + HOUR)
    assert AuditEntry.objects.get(act="undid the approval of").after["said"] == done.said


def test_undoing_what_is_over_is_refused_in_words(kim, lena):
    request = a_request(by(kim))
    approve(by(lena), request.pk, now=NOW)
    Grant.objects.update(ended_at=NOW + HOUR, end="ceiling")
    with pytest.raises(CannotApply, match=r"over already \(used up\)"):
        undo(by(lena), request.pk, now=NOW + 2 * HOUR)
    assert state_of(request) == "approved"


def test_undoing_what_expired_is_refused_before_any_worker_saw_that(kim, lena):
    request = a_request(by(kim))
    approve(by(lena), request.pk, now=NOW)
    expires = Grant.objects.get().expires_at
    with pytest.raises(CannotApply, match=r"over already \(expired\)"):
        undo(by(lena), request.pk, now=expires)
    assert Grant.objects.get().ended_at is None


def test_anybody_who_could_have_decided_may_undo(kim, lena, omar):
    request = a_request(by(kim))
    approve(by(lena), request.pk, now=NOW)
    assert undo(by(omar), request.pk, now=NOW).said == "The allowance is gone. Nothing was spent on it."


def test_a_decline_taken_back_waits_again_until_it_lapses(kim, lena, omar):
    request = a_request(by(kim))
    decline(by(lena), request.pk, "Wrong button", NOW)
    undo(by(lena), request.pk, now=NOW + HOUR)
    request.refresh_from_db()
    assert (request.state, request.decided_at, request.decided_by, request.decision_reason) == (
        "waiting",
        None,
        None,
        "",
    )
    decline(by(lena), request.pk, "After all", NOW + HOUR)
    with pytest.raises(CannotApply, match="would have lapsed"):
        undo(by(lena), request.pk, now=request.lapses_at)
    assert state_of(request) == "declined"


def test_only_the_asker_withdraws(kim, lena, omar):
    request = a_request(by(kim))
    with pytest.raises(MayNotDecide, match="Only Kim can withdraw this"):
        withdraw(by(lena), request.pk, NOW)
    withdraw(by(kim), request.pk, NOW)
    assert state_of(request) == "withdrawn"
    with pytest.raises(AlreadyDecided, match="Kim withdrew this"):
        approve(by(lena), request.pk, now=NOW)
    with pytest.raises(AlreadyDecided, match="Kim withdrew this"):
        undo(by(lena), request.pk, now=NOW)


def test_a_key_withdraws_its_own_and_no_other_of_the_same_name(lena, workflow):
    keys = [make_key("Writer", ["request"], created_by=lena)[0] for _ in range(2)]
    one, other = [Actor(None, "key Writer", "api", key_id=key.pk) for key in keys]
    request = a_request(one)
    with pytest.raises(MayNotDecide):
        withdraw(other, request.pk, NOW)
    withdraw(one, request.pk, NOW)
    assert state_of(request) == "withdrawn"
    assert ApiKey.objects.count() == 2


def test_what_is_over_lapses_rather_than_be_decided(kim, lena):
    request = a_request(by(kim))
    with pytest.raises(AlreadyDecided, match="Nobody decided in time"):
        approve(by(lena), request.pk, now=request.lapses_at)
    assert state_of(request) == "lapsed"
    assert entries(request) == ["asked", "let lapse"]


def test_a_workflow_taken_out_of_use_meanwhile_gets_nothing(kim, lena, workflow):
    request = a_request(by(kim))
    Workflow.objects.update(status="ignored")
    with pytest.raises(CannotApply, match="taken out of use"):
        approve(by(lena), request.pk, now=NOW)
    assert state_of(request) == "waiting"
    assert not Grant.objects.exists()
    decline(by(lena), request.pk, "It is gone", NOW)


def test_a_workflow_merged_meanwhile_is_granted_to_what_it_counts_as(kim, lena, workflow):
    request = a_request(by(kim))
    target = a_workflow("briefs", "Briefs", team=workflow.team)
    Workflow.objects.filter(pk=workflow.pk).update(status="merged", merged_into=target)
    approve(by(lena), request.pk, now=NOW)
    assert Grant.objects.get().workflow == target


def test_a_failed_approval_leaves_nothing_behind(kim, lena, monkeypatch):
    from budgets.grants import make

    request = a_request(by(kim))
    before = told(request)

    def breaks(*args, **values):
        raise RuntimeError("no disk")

    monkeypatch.setattr(make, "make_grant", breaks)
    with pytest.raises(RuntimeError):
        approve(by(lena), request.pk, now=NOW)
    assert state_of(request) == "waiting"
    assert ApprovalVote.objects.count() == 0
    assert told(request) == before


def test_the_wish_for_a_time_that_is_over_is_not_granted_for_another(kim, lena):
    request = a_request(by(kim), wanted_until=NOW + timedelta(hours=5))
    assert request.lapses_at == NOW + timedelta(hours=5)
    with pytest.raises(AlreadyDecided, match="lapsed"):
        approve(by(lena), request.pk, now=NOW + timedelta(hours=5))
    assert not Grant.objects.exists()


def test_unknown_requests_are_unknown(lena):
    with pytest.raises(ApprovalRequest.DoesNotExist):
        approve(by(lena), 10**9, now=NOW)
