"""Alert rules of unusual spend: one message for each finding, over by itself; and what a rule has done about it."""

from datetime import timedelta

import pytest

from budgets.alerts.rules import archive, mute
from budgets.audit.record import Actor
from budgets.models import NANO, Alert, AlertRule, AuditEntry, Notice, StoppedRun, Workflow
from budgets.organisation.configuration import current_generation
from budgets.tests.made import ACTOR
from budgets.workflows.pause import pause_workflow, resume_workflow
from reports.models import Finding
from reports.tests.test_unusual_pages import a_finding
from reports.tests.unusual_made import DAY, HOUR, NOW, a_company, a_workflow
from reports.unusual.acting import RefusedUndo, act, act_due, let_go_on, undo_act
from reports.unusual.handling import set_state
from routing.alerts.look import look
from routing.alerts.triggers import TRIGGERS
from routing.tests.alerting import a_channel, a_rule, client_of
from usage.models import Run

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
LENA = Actor(None, "lena", "web")


@pytest.fixture
def copy():
    a_company()
    AlertRule.objects.all().delete()
    return a_workflow()


def a_spend_rule(**options):
    rule = a_rule("unusual_finding", options=options, channel_ids=(a_channel().pk,))
    AlertRule.objects.filter(pk=rule.pk).update(since=NOW - DAY)
    return rule


def test_each_finding_is_one_message_and_its_end_another(copy):
    a_spend_rule(minimum="20")
    finding = a_finding(copy)
    assert look(NOW).raised == 1
    Finding.objects.update(amount=80 * NANO, actual=84 * NANO)  # it grows
    assert look(NOW + MINUTE).raised == 0
    alert = Alert.objects.get()
    assert alert.title == "$66 more than usual for Ad copy."
    assert alert.facts["facts"]["Likely cause"] == "More runs: 400 instead of 20."
    assert (alert.facts["path"], alert.team) == (f"/unusual/{finding.pk}/", copy.team)
    Finding.objects.update(ended_at=NOW + HOUR)
    assert look(NOW + HOUR).resolved == 1
    alert.refresh_from_db()
    assert alert.resolution == "$80 above usual in all: it is as usual again."
    assert list(Notice.objects.order_by("pk").values_list("kind", flat=True)) == ["raised", "resolved"]


def test_what_is_below_the_minimum_expected_or_of_another_team_disturbs_nobody(copy):
    a_spend_rule(minimum="70")
    a_finding(copy)
    a_finding(a_workflow("launch"), state="expected", planned="Spring launch", amount=None, expected=None)
    rule = a_rule("unusual_finding", options={}, team_id=a_workflow("logs", "ops").team_id)
    AlertRule.objects.filter(pk=rule.pk).update(since=NOW - DAY)
    assert look(NOW).raised == 0
    Finding.objects.filter(workflow=copy).update(actual=80 * NANO, amount=76 * NANO)  # it grew
    assert look(NOW + MINUTE).raised == 1


def test_it_is_over_when_somebody_says_that_it_was_expected(copy):
    a_spend_rule(minimum="20")
    finding = a_finding(copy)
    look(NOW)
    set_state(LENA, finding, Finding.State.EXPECTED)
    assert look(NOW + MINUTE).resolved == 1
    assert Alert.objects.get().resolution == "$66 above usual in all: it was called expected."


def test_the_preview_finds_what_looks_found(copy):
    rule = a_spend_rule(minimum="20")
    a_finding(copy)
    look(NOW)
    (told,) = TRIGGERS["unusual_finding"].replay(rule, NOW - DAY, NOW)
    assert told.cause == Alert.objects.get().cause


def test_by_itself_a_rule_only_tells(copy):
    a_spend_rule(minimum="20")
    a_finding(copy)
    assert act_due(NOW) == []


def test_a_rule_pauses_a_runaway_once_and_it_can_be_resumed(copy):
    a_spend_rule(minimum="20", act="pause")
    finding = a_finding(copy)
    assert act_due(NOW) == [finding]
    copy.refresh_from_db()
    assert copy.paused_at is not None
    assert copy.pause_reason.startswith("$66 more than usual for Ad copy. Done by the alert rule")
    entries = AuditEntry.objects.filter(who_text="unusual spend")
    assert set(entries.values_list("object_type", "act")) == {
        ("budgets.workflow", "paused"),
        ("reports.finding", "paused the workflow of"),
    }
    finding.refresh_from_db()
    undo_act(LENA, finding)
    copy.refresh_from_db()
    assert copy.paused_at is None
    assert act_due(NOW + MINUTE) == []  # somebody wanted it to go on
    with pytest.raises(RefusedUndo):
        undo_act(LENA, finding)


