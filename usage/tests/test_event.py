"""The event: identity, content, and what is impossible."""

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from usage.ingest.event import Event, Refusal, check, content_key, identity_key, in_utc
from usage.tests.events import NOW, an_event

OLDEST = NOW - timedelta(days=800)


def made(**values: object) -> Event:
    return msgspec.convert(msgspec.json.decode(msgspec.json.encode(an_event("a", **values))), Event)


def test_a_uuid7_is_its_own_key_and_other_ids_are_hashed():
    seven = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert identity_key(seven) == uuid.UUID(seven).hex
    assert identity_key(seven.upper()) != uuid.UUID(seven).hex
    four = "9f2b8a8e-0d0c-4c4e-8a7c-0a9d6f1f6b11"
    assert identity_key(four) != uuid.UUID(four).hex
    assert identity_key("a") != identity_key("b")


def test_content_ignores_layout_order_and_the_spelling_of_the_moment():
    one = in_utc(made(time="2026-11-18T12:00:00+01:00", tags={"a": "1", "b": "2"}))
    same = in_utc(made(tags={"b": "2", "a": "1"}, time="2026-11-18T11:00:00Z"))
    other = in_utc(made(tags={"b": "2", "a": "1"}, time="2026-11-18T11:00:01Z"))
    assert content_key(one) == content_key(same)
    assert content_key(one) != content_key(other)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"cached_input_tokens": 600, "cache_write_tokens": 401}, "cached-above-input"),
        ({"cached_input_tokens": 1, "input_tokens": None}, "cached-above-input"),
        ({"reasoning_tokens": 101}, "reasoning-above-output"),
        ({"tool_tokens": 1001}, "tool-above-input"),
        ({"units": {"searches": "-1"}}, "bad-unit"),
        ({"units": {"searches": "NaN"}}, "bad-unit"),
        ({"units": {"searches": "1e-999999"}}, "bad-unit"),
        ({"cost_usd": "1e999999"}, "bad-cost"),
        ({"cost_usd": "-0.01"}, "bad-cost"),
        ({"cost_usd": "Infinity"}, "bad-cost"),
        ({"time": (NOW + timedelta(hours=24, seconds=1)).isoformat()}, "time-in-future"),
        ({"time": (OLDEST - timedelta(seconds=1)).isoformat()}, "too-old"),
    ],
)
def test_the_impossible_is_refused(values, code):
    with pytest.raises(Refusal) as refused:
        check(made(**values), NOW, OLDEST)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "values",
    [
        {"cached_input_tokens": 600, "cache_write_tokens": 400},
        {"reasoning_tokens": 100},
        {"time": (NOW + timedelta(hours=24)).isoformat()},
        {"time": OLDEST.isoformat()},
        {"units": {"searches": "0.5"}},
    ],
)
def test_the_edges_are_taken(values):
    check(made(**values), NOW, OLDEST)


@pytest.mark.parametrize(
    ("values", "measured"),
    [
        ({}, True),
        ({"output_tokens": None}, False),
        ({"input_tokens": None}, False),
        ({"output_tokens": None, "operation": "embedding"}, True),
        ({"input_tokens": None, "output_tokens": None}, False),
        ({"input_tokens": None, "output_tokens": None, "units": {"images": 2}}, True),
        ({"input_tokens": None, "output_tokens": None, "status": "blocked"}, True),
        ({"input_tokens": None, "output_tokens": None, "status": "error"}, False),
    ],
)
def test_a_call_without_its_counts_is_unmeasured(values, measured):
    assert made(**values).is_measured is measured


def test_a_moment_outside_the_calendar_is_refused():
    with pytest.raises(Refusal):
        in_utc(made(time="0001-01-01T00:00:00+14:00"))
    assert in_utc(made(time="2026-11-18T12:00:00-05:00")).time == datetime(2026, 11, 18, 17, tzinfo=UTC)
