"""Runaway shapes, each made of simulated traffic that went through ingest and fold, with a frozen clock."""

import json
from datetime import timedelta
from itertools import count

import pytest
import time_machine
from django.utils import timezone
from tokenops_sdk import Request, decide, verify

from budgets.audit.record import Actor
from budgets.models import NANO, Alert, AlertRule, Organisation, Source, Workflow
from budgets.organisation.configuration import changing_configuration
from reports.models import Finding, KnownUse, Watch
from reports.tasks import look_for_unusual
from reports.tests.unusual_made import DAY, HOUR, NOW, a_company, a_workflow
from reports.unusual.acting import let_go_on
from reports.unusual.behind import few
from reports.unusual.creeping import look_for_creep
from reports.unusual.handling import set_state
from reports.unusual.runaways import look_for_runaways
from routing.alerts.look import look
from routing.bundle.compile import compile_if_changed
from routing.bundle.freshness import freshness_token
from routing.bundle.signing import active_key, jwks
from routing.bundle.snapshot import read_content
from routing.models import PolicyBundle, SigningKey
from routing.tests.alerting import a_rule
from usage.models import CoreDay, LedgerEntry, Run, WideDay
from usage.rollups.fold import fold_batches
from usage.tests.events import MODEL, a_sender, an_event, price_the_model, take
from usage.tests.rows import usage_row

pytestmark = [pytest.mark.site, pytest.mark.django_db]
NUMBERS = count()
ACTOR = Actor(None, "lena", "web")


@pytest.fixture
def copy():
    """Four weeks of a workflow: 2,000 calls of 12 cents, of which 1% are repeats, and 400 runs of 5 steps."""
    a_company()
    workflow = a_workflow()
    for days in range(1, 21):
        usage_row(
            NOW - days * DAY, 12 * NANO, workflow_id=workflow.pk, team="growth", calls=100, retries=1,
            input_tokens=100_000, output_tokens=20_000, model=MODEL, provider="acme",
        ).save()  # fmt: skip
        for n in range(20):
            Run.objects.create(
                workflow_id=workflow.pk, run_id=f"past-{days}-{n}", first_call=NOW - days * DAY,
                last_call=NOW - days * DAY, calls=5, max_step=5, cost=6 * NANO // 10,
            )  # fmt: skip
    price_the_model("20", "100")  # a call of 1,000 and 100 tokens: three cents
    Watch.objects.create(pk=1, arrivals_to=NOW - DAY)
    return workflow


def calls(number, minutes=30, source="gateway", workflow="ad-copy", **values):
    """So many calls, evenly within the last `minutes`, through ingest and fold. A value may be a function of n."""
    events = []
    for n in range(number):
        stated = {name: value(n) if callable(value) else value for name, value in values.items()}
        when = NOW - timedelta(minutes=minutes) + timedelta(minutes=minutes) * n / number
        events.append(an_event(f"e-{next(NUMBERS)}", time=when.isoformat(), workflow=workflow, **stated))
    assert take(events, a_sender(source)).accepted == number
    while fold_batches().more:
        pass


def found():
    look_for_runaways(NOW)
    before = list(Finding.objects.order_by("pk").values())
    look_for_runaways(NOW)  # killed and repeated changes nothing
    assert list(Finding.objects.order_by("pk").values()) == before
    return list(Finding.objects.order_by("pk"))


def spent(**of):
    return sum(LedgerEntry.objects.filter(**of).values_list("cost", flat=True))


def test_usual_traffic_is_quiet(copy):
    calls(60, run_id=lambda n: f"r-{n // 5}", step=lambda n: n % 5 + 1, attempt=lambda n: 2 if n == 7 else 1)
    assert found() == []


def test_an_agent_loop_is_one_finding_of_its_run(copy):
    calls(200, run_id="loop-1", step=lambda n: n + 1)
    (finding,) = found()
    assert (finding.kind, finding.subject, finding.workflow) == ("loop", "loop-1", copy)
    assert finding.cause == "One run took 200 steps; 99 of 100 runs need 5 at most."
    assert finding.actual == spent(run_id="loop-1") == 6 * NANO
    assert finding.expected == 6 * NANO // 10  # what a run costs on average
    assert finding.amount == finding.actual - finding.expected
    assert sum(point[1] - point[2] for point in finding.points) == finding.amount


def test_a_loop_of_a_workflow_without_a_past_has_no_usual_and_none_is_guessed():
    a_company()
    a_workflow("fresh")
    price_the_model("20", "100")
    calls(200, workflow="fresh", run_id="loop-1", step=lambda n: n + 1)
    (finding,) = found()
    assert (finding.kind, finding.expected, finding.amount, finding.actual) == ("loop", None, None, 6 * NANO)