@pytest.mark.parametrize("how", ["muted", "archived", "below", "over", "expected"])
def test_where_nobody_is_told_nothing_is_done(copy, how):
    rule = a_spend_rule(minimum="70" if how == "below" else "20", act="pause")
    finding = a_finding(copy)
    if how == "muted":
        mute(ACTOR, rule, reason="A launch")
    if how == "archived":
        archive(ACTOR, rule)
    if how == "over":
        Finding.objects.update(ended_at=NOW)
    if how == "expected":
        set_state(LENA, finding, Finding.State.EXPECTED)
    assert act_due(NOW) == []
    copy.refresh_from_db()
    assert copy.paused_at is None


def past_runs(workflow, number):
    for n in range(number):
        Run.objects.create(
            workflow_id=workflow.pk, run_id=f"past-{n}", first_call=NOW - DAY, last_call=NOW - DAY, calls=6,
            max_step=6, cost=NANO // 2,
        )  # fmt: skip


def a_loop(of, run="loop-1", **more):
    return a_finding(of, kind="loop", subject=run, runs=[run], **more)


def stopped(now=NOW):
    """(workflow, run) of each run that is stopped."""
    return sorted(StoppedRun.objects.in_force(now).values_list("workflow__slug", "run_id"))


@pytest.mark.parametrize("act", ["stop", "cap"])
def test_a_rule_stops_the_run_that_runs_away_once(copy, act):
    a_spend_rule(minimum="20", act=act)
    finding = a_loop(copy)
    assert act_due(NOW) == [finding]
    assert stopped() == [("ad-copy", "loop-1")]
    finding.refresh_from_db()
    copy.refresh_from_db()
    assert (finding.acted, copy.paused_at, copy.guardrails) == ("stopped", None, {})  # too few runs to limit by
    (stop,) = StoppedRun.objects.all()
    assert (stop.finding, stop.ends_at) == (finding.pk, NOW + DAY)
    assert stop.reason.startswith("$66 more than usual for Ad copy: one run goes in circles. Done by the alert rule")
    assert set(AuditEntry.objects.filter(who_text="unusual spend").values_list("object_type", "act")) == {
        ("budgets.stoppedrun", "stopped"),
        ("reports.finding", "stopped the run of"),
    }
    before = current_generation()
    assert act_due(NOW + MINUTE) == []
    assert current_generation() == before  # looking again changes no configuration


def test_each_of_a_few_runs_is_stopped_and_one_that_joins_them_later(copy):
    a_spend_rule(minimum="20", act="stop")
    finding = a_finding(copy, kind="retries", runs=["r-1", "r-2"])
    act_due(NOW)
    Finding.objects.update(runs=["r-2", "r-3"])
    assert act_due(NOW + MINUTE) == [finding]
    assert stopped() == [("ad-copy", "r-1"), ("ad-copy", "r-2"), ("ad-copy", "r-3")]


def test_runs_of_no_workflow_are_let_be(copy):
    a_spend_rule(minimum="20", act="stop")
    finding = a_loop(Workflow.objects.get(slug="unassigned"), key="unassigned")
    before = current_generation()
    assert act_due(NOW) == []
    finding.refresh_from_db()
    assert (stopped(), finding.acted, current_generation()) == ([], "", before)


@pytest.mark.parametrize("act", ["stop", "cap"])
def test_what_is_not_of_a_few_runs_is_only_told(copy, act):
    a_spend_rule(minimum="20", act=act)
    a_finding(copy)
    a_finding(copy, NOW - 2 * HOUR, kind="retries")
    assert act_due(NOW) == []
    assert stopped() == []


def test_a_run_that_somebody_let_go_on_is_not_stopped_again_and_others_are(copy):
    a_spend_rule(minimum="20", act="stop")
    first = a_loop(copy)
    act_due(NOW)
    assert let_go_on(LENA, copy, "loop-1", now=NOW + MINUTE)
    assert stopped(NOW + MINUTE) == []
    first.refresh_from_db()
    assert first.acted_undone
    a_finding(copy, kind="context", subject="loop-1", runs=["loop-1"])  # the same spend, seen in another way
    other = a_loop(copy, "loop-2", since=NOW - 2 * HOUR)
    assert act_due(NOW + 2 * MINUTE) == [other]
    assert stopped(NOW + 2 * MINUTE) == [("ad-copy", "loop-2")]


def test_the_run_of_a_merged_workflow_is_stopped_under_the_one_that_it_counts_as(copy):
    a_spend_rule(minimum="20", act="stop")
    old = a_workflow("ad-copy-old", status="merged", merged_into=copy)
    a_loop(old)
    act_due(NOW)
    assert stopped() == [("ad-copy", "loop-1")]


