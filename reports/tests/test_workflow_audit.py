"""The audit of a workflow: baseline, proposals, day by day, its end, its report; who may, and that it ends once."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client

from budgets.models import NANO, AuditEntry, Budget, Organisation, Team, Workflow
from budgets.tests.made import ACTOR
from reports.models import WorkflowAudit
from reports.tests.rows import arrived, summed, usage_row
from reports.workflow_audit.follow import RefusedAudit, follow_all, start, stop
from reports.workflow_audit.propose import offered, propose
from reports.workflow_audit.report import lines_of, sentence
from reports.workflow_audit.values import Figures, change, read_baseline, read_days, read_proposals
from tests.people import someone
from usage.models import Run
from usage.rollups.days import make_days_anew

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def briefs():
    """Thirty days of ten dollars and one approved run each; two days of six dollars and one approved each since."""
    Organisation.objects.update(time_zone="UTC")
    team = Team.objects.create(slug="growth", name="Growth")
    flow = Workflow.objects.create(slug="briefs", name="Briefs", status="production", team=team)
    rows = []
    for n in range(-30, 3):
        at, dollars = NOW + n * DAY, 10 if n < 0 else 6
        rows.append(usage_row(at, dollars * NANO, workflow_id=flow.pk, calls=20, retries=2, tier=2,
                              calls_in_runs=20, cost_in_runs=dollars * NANO))  # fmt: skip
        Run.objects.create(workflow_id=flow.pk, run_id=f"r{n}", first_call=at, last_call=at, counts_at=at, calls=20,
                           cost=dollars * NANO, outcome="approved" if n != 1 else "rejected")  # fmt: skip
    summed(rows)
    arrived(NOW)
    return flow


def signed_in(role="administrator", team=None):
    client = Client()
    client.force_login(someone(role, team))
    return client


def begun(workflow):
    with time_machine.travel(NOW, tick=False):
        return start(ACTOR, workflow, "Half the cost")


def followed(audit, days, hours=0):
    now = NOW + days * DAY + timedelta(hours=hours)
    with time_machine.travel(now, tick=False):
        follow_all()
    audit.refresh_from_db()
    return audit


@pytest.mark.django_db
def test_the_baseline_is_frozen_and_the_days_follow(briefs):
    audit = begun(briefs)
    before = read_baseline(audit.baseline)
    assert (before.first, before.last) == (date(2026, 10, 19), date(2026, 11, 17))
    assert (before.figures.cost, before.figures.approved, before.figures.retries) == (300 * NANO, 30, 60)
    assert before.figures.per_asset == 10 * NANO
    assert (audit.first_day, audit.last_day) == (date(2026, 11, 18), date(2026, 12, 17))
    days = read_days(followed(audit, 2).days)
    assert [(one.day.day, one.figures.cost // NANO, one.figures.approved) for one in days] == [(18, 6, 1), (19, 6, 0)]
    assert read_baseline(audit.baseline) == before


@pytest.mark.django_db
def test_it_ends_by_itself_once(briefs):
    audit = begun(briefs)
    assert followed(audit, 29, 23 - 12).state == "running"
    assert followed(audit, 30).state == "done"
    assert len(read_days(audit.days)) == 30
    ended = audit.ended_at
    assert followed(audit, 31).ended_at == ended
    (entry,) = AuditEntry.objects.filter(object_type="reports.workflowaudit", act="finished")
    assert (entry.origin, entry.after["state"]) == ("job", "done")


@pytest.mark.django_db
def test_it_is_worked_out_at_most_once_an_hour(briefs, django_assert_num_queries):
    audit = begun(briefs)
    followed(audit, 1)
    with time_machine.travel(NOW + DAY + timedelta(minutes=59), tick=False), django_assert_num_queries(1):
        assert follow_all() == 0


@pytest.mark.django_db
def test_a_late_outcome_changes_a_day_that_is_over(briefs):
    audit = followed(begun(briefs), 2)
    Run.objects.filter(run_id="r1").update(outcome="shipped")
    make_days_anew("UTC")
    assert [one.figures.approved for one in read_days(followed(audit, 2, 2).days)] == [1, 1]


@pytest.mark.django_db
def test_one_at_a_time_and_only_what_somebody_answers_for(briefs):
    audit = begun(briefs)
    with pytest.raises(RefusedAudit, match="already"):
        begun(briefs)
    with pytest.raises(IntegrityError), transaction.atomic():
        WorkflowAudit.objects.create(
            workflow=briefs, first_day=NOW.date(), last_day=NOW.date(), zone="UTC", baseline={}, started_at=NOW
        )
    stray = Workflow.objects.create(slug="stray", name="Stray", status="discovered")
    with pytest.raises(RefusedAudit, match="Claim it first"):
        begun(stray)
    with time_machine.travel(NOW + DAY, tick=False):
        stop(ACTOR, audit)
    with pytest.raises(RefusedAudit, match="ended"):
        stop(ACTOR, audit)
    assert begun(briefs).pk != audit.pk


@pytest.mark.django_db
def test_what_is_proposed_and_when_it_is_done(briefs):
    audit = begun(briefs)
    proposals = read_proposals(audit.proposals)
    assert [(one.kind, one.amount // NANO, one.tier) for one in proposals] == [("budget", 330, 0), ("tier", 0, 2)]
    found = offered(proposals, briefs)
    assert found[0].url == "/budgets/new/?workflow=briefs&name=Briefs&amount=330"
    assert (found[1].url, found[1].done) == ("/workflows/briefs/edit/?default_tier=2", False)
    Workflow.objects.filter(pk=briefs.pk).update(default_tier=2)
    Budget.objects.create(slug="b", name="B", amount=NANO, scope={"workflow": "briefs"})
    briefs.refresh_from_db()
    assert [one.done for one in offered(proposals, briefs)] == [True, True]
    assert not propose(briefs, read_baseline(audit.baseline), Organisation.get().zone, None)[1:]


@pytest.mark.django_db
def test_the_page_from_start_to_report(briefs):
    client = signed_in()
    with time_machine.travel(NOW, tick=False):
        assert "Start the audit" in client.get("/workflows/briefs/audit/").content.decode()
        client.post("/workflows/briefs/audit/start/", {"goal": "Half the cost"})
        audit = WorkflowAudit.objects.get()
        page = client.get("/workflows/briefs/audit/").content.decode()
        assert "The first complete day is shown tomorrow." in page
        assert "A budget of $330 a month" in page
        form = client.get("/budgets/new/?workflow=briefs&name=Briefs&amount=330").content.decode()
        assert 'value="330"' in form
    followed(audit, 2)
    with time_machine.travel(NOW + 2 * DAY, tick=False):
        page = client.get("/workflows/briefs/audit/").content.decode()
        assert "In 2 complete days an approved asset cost $12.000, 20% more so far than the $10.000 before." in page
        assert "$6.00" in page
        report = client.get(f"/workflows/briefs/audit/{audit.pk}/").content.decode()
        assert "what 2 days of audit changed" in report
        assert "Goal: Half the cost" in report
        answer = client.get(f"/export/workflows/briefs/audits/{audit.pk}.csv")
        lines = list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))
        assert [(one["part"], Decimal(one["cost"]), one["approved"]) for one in lines] == [
            ("baseline", 300, "30"), ("audit", 6, "1"), ("audit", 6, "0")
        ]  # fmt: skip
        client.post(f"/workflows/briefs/audit/{audit.pk}/stop/")
        assert "It was stopped on 20 Nov 2026." in client.get("/workflows/briefs/audit/").content.decode()
    acts = AuditEntry.objects.filter(object_type="reports.workflowaudit").order_by("pk")
    assert [one.act for one in acts] == ["started", "stopped"]


@pytest.mark.django_db
def test_who_may(briefs):
    audit = begun(briefs)
    viewer = signed_in("viewer")
    assert "Stop it" not in viewer.get("/workflows/briefs/audit/").content.decode()
    assert viewer.post(f"/workflows/briefs/audit/{audit.pk}/stop/").status_code == 403
    assert viewer.post("/workflows/briefs/audit/start/").status_code == 403
    brand = signed_in("budget_owner", Team.objects.create(slug="brand", name="Brand"))
    assert brand.get("/workflows/briefs/audit/").status_code == 404
    assert brand.get(f"/workflows/briefs/audit/{audit.pk}/").status_code == 404
    other = Workflow.objects.create(slug="other", name="Other", status="draft")
    assert viewer.get(f"/workflows/{other.slug}/audit/{audit.pk}/").status_code == 404
    assert User.objects.count() == 2


@pytest.mark.django_db
def test_statements(briefs, django_assert_num_queries):
    client, audit = signed_in(), begun(briefs)
    followed(audit, 20)
    client.get("/workflows/briefs/audit/")
    with django_assert_num_queries(9):
        client.get("/workflows/briefs/audit/")


@pytest.mark.parametrize(
    ("before", "since", "said"),
    [
        (Figures(), Figures(), "The first complete day"),
        (Figures(days=30), Figures(days=1, cost=5), "No asset was approved in 1 complete day yet"),
        (Figures(days=30), Figures(days=2, in_runs=4 * NANO, approved=2), "cost $2.000. Before, none was approved"),
        (Figures(30, in_runs=2 * NANO, approved=1), Figures(2, in_runs=2 * NANO, approved=1), "as much as before"),
        (Figures(30, in_runs=4 * NANO, approved=1), Figures(2, in_runs=3 * NANO, approved=1), "25% less than the"),
    ],
)
def test_the_sentence(before, since, said):
    assert said in sentence(before, since, runs=False)


def test_nothing_is_divided_by_nothing():
    assert [one.percent for one in lines_of(Figures(), Figures())] == [None] * 6
    assert change(0, 5) is None
    assert change(200, 100) == -50


@pytest.mark.django_db
def test_a_workflow_that_is_merged_away_keeps_its_days(briefs):
    audit = followed(begun(briefs), 2)
    kept = audit.days
    other = Workflow.objects.create(slug="other", name="Other", status="production")
    Workflow.objects.filter(pk=briefs.pk).update(merged_into=other, status="merged")
    assert followed(audit, 3).days == kept
    assert followed(audit, 30).state == "done"
    assert audit.days == kept
    page = signed_in().get("/workflows/briefs/audit/").content.decode()
    assert "Briefs counts under Other now, so its days stay as they were." in page


@pytest.mark.django_db
def test_a_young_workflow_is_held_against_the_days_that_it_has(briefs):
    team = Team.objects.get()
    young = Workflow.objects.create(slug="young", name="Young", status="production", team=team)
    summed([usage_row(NOW - 4 * DAY, 20 * NANO, workflow_id=young.pk, calls=2)])
    audit = begun(young)
    before = read_baseline(audit.baseline)
    assert (before.first, before.last, before.figures.days) == (date(2026, 11, 14), date(2026, 11, 17), 4)
    assert before.figures.per_day == 5 * NANO
    assert read_proposals(audit.proposals)[0].cost == 150 * NANO


def test_nothing_is_said_against_a_cost_that_is_not_known():
    before, since = Figures(days=30, approved=3), Figures(days=2, approved=1, in_runs=NANO)
    assert sentence(before, since, True).endswith(
        "What one cost before is not known, so there is nothing to compare with."
    )
