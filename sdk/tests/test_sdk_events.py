"""Events as lines, and what the server's answers mean for them."""

import json
import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tokenops_sdk import Request
from tokenops_sdk.events import EventRefused, event_for, line_of, new_id
from tokenops_sdk.following import Answer
from tokenops_sdk.sending import judge

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def answer(status, body=b"", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


ALL = {"accepted": 2, "duplicate": 1, "conflict": 0, "rejected": 0, "items": [{"index": 0, "status": "duplicate"}]}


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (200, ALL, "done"),
        (200, b"<html>Welcome to the hotel's network</html>", "wait"),
        (200, {**ALL, "accepted": 5}, "wait"),
        (207, {**ALL, "accepted": 1, "rejected": 1}, "wait"),  # which one is not said
        (207, {**ALL, "accepted": 1, "rejected": 1, "items": [{"index": 3, "status": "rejected"}]}, "wait"),
        (207, {**ALL, "accepted": 1, "rejected": 1, "items": [{"index": 2, "status": "rejected"}]}, "done"),
        (200, [], "wait"),
        (200, b"[" * 100_000, "wait"),
        (204, b"", "wait"),
        (400, b"<html>", "wait"),
        (413, b"<html>", "split"),
        (500, {}, "wait"),
    ],
)
def test_only_what_is_surely_said_decides(status, body, what):
    assert judge(answer(status, body), 3, NOW).what == what


def test_retry_after_is_taken_from_the_answer():
    assert judge(answer(429, b"", retry_after="12"), 1, NOW).retry_after == 12


# Events


def test_an_event_is_made_of_what_was_asked_and_decided():
    request = Request(workflow="briefs", run_id="r", step=2, model="big", provider="openai", tags={"a": "b"}, user="u")
    made = event_for(request, None, input_tokens=5, status="ok")
    assert made == {
        "workflow": "briefs", "run_id": "r", "step": 2, "attempt": 1, "environment": "production", "operation": "chat",
        "user": "u", "tags": {"a": "b"}, "requested_model": "big", "model": "big", "provider": "openai",
        "input_tokens": 5, "status": "ok",
    }  # fmt: skip


def test_lines_say_amounts_times_and_ids_as_text():
    line = json.loads(line_of({"model": "m", "cost_usd": Decimal("1E-7"), "time": NOW, "id": uuid.UUID(int=1)}))
    assert line == {
        "model": "m", "cost_usd": "0.0000001", "time": "2026-11-22T12:00:00+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
    }  # fmt: skip
    with pytest.raises(EventRefused, match="without an offset"):
        line_of({"model": "m", "time": datetime(2026, 1, 1)})  # noqa: DTZ001


def test_ids_are_uuids_of_version_7_in_order():
    made = [uuid.UUID(new_id()) for _ in range(200)]
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {uuid.RFC_4122}
    assert len(set(made)) == 200
    assert abs((made[0].int >> 80) / 1000 - time.time()) < 60