def test_a_stop_survives_limits_that_cannot_be_set(copy):
    a_spend_rule(minimum="20", act="cap")
    past_runs(copy, 30)
    copy.guardrails = {"max_run_steps": 3, "max_run_money": "0.01"}  # lower than what would be set
    copy.save()
    finding = a_loop(copy)
    act_due(NOW)
    finding.refresh_from_db()
    assert (stopped(), finding.acted) == ([("ad-copy", "loop-1")], "stopped")


def test_a_rule_limits_later_runs_of_a_workflow_by_what_its_runs_need(copy):
    a_spend_rule(minimum="20", act="cap")
    past_runs(copy, 30)
    copy.guardrails = {"max_run_steps": 50, "max_output_tokens": 900}
    copy.save()
    finding = a_loop(copy)
    assert act_due(NOW) == [finding]
    copy.refresh_from_db()
    assert copy.paused_at is None
    assert copy.guardrails == {"max_run_steps": 12, "max_run_money": "1", "max_output_tokens": 900}
    finding.refresh_from_db()
    assert finding.acted == "capped"
    undo_act(LENA, finding)
    copy.refresh_from_db()
    assert copy.guardrails == {"max_run_steps": 50, "max_output_tokens": 900}
    assert stopped() == [("ad-copy", "loop-1")]  # which has a switch of its own


def test_limits_that_somebody_changed_since_stay(copy):
    a_spend_rule(minimum="20", act="cap")
    past_runs(copy, 30)
    finding = a_loop(copy)
    act_due(NOW)
    copy.refresh_from_db()
    copy.guardrails = copy.guardrails | {"max_run_steps": 20}
    copy.save()
    finding.refresh_from_db()
    undo_act(LENA, finding)
    copy.refresh_from_db()
    assert copy.guardrails == {"max_run_steps": 20}


def test_whoever_may_not_change_the_workflow_sees_who_can(copy):
    a_spend_rule(minimum="20", act="pause")
    finding = a_finding(copy)
    act_due(NOW)
    viewer, owner = client_of("vera", "approver", copy.team), client_of("olga", "budget_owner", copy.team)
    assert "Whoever may change the workflow can resume it." in viewer.get(f"/unusual/{finding.pk}/").content.decode()
    assert viewer.post(f"/unusual/{finding.pk}/take-back/").status_code == 403
    assert "Resume the workflow" in owner.get(f"/unusual/{finding.pk}/").content.decode()
    assert owner.post(f"/unusual/{finding.pk}/take-back/").status_code == 302
    copy.refresh_from_db()
    assert copy.paused_at is None
    assert owner.post(f"/unusual/{finding.pk}/take-back/").status_code == 409


def test_what_somebody_let_go_on_is_not_stopped_again_by_another_finding_of_the_same(copy):
    a_spend_rule(minimum="20", act="pause")
    first = a_finding(copy, kind="loop", subject="loop-1")
    act_due(NOW)
    first.refresh_from_db()
    undo_act(LENA, first)
    a_finding(copy)  # a series sees the same spend a quarter hour later
    assert act_due(NOW + MINUTE) == []
    copy.refresh_from_db()
    assert copy.paused_at is None


def test_what_somebody_resumed_by_hand_is_not_stopped_again(copy):
    a_spend_rule(minimum="20", act="pause")
    a_finding(copy, kind="loop", subject="loop-1")
    act_due(NOW)
    resume_workflow(LENA, copy)
    a_finding(copy)
    assert act_due(NOW + MINUTE) == []


def test_what_was_paused_already_was_not_paused_by_a_rule(copy):
    a_spend_rule(minimum="20", act="pause")
    pause_workflow(LENA, copy, "A holiday")
    finding = a_finding(copy)
    assert act_due(NOW) == []
    finding.refresh_from_db()
    assert finding.acted == ""


def test_an_answer_that_came_meanwhile_is_heard(copy):
    """Somebody calls it expected after the rule was asked, before its turn comes."""
    rule = a_spend_rule(minimum="20", act="pause")
    finding = a_finding(copy)
    set_state(LENA, finding, Finding.State.EXPECTED)
    assert act(finding.pk, rule, NOW) is None
    copy.refresh_from_db()
    assert copy.paused_at is None


def test_looking_again_at_what_is_only_told_changes_no_configuration(copy):
    a_spend_rule(minimum="20", act="cap")
    a_finding(copy)
    before = current_generation()
    assert act_due(NOW) == []
    assert current_generation() == before
