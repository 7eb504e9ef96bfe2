"""The same call imported and sent by its sender: an import's undo takes back only what nobody else brought."""

import pytest
from django.db import connection

from budgets.models import AuditEntry
from budgets.tests.made import at_once
from usage.imports.decide import begin_undo
from usage.imports.kinds import usage as usage_kind
from usage.imports.work import work_on
from usage.ingest.write import Intake
from usage.ledger.check import check_ledger
from usage.models import Claim, LedgerEntry, QuarterHour
from usage.rollups.fold import fold_all
from usage.tests.events import an_event, price_the_model, take
from usage.tests.imports_made import ME, counts, first_rows, fresh, imported, undone

pytestmark = pytest.mark.django_db(transaction=True)
HEADER = "id,time,provider,model,input_tokens,output_tokens,workflow\n"


@pytest.fixture(autouse=True)
def rows():
    first_rows()
    price_the_model()


def lines(*names):
    return HEADER + "".join(f"{name},2026-11-10T10:00:00Z,acme,test-model,1000,100,briefs\n" for name in names)


def live(*names):
    """As `lines` has them."""
    return take([an_event(name, time="2026-11-10T10:00:00Z", workflow="briefs") for name in names])


def standing():
    taken_back = LedgerEntry.objects.filter(kind=2).values("corrects")
    return sorted(LedgerEntry.objects.filter(kind=0).exclude(id__in=taken_back).values_list("event_id", flat=True))


def proven():
    fold_all()
    assert check_ledger() == []
    assert sum(QuarterHour.objects.values_list("calls", flat=True)) == len(standing()) == Claim.objects.count()


def test_what_was_sent_before_the_import_stays():
    live("a", "b")
    run = imported(lines("a", "b", "c"), source="gateway")
    assert counts(run) == (1, 0, 2, 0)
    back = undone(run)
    assert (back.undo_rows, back.undo_done, back.problem) == (1, 1, "")
    assert standing() == ["a", "b"]
    proven()


def test_what_was_sent_since_the_import_stays_and_is_told():
    run = imported(lines(*"abcde"), source="gateway")
    answer = live("b", "d", "f")
    assert (answer.accepted, answer.duplicate) == (1, 2)
    assert live("b").duplicate == 1
    back = undone(run)
    assert (back.status, back.undo_done) == ("undone", 3)
    assert back.problem.startswith("2 calls stay: their sender has sent them as well since the import.")
    assert AuditEntry.objects.get(act="undone").after["note"] == back.problem
    assert standing() == ["b", "d", "f"]
    proven()
    assert live("a", "b").duplicate == 1, "what was taken back may be sent, what stays is still known"
    proven()


def test_another_import_of_the_same_is_no_sender():
    run = imported(lines("a", "b"), source="gateway")
    assert counts(imported(lines("a", "b", "c"), source="gateway")) == (1, 0, 2, 0)
    assert undone(run).problem == ""
    assert standing() == ["c"]
    proven()


def test_more_that_stay_than_are_taken_at_a_time(monkeypatch):
    monkeypatch.setattr(usage_kind, "CHUNK", 2)
    names = [f"call-{n}" for n in range(9)]
    run = imported(lines(*names), source="gateway")
    live(*names[:5])
    back = undone(run)
    assert (back.undo_done, back.problem.split(":")[0]) == (4, "5 calls stay")
    assert standing() == names[:5]
    proven()


def test_all_of_them_stay():
    run = imported(lines("a"), source="gateway")
    live("a")
    assert undone(run).problem.startswith("1 call stays: its sender has sent it as well")
    assert standing() == ["a"]
    proven()


def test_sent_in_the_very_moment_it_is_taken_back(monkeypatch):
    """Its claim was read and is gone when it is to be noted: then the call is free, and counts as sent."""
    run = imported(lines("a", "b"), source="gateway")
    begin_undo(ME, run.pk)
    real = Intake.sent_too

    def late(self, cursor, found):
        connection.ensure_connection()
        at_once(lambda: work_on(run.pk))
        return real(self, cursor, found)

    monkeypatch.setattr(Intake, "sent_too", late)
    assert live("a").accepted == 1
    assert fresh(run).problem == ""
    assert standing() == ["a"]
    proven()


@pytest.mark.parametrize("round_", range(8))
def test_whoever_comes_first_the_call_counts_once(round_):
    """Its sender sends it, in parts, while the import is undone: each part was accepted or acknowledged, and stands."""
    names = [f"call-{n}" for n in range(40)]
    run = imported(lines(*names), source="gateway")
    begin_undo(ME, run.pk)
    parts = [names[:20], names[10:30][::-1], names[20:]]
    answers = at_once(lambda: work_on(run.pk), *[lambda part=part: live(*part) for part in parts])
    assert all(one is None or (one.conflict, one.rejected) == (0, 0) for one in answers)
    assert fresh(run).status == "undone"
    assert standing() == sorted(names)
    proven()
