"""What a request does by itself: the others are asked, a reminder, the end. Each once, however often it is tended."""

import pytest

from budgets.approvals import messages
from budgets.approvals.decide import approve, decline, undo
from budgets.approvals.lapse import tend
from budgets.models import ApprovalRequest, AuditEntry
from budgets.tasks import tend_requests
from budgets.tests.asking import HOUR, NOW, a_person, a_request, a_team, a_workflow, an_approver, by, entries, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def team():
    return a_team()


@pytest.fixture
def kim(team):
    a_workflow(team=team)
    return a_person("Kim", "budget_owner", team)


@pytest.fixture
def lena(team):
    return an_approver("Lena", team)


@pytest.fixture
def omar(team):
    return an_approver("Omar", team)


def test_from_first_asking_to_the_end(kim, lena, omar):
    request = a_request(by(kim))
    assert told(request) == [("request", lena.email)]
    assert tend(NOW + 8 * HOUR - HOUR / 60) == 0
    assert [tend(NOW + 8 * HOUR), tend(NOW + 8 * HOUR)] == [1, 0]
    assert told(request) == [("request", lena.email), ("second", omar.email)]
    assert [tend(NOW + 60 * HOUR), tend(NOW + 61 * HOUR)] == [1, 0]
    assert [one for one in told(request) if one[0] == "reminder"] == [
        ("reminder", lena.email),
        ("reminder", omar.email),
    ]
    assert [tend(NOW + 72 * HOUR), tend(NOW + 73 * HOUR)] == [1, 0]
    request.refresh_from_db()
    assert (request.state, request.decided_text, request.decided_origin) == ("lapsed", "TokenOps", "job")
    assert request.decided_at == NOW + 72 * HOUR
    assert entries(request) == ["asked", "asked others about", "reminded of", "let lapse"]
    rows = AuditEntry.objects.filter(object_id=str(request.pk), object_type="budgets.approvalrequest")
    assert list(rows.order_by("position").values_list("origin", flat=True)) == ["web", "job", "job", "job"]
    assert told(request) == [("decision", kim.email)]  # what asks and is not sent yet stays here


def test_a_worker_that_slept_lapses_at_once_and_reminds_of_nothing(kim, lena, omar):
    request = a_request(by(kim))
    assert tend(NOW + 100 * HOUR) == 1
    assert entries(request) == ["asked", "let lapse"]


def test_what_is_decided_is_left_alone(kim, lena, omar):
    approved, declined = a_request(by(kim)), a_request(by(kim))
    approve(by(lena), approved.pk, now=NOW)
    decline(by(lena), declined.pk, "No", NOW)
    assert tend(NOW + 100 * HOUR) == 0


def test_a_decline_taken_back_lapses_in_its_time(kim, lena):
    request = a_request(by(kim))
    decline(by(lena), request.pk, "No", NOW)
    undo(by(lena), request.pk, now=NOW + HOUR)
    assert tend(NOW + 72 * HOUR) == 1
    request.refresh_from_db()
    assert request.state == "lapsed"


def test_a_fault_in_one_keeps_no_other_from_its_turn(kim, lena, monkeypatch, caplog):
    broken, fine = a_request(by(kim)), a_request(by(kim))
    real = messages.decided

    def decided(request, *args):
        if request.pk == broken.pk:
            raise RuntimeError("unheard of")
        real(request, *args)

    monkeypatch.setattr(messages, "decided", decided)
    assert tend(NOW + 72 * HOUR) == 1
    states = dict(ApprovalRequest.objects.values_list("pk", "state"))
    assert states == {broken.pk: "waiting", fine.pk: "lapsed"}
    assert f"Request {broken.pk} could not be tended" in caplog.text
    monkeypatch.undo()
    assert tend(NOW + 72 * HOUR) == 1


def test_the_task_tends_as_of_now(kim, lena):
    request = a_request(by(kim), now=NOW - 10_000 * HOUR)
    assert tend_requests() == 1
    request.refresh_from_db()
    assert request.state == "lapsed"