def test_a_retry_storm(copy):
    calls(300, attempt=lambda n: 1 if n % 10 == 0 else n % 10 + 1, status=lambda n: "error")
    (finding,) = found()
    assert (finding.kind, finding.subject) == ("retries", "")
    assert finding.cause == "270 of 300 calls repeated one that failed; usually 1% are."
    assert finding.actual == 270 * 3 * NANO // 100
    assert finding.expected == 300 * 3 * NANO // 100 // 100  # a hundredth of what all of them cost


def test_a_person_whose_calls_are_repeated_again_and_again_is_told_once(copy):
    for day in range(1, 21):
        WideDay.objects.create(
            dimension="user", day=NOW.date() - day * DAY, value="ann", workflow_id=copy.pk, provider="acme",
            model=MODEL, calls=20, cost=NANO,
        )  # fmt: skip
    calls(300, user="ann", attempt=lambda n: 1 if n % 10 == 0 else 2, status=lambda n: "error")
    assert [finding.kind for finding in found()] == ["retries"]


def test_a_context_that_grows_with_every_turn(copy):
    calls(20, run_id="talk-1", step=lambda n: n % 4 + 1, input_tokens=lambda n: 2_000 * (n + 1))
    (finding,) = found()
    assert (finding.kind, finding.subject) == ("context", "talk-1")
    assert finding.cause == "The input grew with nearly each of 20 turns, from 2,000 to 40,000 tokens."
    assert finding.actual == spent(run_id="talk-1")
    assert finding.expected == 20 * 12 * NANO // 100


def test_a_session_without_a_run_grows_just_so(copy):
    calls(20, session="chat-9", input_tokens=lambda n: 2_000 * (n + 1))
    (finding,) = found()
    assert (finding.kind, finding.subject) == ("context", "chat-9")


def test_output_without_end_after_an_injected_prompt(copy):
    calls(20)
    calls(6, output_tokens=15_000)
    (finding,) = found()
    assert finding.kind == "output"
    assert finding.cause == "6 answers had 15,000 tokens on average; usual are 200."
    assert finding.actual == spent(output_tokens=15_000)
    assert finding.expected == 6 * 12 * NANO // 100


def test_one_persons_burst(copy):
    for days in range(1, 11):
        for name in ("maya", "ben"):
            WideDay.objects.create(
                dimension="user", day=(NOW - days * DAY).date(), value=name, workflow_id=copy.pk, provider="acme",
                model=MODEL, calls=20, cost=2 * NANO,
            )  # fmt: skip
    calls(40, user="ben")
    calls(300, user="maya")
    (finding,) = found()
    assert (finding.kind, finding.subject) == ("burst", "maya")
    assert finding.cause == "300 calls within an hour; usual are 20 in a whole day."
    assert (finding.actual, finding.expected) == (spent(user="maya"), 2 * NANO)


def test_a_key_used_from_a_new_source(copy):
    """The gateway is known and so is the workflow; together they were never seen."""
    logs = a_workflow("logs", "ops")
    gateway, batch = Source.objects.get_or_create(slug="gateway")[0], Source.objects.create(slug="batch", name="Batch")
    for source, workflow in ((gateway, copy), (batch, logs)):
        KnownUse.objects.create(source_id=source.pk, what="workflow", value=str(workflow.pk), first_at=NOW - 20 * DAY)
    calls(100, source="gateway")
    assert found() == []
    calls(200, source="batch")
    (finding,) = found()
    assert (finding.kind, finding.subject, finding.workflow) == ("source", "Batch", copy)
    assert finding.cause == "The source Batch never sent calls of this workflow before."
    assert (finding.actual, finding.expected) == (spent(source_id=batch.pk), 0)
    assert KnownUse.objects.get(source_id=batch.pk, value=str(copy.pk)).first_at >= NOW - HOUR


def test_a_key_used_from_a_new_application(copy):
    gateway = Source.objects.get_or_create(slug="gateway", defaults={"name": "gateway"})[0]
    for what, value in (("workflow", str(copy.pk)), ("application", "studio")):
        KnownUse.objects.create(source_id=gateway.pk, what=what, value=value, first_at=NOW - 20 * DAY)
    calls(100, application="studio")
    assert found() == []
    calls(200, application="script")
    (finding,) = found()
    assert (finding.kind, finding.subject) == ("source", "gateway, script")


