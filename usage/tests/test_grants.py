"""Every use of a grant is charged to it, once, and it ends at its ceiling: real intake on PostgreSQL."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from budgets.grants.end import end_grant, expire_due
from budgets.grants.fold import fold_charges
from budgets.grants.make import make_grant
from budgets.models import ApprovalRequest, AuditEntry, Grant, GrantCharge, Organisation, Workflow
from budgets.organisation.configuration import changing_configuration
from usage.models import LedgerEntry
from usage.tests.events import NOW, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def priced():
    with changing_configuration():
        price_the_model()


def a_grant(slug="briefs", tier=3, **values) -> Grant:
    workflow, _ = Workflow.objects.get_or_create(slug=slug, defaults={"name": slug, "status": "production"})
    asked = {"wanted_until": NOW + timedelta(days=3), **values}
    request = ApprovalRequest.objects.create(
        kind="premium", state="approved", workflow=workflow, tier=tier, reason="Launch", created_at=NOW,
        lapses_at=NOW, decided_at=NOW, requested_text="ann", origin="web", **asked,
    )  # fmt: skip
    return make_grant(request, NOW - timedelta(hours=1))


def used(grant: Grant) -> tuple[int, int, int, str]:
    """Spent, calls, runs and end, after folding."""
    fold_charges(NOW)
    grant.refresh_from_db()
    return grant.spent, grant.calls, grant.runs, grant.end


def in_ledger(grant: Grant) -> int:
    return LedgerEntry.objects.filter(grant_id=grant.key).aggregate(total=Sum("cost"))["total"] or 0


def a_call(event_id, **values):
    return an_event(event_id, **{"workflow": "briefs", "tier": 3, "run_id": "r1", **values})


def test_a_call_that_names_it_is_charged_whatever_else_it_says():
    grant = a_grant()
    take([a_call("a", grant_id=grant.key, tier=None), a_call("b", run_id="r2", grant_id=grant.key)])
    spent, calls, runs, end = used(grant)
    assert spent == in_ledger(grant) > 0
    assert (calls, runs, end) == (2, 2, "")
    take(a_call("a", grant_id=grant.key, tier=None))  # sent again
    assert used(grant) == (spent, calls, runs, end)
    assert not GrantCharge.objects.exists()


def test_so_is_one_of_its_tier_in_its_scope_that_names_none():
    grant = a_grant(run_id="r1", subject_user="ann")
    take([a_call("a", user="ann"), a_call("b", user="bob"), a_call("c", user="ann", run_id="r2")])
    take([a_call("d", user="ann", tier=2), a_call("e", user="ann", workflow="other")])
    take(a_call("f", user="ann", time=(NOW - timedelta(hours=2)).isoformat()))  # before it began
    assert used(grant)[1] == 1
    assert list(LedgerEntry.objects.filter(grant_id=grant.key).values_list("event_id", flat=True)) == ["a"]


def test_nobody_spends_the_grant_of_another_workflow():
    grant = a_grant()
    take(a_call("a", workflow="other", grant_id=grant.key))
    assert used(grant)[:2] == (0, 0)


def test_the_narrower_grant_is_used_first():
    wide, narrow = a_grant(), a_grant(run_id="r1")
    take([a_call("a"), a_call("b", run_id="r2")])
    assert (used(wide)[1], used(narrow)[1]) == (1, 1)


def test_it_ends_at_exactly_its_ceiling_of_money_and_says_so_once():
    free = a_grant("other")
    take(a_call("price", workflow="other"))
    one = used(free)[0]
    grant = a_grant(ceiling=one * 2)
    before = Organisation.get().state_version
    take(a_call("a"))
    assert used(grant)[3] == ""
    take(a_call("b"))
    assert used(grant) == (one * 2, 2, 1, "ceiling")
    assert Organisation.get().state_version > before
    take(a_call("late", grant_id=grant.key))  # what was under way is charged all the same
    assert used(grant)[:2] == (one * 3, 3)
    assert AuditEntry.objects.filter(act="ended", object_id=str(grant.pk)).count() == 1


def test_the_last_of_its_runs_may_go_on_and_a_further_one_ends_it():
    grant = a_grant(runs=2)
    take([a_call("a"), a_call("b", run_id="r2"), a_call("c", run_id="r2")])
    assert used(grant)[2:] == (2, "")
    take(a_call("d", run_id="r3"))
    assert used(grant)[2:] == (3, "ceiling")


def test_undone_means_that_nothing_more_is_charged_but_what_names_it():
    grant = a_grant()
    take(a_call("a"))
    assert end_grant(grant, Grant.End.UNDONE, timezone.now())
    assert not end_grant(grant, Grant.End.UNDONE, timezone.now())
    take([a_call("b", time=timezone.now().isoformat()), a_call("c", grant_id=grant.key)])
    assert used(grant)[1] == 2


def test_it_expires_once_and_at_the_time_it_said():
    grant = a_grant()
    assert expire_due(NOW) == 0
    later = grant.expires_at + timedelta(minutes=5)
    assert [expire_due(later), expire_due(later)] == [1, 0]
    grant.refresh_from_db()
    assert (grant.end, grant.ended_at) == ("expired", grant.expires_at)


def test_a_grant_of_a_workflow_that_is_merged_goes_on_there():
    from budgets.audit.record import Actor
    from budgets.workflows.merge import merge_workflow

    grant = a_grant()
    target = Workflow.objects.create(slug="all-briefs", name="All briefs", status="production")
    merge_workflow(Actor.command("test"), grant.workflow, target)
    take([a_call("a"), a_call("b", workflow="all-briefs")])
    assert used(grant)[1] == 2


def test_racing_writers_and_folders_lose_and_repeat_nothing():
    grant = a_grant(ceiling=10**15)
    done = threading.Event()
    faults = []

    def fold():
        try:
            while not done.is_set():
                fold_charges(NOW)
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    def write(n):
        try:
            for k in range(6):
                take([a_call(f"{n}-{k}-{i}", run_id=f"r{i}") for i in range(5)])
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    folders = [threading.Thread(target=fold) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in (*folders, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in folders:
        thread.join()
    assert faults == []
    assert used(grant) == (in_ledger(grant), 120, 5, "")
