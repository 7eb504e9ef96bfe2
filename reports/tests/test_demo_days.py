"""The simulated history: the same for a seed, possible by ingest's rules, with everything in it that was promised."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from statistics import mean
from zoneinfo import ZoneInfo

import pytest

from reports.demo import days, organisation
from reports.demo import parameters as facts
from reports.demo.calls import Event
from reports.demo.days import Arrival
from reports.demo.identity import event_id
from reports.demo.story import Story
from usage.ingest.decode import decode
from usage.ingest.event import check
from usage.prices.cost import cost_of
from usage.replay.sender import encoded
from usage.tests.price_cases import seeded_book

pytestmark = pytest.mark.site

BERLIN = ZoneInfo(organisation.TIME_ZONE)
STORY = Story(2026, date(2026, 11, 22), BERLIN)


@pytest.fixture(scope="module")
def history() -> dict[date, list[Arrival]]:
    return {when: days.day(STORY, when) for when in (STORY.first_day + timedelta(days=n) for n in range(61))}


@pytest.fixture(scope="module")
def events(history: dict[date, list[Arrival]]) -> list[Event]:
    return [one.event for arrivals in history.values() for one in arrivals]


def of(events: Iterable[Event], workflow: str) -> list[Event]:
    return [event for event in events if event.get("workflow") == workflow]


def test_a_day_is_the_same_each_time_and_needs_no_other_day(history: dict[date, list[Arrival]]) -> None:
    when = STORY.storm_day
    assert days.day(STORY, when) == history[when]
    assert days.day(Story(7, STORY.today, BERLIN), when) != history[when]


def test_every_event_passes_ingest_and_stays_within_its_day(history: dict[date, list[Arrival]]) -> None:
    for when, arrivals in history.items():
        items = decode(b"[" + b",".join(encoded(one.event) for one in arrivals) + b"]", "", {}, 10_000)
        assert [item.refusal for item in items if item.refusal] == []
        for item, one in zip(items, arrivals, strict=True):
            assert item.event is not None
            check(item.event, one.event["time"], one.event["time"])
            assert one.at > item.event.time
            assert -1 <= (item.event.time.astimezone(BERLIN).date() - when).days <= 1


def test_ids_are_unique_and_uuid7(events: list[Event]) -> None:
    ids = {event["id"] for event in events}
    assert len(ids) == len(events)
    assert all(one[14] == "7" and one[19] in "89ab" for one in ids)


def test_an_id_carries_its_time() -> None:
    time = datetime(2026, 11, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    assert event_id(STORY.chance("x"), time) == event_id(STORY.chance("x"), time)
    assert int(event_id(STORY.chance("x"), time).replace("-", "")[:12], 16) == time.timestamp() * 1000


def test_there_is_enough_and_not_too_much(events: list[Event]) -> None:
    assert 60_000 < len(events) < 140_000


def test_weekends_are_quiet(history: dict[date, list[Arrival]]) -> None:
    calls = defaultdict(list)
    for when, arrivals in history.items():
        if when not in {STORY.storm_day, STORY.today}:
            calls[when.weekday() >= 5].append(len(arrivals))
    assert mean(calls[True]) / mean(calls[False]) == pytest.approx(facts.WEEKEND, abs=0.08)


def test_the_seasons_campaign_lifts_what_it_is_for(history: dict[date, list[Arrival]]) -> None:
    now, before = STORY.campaigns
    assert (now.slug, before.slug) == ("black-friday", "autumn-sale")
    named = Counter(one.event.get("campaign") for arrivals in history.values() for one in arrivals)
    assert min(named[now.slug], named[before.slug], named[organisation.EVERGREEN]) > 1_000
    runs = defaultdict(list)
    for when, arrivals in history.items():
        if when.weekday() < 5 and when != STORY.today:
            ads = {one.event["run_id"] for one in arrivals if one.event.get("workflow") == facts.AD_COPY.slug}
            runs[STORY.in_campaign(when)].append(len(ads))
    assert 1.1 < mean(runs[True]) / mean(runs[False]) < 1.5


def test_runs_have_steps_and_failed_calls_are_tried_again(events: list[Event]) -> None:
    by_run = defaultdict(list)
    for event in events:
        if event.get("run_id"):
            by_run[event["workflow"], event["run_id"]].append(event)
    assert len(by_run) > 20_000
    assert sum(len({event["step"] for event in run}) > 3 for run in by_run.values()) > 5_000
    retried = [run for run in by_run.values() if any(event.get("attempt") == 2 for event in run)]
    assert len(retried) > 500
    for run in retried:
        if "storm" not in run[0]["run_id"]:
            second = next(event for event in run if event.get("attempt") == 2)
            assert any(event["step"] == second["step"] and event.get("status") in {"error", "timeout"} for event in run)


def test_what_goes_wrong_is_there(events: list[Event]) -> None:
    statuses = Counter(event.get("status", "ok") for event in events)
    assert statuses["error"] > 300
    assert statuses["timeout"] > facts.STORM_CALLS
    assert statuses["cancelled"] > 100
    unmeasured = [event for event in events if "input_tokens" not in event and "output_tokens" not in event]
    assert 0.004 < len(unmeasured) / len(events) < 0.012


def test_the_retry_storm(history: dict[date, list[Arrival]]) -> None:
    assert STORY.storm_day == date(2026, 11, 11)
    storm = [one.event for one in history[STORY.storm_day] if str(one.event.get("run_id", "")).endswith("storm")]
    assert len(storm) == facts.STORM_CALLS
    assert len({(event["run_id"], event["step"]) for event in storm}) == 1
    assert sorted(event.get("attempt", 1) for event in storm) == list(range(1, facts.STORM_CALLS + 1))
    clock = [event["time"].astimezone(BERLIN).strftime("%H:%M") for event in storm]
    assert "14:00" <= min(clock) < "14:02" < "15:08" < max(clock) <= "15:10"
    assert len({event["input_tokens"] for event in storm}) == 1


def test_agents_that_went_round_in_circles(events: list[Event]) -> None:
    loops = defaultdict(set)
    for event in events:
        if str(event.get("run_id", "")).endswith("loop"):
            loops[event["run_id"]].add(event["step"])
    assert [len(steps) for steps in loops.values()] == [facts.LOOP_STEPS] * 3


def test_late_calls_arrive_hours_and_days_after(history: dict[date, list[Arrival]]) -> None:
    delays = [one.at - one.event["time"] for arrivals in history.values() for one in arrivals]
    late = [delay for delay in delays if delay > timedelta(hours=1)]
    assert 0.004 < len(late) / len(delays) < 0.008
    assert max(late) > timedelta(days=1)


def test_a_model_without_a_price_and_a_workflow_nobody_claimed(events: list[Event]) -> None:
    own = [event for event in events if event["model"] == facts.OWN.name]
    assert len(own) > 100
    assert min(event["time"] for event in own).astimezone(BERLIN).date() >= STORY.own_model_since
    assert len(of(events, organisation.UNCLAIMED)) == facts.UNCLAIMED_CALLS
    assert organisation.UNCLAIMED not in {one.slug for one in organisation.WORKFLOWS}
    assert len([event for event in events if "workflow" not in event]) > 100


def test_caching_of_every_sort(events: list[Event]) -> None:
    measured = [event for event in events if event.get("input_tokens")]
    cached = sum(event.get("cached_input_tokens", 0) for event in measured)
    assert 0.2 < cached / sum(event["input_tokens"] for event in measured) < 0.5
    agents = [event for event in measured if event.get("cache_write_tokens")]
    share = sum(event["cached_input_tokens"] for event in agents) / sum(event["input_tokens"] for event in agents)
    assert share == pytest.approx(facts.AGENT_CACHED, abs=0.001)
    semantic = [event for event in events if event.get("cache") == "semantic"]
    assert len(semantic) > 100
    assert all(event["input_tokens"] == 0 < event["avoided_input_tokens"] for event in semantic)


def test_texts_to_translate_grew_longer(events: list[Event]) -> None:
    drafts = [event for event in of(events, "translation") if event["stage"] == "draft" and event.get("input_tokens")]
    sizes = defaultdict(list)
    for event in drafts:
        sizes[event["time"].astimezone(BERLIN).date() >= STORY.longer_texts_since].append(event["input_tokens"])
    assert mean(sizes[True]) / mean(sizes[False]) == pytest.approx(facts.LONGER_TEXTS, rel=0.1)


def test_attribution_is_there(events: list[Event]) -> None:
    values = {name: {event[name] for event in events if event.get(name)} for name in ("user", "customer", "channel")}
    assert len(values["user"]) > 15
    assert len(values["customer"]) > 100
    assert values["channel"] == {"search", "social", "display", "email", "web", "chat"}
    tags = Counter(key for event in events for key in event.get("tags") or {})
    assert set(tags) == {"brand", "locale"}


def test_prompts_fit_their_models(events: list[Event]) -> None:
    longest: dict[str, int] = defaultdict(int)
    for event in events:
        longest[event["model"]] = max(longest[event["model"]], event.get("input_tokens", 0))
    assert longest[facts.OPUS.name] <= 200_000
    assert longest[facts.GPT.name] <= 1_000_000


def test_a_month_costs_about_what_the_design_shows(history: dict[date, list[Arrival]]) -> None:
    """Priced with the book as it is seeded, over the last thirty whole days."""
    prices = seeded_book()
    spent: Counter[str] = Counter()
    unpriced: set[str] = set()
    for when, arrivals in history.items():
        if not STORY.today - timedelta(days=30) <= when < STORY.today:
            continue
        for event in (one.event for one in arrivals):
            price = prices.find(event["provider"], event["model"], "standard", event["time"])
            if price is None:
                unpriced.add(event["model"])
            elif event.get("input_tokens") is not None:
                parts = [event.get(name) or 0 for name in ("input_tokens", "cached_input_tokens", "cache_write_tokens")]
                cost = cost_of(price, *parts, event["output_tokens"])
                assert cost is not None
                spent[event.get("workflow", "")] += cost.total
    assert unpriced == {facts.OWN.name}
    for workflow in facts.WORKFLOWS:
        assert spent[workflow.slug] / 1e9 == pytest.approx(workflow.expected, rel=0.25), workflow.slug
    assert sum(spent.values()) / 1e9 == pytest.approx(facts.EXPECTED_MONTH, rel=0.12)
    assert spent[organisation.UNCLAIMED] / 1e9 == pytest.approx(38, abs=6)


@pytest.mark.parametrize("today", [date(2027, 1, 1), date(2027, 3, 1), date(2027, 3, 29), date(2028, 2, 29)])
def test_the_story_fits_any_day_to_begin_on(today: date) -> None:
    story = Story(1, today, BERLIN)
    whole = {story.first_day + timedelta(days=n) for n in range(61)}
    assert {story.storm_day, story.longer_texts_since, story.own_model_since, *story.loop_days} <= whole
    assert (story.storm_day.weekday(), story.longer_texts_since.weekday()) == (2, 0)
    clock_change = date(2027, 3, 28)  # a day of 23 hours in Berlin
    for when in (today, clock_change):
        assert all(one.event["time"].tzinfo is UTC for one in days.day(story, when))