def test_the_past_is_learnt_once_when_detection_begins(copy):
    """What a source did before is not new, though nobody had noted it."""
    Watch.objects.all().delete()
    calls(50)
    assert found() == []
    assert KnownUse.objects.filter(what="workflow", value=str(copy.pk)).count() == 1
    assert Watch.objects.get().arrivals_to == NOW


def test_a_slow_creep_over_weeks():
    a_company()
    rising, steady = a_workflow("rising"), a_workflow("steady")
    today = Organisation.get().local(NOW).date()
    for back in range(1, 43):
        for workflow, cost in ((rising, NANO * (100 - 2 * back)), (steady, NANO * 50)):
            day = today - back * DAY
            weekend = 0.4 if day.weekday() > 4 else 1.0
            CoreDay.objects.create(
                day=day, workflow_id=workflow.pk, team="growth", provider="acme", model=MODEL, tier=1, stage="",
                environment="production", service_tier="standard", task_type="", status="ok", calls=10,
                cost=int(cost * weekend),
            )  # fmt: skip
    (finding,) = look_for_creep(NOW)
    assert (finding.kind, finding.workflow, finding.grain) == ("creep", rising, 86_400)
    assert finding.amount == sum(point[1] - point[2] for point in finding.points) == finding.actual - finding.expected
    assert len(finding.points) == 7
    assert look_for_creep(NOW) == []  # once a day
    assert look_for_creep(NOW + DAY) == []  # and once for what is known
    CoreDay.objects.filter(workflow_id=rising.pk).update(cost=NANO)
    look_for_creep(NOW + 2 * DAY)
    finding.refresh_from_db()
    assert finding.ended_at == NOW + 2 * DAY


def test_an_import_of_the_past_is_nothing_that_happens_now(copy):
    calls(200, run_id="loop-1", step=lambda n: n + 1, minutes=60 * 24 * 3)
    assert all(one.subject != "loop-1" or one.actual < NANO for one in found())


def test_it_is_over_an_hour_after_its_last_call_and_what_was_expected_is_quiet(copy):
    calls(200, run_id="loop-1", step=lambda n: n + 1)
    (finding,) = found()
    look_for_runaways(NOW + HOUR + timedelta(minutes=1))
    finding.refresh_from_db()
    assert finding.ended_at == NOW + HOUR + timedelta(minutes=1)
    set_state(ACTOR, finding, Finding.State.EXPECTED)
    calls(200, run_id="loop-2", step=lambda n: n + 1)
    look_for_runaways(NOW)
    assert Finding.objects.count() == 1


def test_where_the_time_series_told_it_first_the_shape_becomes_its_cause(copy):
    usual = Finding.objects.create(
        kind="usual", dimension="workflow", key=str(copy.pk), workflow=copy, name="Ad copy", grain=900,
        since=NOW - HOUR, until=NOW, found_at=NOW, actual=9 * NANO, expected=NANO, amount=8 * NANO,
    )  # fmt: skip
    calls(300, attempt=lambda n: 1 if n % 10 == 0 else n % 10 + 1)
    assert found() == [usual]
    usual.refresh_from_db()
    assert usual.cause == "270 of 300 calls repeated one that failed; usually 1% are."


def test_the_task_from_calls_to_the_block_in_the_bundle(copy):
    """A loop arrives; one minute later it is found, told and its workflow blocked; done twice, it changes nothing."""
    rule = a_rule("unusual_finding", options={"minimum": "5", "act": "pause"})
    AlertRule.objects.filter(pk=rule.pk).update(since=NOW - DAY)
    calls(200, run_id="loop-1", step=lambda n: n + 1)
    for _ in range(2):
        with time_machine.travel(NOW, tick=False):
            look_for_unusual()
    copy.refresh_from_db()
    assert copy.paused_at == NOW
    blocked = read_content(Organisation.get(), NOW).blocked
    assert [(one.scope, one.code) for one in blocked] == [({"workflow": "ad-copy"}, "workflow_paused")]
    look(NOW)
    assert Alert.objects.filter(rule=rule).count() == 1
    assert Finding.objects.get().acted == "paused"


def obeyed(now):
    """The newest bundle, as a client takes it: what it decides for a run of ad-copy."""
    compile_if_changed()
    row = PolicyBundle.objects.latest("revision")
    said = json.loads(bytes(row.body))
    keys = json.loads(jwks(SigningKey.objects.values_list("public", flat=True)))
    token = freshness_token(
        (said["epoch"], said["revision"]), row.etag.strip('"'), audience=said["audience"], confirmed_at=timezone.now(),
        lasts=timedelta(60), key=active_key(),
    )  # fmt: skip
    bundle = verify(bytes(row.body), row.signature, jwks=keys, audience=said["audience"], freshness=token)
    return lambda run, workflow="ad-copy": decide(bundle, Request(workflow=workflow, run_id=run), now)


