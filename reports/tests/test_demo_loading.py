"""Setting the demo up, loading its history through ingest, and taking it up again after an interruption."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from budgets.audit.record import Actor
from budgets.limits.edit import pause_budget
from budgets.limits.evaluate import evaluate_due
from budgets.models import (
    AuditEntry,
    Budget,
    BudgetState,
    CurrencyRate,
    Organisation,
    PlanLine,
    PlannedActivity,
    Source,
    Workflow,
)
from reports.asking.window import window_of
from reports.demo import days, history, live, organisation, planning, setting_up
from reports.demo import parameters as facts
from reports.demo.gateway import Gateway
from reports.demo.history import BadHistory, Loader
from reports.demo.live import Live
from reports.demo.reviews import Desk
from reports.demo.setting_up import Beginning, NotADemo
from reports.overview.figures import overview
from usage.ledger import partitions
from usage.ledger.opening import open_due
from usage.models import IngestBatch, LedgerEntry, OtherCost, OutcomeMessage, PriceEntry, QuarterHour, Run
from usage.outcomes.apply import apply_outcomes
from usage.planning.figures import plan_year
from usage.prices.seed import plant
from usage.rollups.fold import fold_all
from usage.tests.price_cases import the_seed

SEED = 3
PRICED = {"anthropic", "openai", "google"}
pytestmark = [pytest.mark.site, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def demo(settings: Any) -> None:
    settings.DEMO = True
    partitions.forget()  # a test that was rolled back took its partitions with it


def lately(day: int) -> datetime:
    """Noon of the last such day of a month that is two days over, so that calls of that day and the next are past."""
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
    while now.day != day:
        now -= timedelta(days=1)
    return now


@pytest.fixture
def beginning(db: None) -> Beginning:
    if not PriceEntry.objects.exists():  # a flush takes the migration's rows
        plant(
            PriceEntry, [entry for entry in the_seed().entries if entry.provider in {"anthropic", "openai", "google"}]
        )
    return setting_up.begin(SEED, 2, lately(8))


def expected_ids(beginning: Beginning) -> set[str]:
    story = beginning.story
    return {
        one.event["id"]
        for ago in range(story.days + 1)
        for one in days.day(story, story.today - timedelta(days=ago))
        if one.at <= beginning.until
    }


def ledger_ids() -> set[str]:
    return set(LedgerEntry.objects.values_list("event_id", flat=True))


def test_only_a_demo_process_may(settings: Any) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="demo database only"):
        call_command("simulate", stdout=StringIO())
    assert Organisation.get().is_demo is False


def test_a_database_with_usage_is_left_alone() -> None:
    IngestBatch.objects.create(source_id=1, received_at=datetime.now(UTC), generation=1, events=1)
    with pytest.raises(NotADemo, match="holds usage already"):
        setting_up.begin(SEED, 2, datetime.now(UTC))
    assert Organisation.get().name != organisation.NAME
    assert not Budget.objects.exists()


def test_the_organisation_is_set_up_once_and_says_that_it_is_a_demo(beginning: Beginning) -> None:
    row = Organisation.get()
    assert (row.is_demo, row.time_zone) == (True, "Europe/Berlin")
    assert "(demo)" in row.name
    assert Workflow.objects.filter(status="production", team__isnull=False, owner__isnull=False).count() == 7
    amounts = {budget.slug: budget.amount // 10**9 for budget in Budget.objects.all()}
    assert amounts.pop("northwind-marketing") == 30_000
    assert amounts.pop("content-pool") == 10_000
    assert sorted(amounts.values()) == [3_000, 3_500, 4_000, 5_500, 6_000, 8_000]
    assert len({budget.on_exhausted for budget in Budget.objects.all()}) >= 6
    assert AuditEntry.objects.filter(object_type="budgets.budget", act="created").count() == 8
    assert setting_up.begin(99, 60, datetime.now(UTC)) == beginning
    assert Budget.objects.count() == 8


def test_what_surrounds_the_usage_is_there_and_touches_no_total(beginning: Beginning) -> None:
    pool = Budget.objects.get(slug=planning.POOL)
    assert (pool.sharing, sorted(one.slug for one in pool.children.all())) == ("demand", sorted(planning.POOLED))
    assert PlanLine.objects.count() == len(planning.PLANNED) * planning.PLAN_MONTHS
    assert {one.currency for one in CurrencyRate.objects.all()} == {"EUR", "GBP"}
    first = beginning.story.today.replace(day=1)
    assert CurrencyRate.objects.filter(day=first).count() == 2
    assert OtherCost.objects.count() == 6 and OtherCost.objects.filter(currency="EUR").get().cost > 4_800 * 10**9
    assert {one.kind for one in PlannedActivity.objects.all()} == {"campaign", "launch", "batch", "pause"}
    history.load(beginning, Loader.make(), lambda _text: None)
    fold_all()
    open_due()
    evaluate_due()
    window = window_of({}, beginning.until, beginning.story.zone)
    shown = overview(Organisation.get(), window, beginning.until).spend
    rows = [(row.posted_at.astimezone(window.zone).date(), row.cost or 0) for row in LedgerEntry.objects.all()]
    assert shown.total == sum(cost for day, cost in rows if window.first <= day <= window.last) > 0
    content = Workflow.objects.filter(slug__in=planning.POOLED).values_list("pk", flat=True)
    of_content = sum(row.cost or 0 for row in LedgerEntry.objects.filter(workflow_id__in=list(content)))
    assert sum(state.spent for state in BudgetState.objects.filter(budget=pool)) == of_content > 0


@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2026, 2, 28), date(2028, 2, 29), date(2026, 12, 31)])
def test_the_plan_fits_any_day_to_begin_on(today: date) -> None:
    now = datetime.combine(today, time(12), UTC)
    with time_machine.travel(now, tick=False):
        story = setting_up.begin(SEED, 60, now).story
        table = plan_year(Organisation.get(), today.year, now)
        assert sum(one.cost for one in OtherCost.objects.all()) > 0
        assert table.total.plan and story.today == today


def test_every_call_is_loaded_once_and_loading_again_changes_nothing(beginning: Beginning) -> None:
    loader = Loader.make()
    history.load(beginning, loader, lambda _text: None)
    wanted = expected_ids(beginning)
    late = ledger_ids() - wanted
    assert len(late) == facts.LATE_FOR_CLOSED_MONTH
    assert loader.taken == len(wanted) + len(late) > 2_000
    assert setting_up.is_loaded()
    again = Loader.make()
    history.load(beginning, again, lambda _text: None)
    assert (again.taken, again.known) == (0, loader.taken)


def test_most_runs_have_an_outcome_and_some_wait_for_one(beginning: Beginning) -> None:
    history.load(beginning, Loader.make(), lambda _text: None)
    fold_all()
    apply_outcomes()
    runs = Run.objects.exclude(workflow_id=Workflow.objects.get(slug=organisation.UNCLAIMED).pk)
    told = runs.exclude(outcome="open")
    assert 0.7 < told.count() / runs.count() < 1
    assert set(Run.Outcome.values) - {"completed", "reworked"} <= set(runs.values_list("outcome", flat=True))
    assert runs.filter(reworks__gt=0).exists() and runs.filter(duplicates__gt=0).exists()
    assert not OutcomeMessage.objects.filter(state="waiting").exists()


def test_a_loading_that_was_stopped_is_taken_up(beginning: Beginning) -> None:
    looks = iter([False] * 3)
    stopped = Loader.make(lambda: next(looks, True))
    history.load(beginning, stopped, lambda _text: None)
    assert 0 < stopped.taken < len(expected_ids(beginning))
    assert not setting_up.is_loaded()
    history.load(beginning, Loader.make(), lambda _text: None)
    assert ledger_ids() >= expected_ids(beginning)
    assert setting_up.is_loaded()


def test_late_calls_of_a_closed_month_post_into_the_open_one(beginning: Beginning) -> None:
    history.load(beginning, Loader.make(), lambda _text: None)
    first = beginning.story.today.replace(day=1)
    assert Organisation.get().closed_before == first
    late = [row for row in LedgerEntry.objects.all() if row.time.astimezone(beginning.story.zone).date() < first]
    assert len(late) == facts.LATE_FOR_CLOSED_MONTH
    assert all(row.posted_at.astimezone(beginning.story.zone).date() >= first for row in late)


def test_a_month_is_not_closed_in_its_first_days() -> None:
    early = setting_up.begin(SEED, 1, lately(3))
    assert setting_up.close_last_month(early) is False
    assert Organisation.get().closed_before is None


def test_history_arrives_in_budgets_and_rollups(beginning: Beginning) -> None:
    history.load(beginning, Loader.make(), lambda _text: None)
    fold_all()
    open_due()
    evaluate_due()
    spent = sum(row.cost or 0 for row in LedgerEntry.objects.all())
    assert spent > 1_000 * 10**9
    assert sum(row.cost for row in QuarterHour.objects.all()) == spent
    assert sum(state.spent for state in BudgetState.objects.filter(budget__slug="northwind-marketing")) == spent


def test_what_was_missed_while_nothing_ran_is_added_up_to_now(beginning: Beginning) -> None:
    since, until = beginning.until, beginning.until + timedelta(hours=20)
    history.fill_gap(beginning, Loader.make(), since, until)
    rows = LedgerEntry.objects.all()
    assert len(rows) > 300
    assert max(row.time for row in rows) <= until
    first = len(rows)
    history.fill_gap(beginning, Loader.make(), since, until)
    assert LedgerEntry.objects.count() == first


def test_calls_still_under_way_are_known_in_the_order_they_arrive(beginning: Beginning) -> None:
    coming = history.still_to_come(beginning, beginning.until)
    assert coming
    assert all(one.event["time"] <= beginning.until < one.at for one in coming)
    assert [one.at for one in coming] == sorted(one.at for one in coming)
    assert not {one.event["id"] for one in coming} & expected_ids(beginning)


def test_a_simulated_call_that_ingest_refuses_ends_the_loading(beginning: Beginning) -> None:
    event = days.day(beginning.story, beginning.story.today)[0].event
    with pytest.raises(BadHistory, match="cached-above-input"):
        Loader.make().take([{**event, "input_tokens": 1, "cached_input_tokens": 2, "output_tokens": 1}])


def test_the_watched_budget_is_refilled_only_when_it_has_run_low(beginning: Beginning) -> None:
    budget = setting_up.refill_watched(beginning)
    assert (budget.on_exhausted, budget.period, budget.amount) == ("block", "day", setting_up.watched_amount())
    assert 2 * 10**9 < budget.amount < 8 * 10**9
    assert setting_up.refill_watched(beginning).amount == budget.amount
    open_due()
    evaluate_due()
    BudgetState.objects.filter(budget=budget).update(spent=budget.amount + 5)
    more = setting_up.refill_watched(beginning)
    assert more.amount >= budget.amount + 5 + setting_up.watched_amount()
    assert more.amount % 10**7 == 0
    pause_budget(Actor.command("test"), more)
    BudgetState.objects.filter(budget=budget).update(spent=more.amount)
    assert setting_up.refill_watched(beginning).amount == more.amount


class FixedGateway(Gateway):
    """A gateway that holds a given bundle."""

    def __init__(self, document: dict[str, object] | None) -> None:
        super().__init__("http://127.0.0.1:1", "k", threading.Event(), lambda _text: None)
        self.given = document

    @property
    def document(self) -> dict[str, object] | None:
        return self.given

    @property
    def revision(self) -> int | None:
        return 17 if self.given else None


def live_calls(beginning: Beginning, document: dict[str, object] | None, count: int) -> list[days.Event]:
    sender = Live(beginning, FixedGateway(document))
    return [event for _ in range(count) for event in sender.calls()]


def test_live_calls_are_short_and_taken_by_ingest(beginning: Beginning) -> None:
    calls = live_calls(beginning, None, 400)
    loader = Loader.make()
    loader.take(calls)
    assert loader.taken == len(calls) == 400
    watched = [call for call in calls if call["workflow"] == organisation.WATCHED]
    assert 0.15 < len(watched) / len(calls) < 0.35
    others = sorted(call["input_tokens"] for call in calls if call not in watched and "input_tokens" in call)
    assert others[len(others) // 2] == pytest.approx(facts.CHAT_PROMPT, rel=0.3)


def test_live_traffic_obeys_the_bundle(beginning: Beginning) -> None:
    blocked = [{"scope": {"workflow": organisation.WATCHED}, "code": "budget_exhausted", "reason": "", "until": None}]
    exhausted = {
        "slug": "x",
        "scope": {"workflow": "translation"},
        "status": "exhausted",
        "on_exhausted": "downgrade",
        "settings": {"tier": 1},
    }
    calls = live_calls(beginning, {"blocked": blocked, "budgets": [exhausted]}, 600)
    watched = [call for call in calls if call["workflow"] == organisation.WATCHED]
    assert len(watched) == 1  # the next try is some seconds off
    assert (watched[0]["status"], watched[0]["input_tokens"], watched[0]["output_tokens"]) == ("blocked", 0, 0)
    assert watched[0]["finish_reason"] == "budget_exhausted"
    translated = [call for call in calls if call["workflow"] == "translation"]
    assert {call["tier"] for call in translated} == {1}
    assert any(call.get("requested_model") == facts.SONNET.name for call in translated)
    assert {call["bundle_revision"] for call in calls} == {17}
    loader = Loader.make()
    loader.take(calls)
    assert LedgerEntry.objects.get(status="blocked").cost == 0


def test_live_runs_are_judged_now_and_then_and_each_is_told_once(beginning: Beginning) -> None:
    calls, desk = live_calls(beginning, None, 300), Desk(beginning.story)
    began, told = datetime.now(UTC), []
    for n, call in enumerate(calls):  # ten seconds for each: fifty minutes
        now = began + timedelta(seconds=10 * n)
        desk.see([call], now)
        told += [(now, message) for message in desk.said(now)]
    assert 10 <= len({message["run_id"] for _, message in told}) <= 20, "one each two and a half minutes, most of them"
    assert len({message["id"] for _, message in told}) == len(told)
    assert {"approved", "shipped"} <= {message["outcome"] for _, message in told}
    assert all(timedelta(0) <= now - datetime.fromisoformat(one["time"]) <= timedelta(seconds=10) for now, one in told)
    loader = Loader.make()
    loader.take(calls)
    loader.tell(message for _, message in told)
    fold_all()
    apply_outcomes()
    assert set(Run.objects.exclude(outcome="open").values_list("run_id", flat=True)) == {
        message["run_id"] for _, message in told
    }


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def run_live(beginning: Beginning, url: str, stop: threading.Event, seconds: float) -> list[str]:
    said: list[str] = []
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    live.run(beginning, url, stop, said.append)
    timer.cancel()
    return said


@pytest.mark.django_db(transaction=True)
def test_live_traffic_over_http_starts_while_history_loads_and_ends_when_told(
    live_server: object, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "wait_for_server", lambda *_: None)
    monkeypatch.setattr(facts, "LIVE_REVIEW_EVERY", 0.1)
    monkeypatch.setattr(facts, "LIVE_REVIEW_SPEED", 36_000)
    now = datetime.now(UTC)
    beginning = setting_up.begin(SEED, 1, now - timedelta(hours=1))
    said = run_live(beginning, str(live_server), stop, 8)
    assert any("live traffic starts" in text for text in said)
    fresh = LedgerEntry.objects.filter(tags__live="yes")
    assert fresh.count() > 5
    assert OutcomeMessage.objects.filter(run_id__startswith="live-").exists()
    assert {row.source_id for row in LedgerEntry.objects.all()} == {Source.objects.get(slug=organisation.SOURCE).pk}
    assert ledger_ids() >= expected_ids(beginning)
    assert not [text for text in said if "refused" in text]


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_the_server_and_can_be_stopped_meanwhile(stop: threading.Event) -> None:
    beginning = setting_up.begin(SEED, 1, datetime.now(UTC))
    setting_up.remember_loaded(0)
    started = datetime.now(UTC)
    said = run_live(beginning, "http://127.0.0.1:1", stop, 1.5)
    assert datetime.now(UTC) - started < timedelta(seconds=6)
    assert said == []