def test_from_the_calls_of_a_runaway_to_the_block_of_its_run_alone(copy):
    """A loop arrives through ingest; one look later the SDK refuses this run, under each name of its workflow, and lets
    others call; until somebody lets it go on, or a day is over."""
    with changing_configuration():
        Workflow.objects.create(slug="ad-copy-old", name="Old", status="merged", merged_into=copy)
    rule = a_rule("unusual_finding", options={"minimum": "5", "act": "stop"})
    AlertRule.objects.filter(pk=rule.pk).update(since=NOW - DAY)
    calls(200, run_id="loop-1", step=lambda n: n + 1)
    calls(5, run_id="quiet-1", step=lambda n: n + 1)
    for _ in range(2):
        with time_machine.travel(NOW, tick=False):
            look_for_unusual()
    finding = Finding.objects.get()
    assert (finding.acted, finding.runs) == ("stopped", ["loop-1"])
    with time_machine.travel(NOW, tick=False):
        says = obeyed(NOW)
    refused = says("loop-1")
    assert (refused.action, refused.model) == ("block", None)
    assert [reason.code for reason in refused.reasons if reason.action == "block"] == ["run_stopped"]
    assert "one run goes in circles" in refused.reasons[0].text
    assert refused.changes == ({"kind": "resume", "run": "loop-1", "at": "2026-11-19T12:00:00Z"},)
    assert says("loop-1", "ad-copy-old").action == "block"
    assert says("quiet-1").allowed and says("").allowed and says("loop-1", "other").allowed
    (entry, alias) = read_content(Organisation.get(), NOW).blocked
    assert (entry.scope, entry.code, entry.finding) == (
        {"workflow": "ad-copy", "run": "loop-1"},
        "run_stopped",
        finding.pk,
    )
    assert alias.scope == {"workflow": "ad-copy-old", "run": "loop-1"}
    assert read_content(Organisation.get(), NOW + DAY).blocked == []
    let_go_on(ACTOR, copy, "loop-1", now=NOW)
    with time_machine.travel(NOW, tick=False):
        look_for_unusual()  # somebody wants it to go on
        assert obeyed(NOW)("loop-1").allowed


def test_which_runs_a_shape_comes_from(copy):
    calls(150, run_id="storm-1", attempt=lambda n: 1 if n % 10 == 0 else 2, status=lambda n: "error")
    calls(100, run_id="storm-2", attempt=lambda n: 1 if n % 10 == 0 else 2, status=lambda n: "error")
    calls(20, attempt=2)  # of no run
    calls(20, run_id=lambda n: f"other-{n}", attempt=2)
    assert [(one.kind, one.runs) for one in found()] == [("retries", ["storm-1", "storm-2"])]


def test_where_many_runs_have_the_shape_none_is_named(copy):
    calls(300, run_id=lambda n: f"r-{n % 40}", attempt=lambda n: 1 if n % 10 == 0 else 2, status=lambda n: "error")
    assert [(one.kind, one.runs) for one in found()] == [("retries", [])]


def test_a_session_is_no_run_and_a_conversation_of_a_run_is(copy):
    calls(20, session="chat-9", input_tokens=lambda n: 2_000 * (n + 1))
    calls(20, run_id="talk-1", step=lambda n: n % 4 + 1, input_tokens=lambda n: 2_000 * (n + 1))
    assert sorted((one.subject, one.runs) for one in found()) == [("chat-9", []), ("talk-1", ["talk-1"])]


def test_the_run_whose_answers_have_no_end(copy):
    calls(20, run_id="quiet-1")
    calls(6, run_id="endless-1", output_tokens=15_000)
    assert [(one.kind, one.runs) for one in found()] == [("output", ["endless-1"])]


@pytest.mark.parametrize(
    ("runs", "calls", "named"),
    [
        ([("a", 8), ("b", 1), ("c", 1)], 10, ["a"]),
        ([("a", 7), ("b", 1), ("c", 1)], 10, ["a", "b"]),
        ([("a", 3), ("b", 3), ("c", 1)], 10, []),
        ([("a", 7), ("", 3)], 10, []),
        ([("", 10)], 10, []),
        ([], 0, []),
    ],
)
def test_few_is_what_made_four_of_five_calls(runs, calls, named):
    assert few(runs, calls) == named
