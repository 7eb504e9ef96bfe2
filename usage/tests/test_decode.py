"""Reading a body: each form, and bodies that were never meant to be read."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.access.problems import Problem
from usage.ingest.decode import CLOUD_EVENT, CLOUD_EVENTS, decode, unpack
from usage.ingest.event import Event
from usage.tests.events import an_event

JSON = "application/json"


def read(body: object, content_type: str = JSON, headers: dict[str, str] | None = None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode(raw, content_type, headers or {}, 1000)


def test_one_event_and_an_array():
    assert [item.event.id for item in read(an_event("a"))] == ["a"]
    assert [item.event.id for item in read([an_event("a"), an_event("b")])] == ["a", "b"]


def test_good_items_are_not_refused_for_bad_ones():
    items = read([an_event("a"), {"id": "b"}, 7, an_event("d", workflow="Not a slug"), an_event("e")])
    assert [item.refusal.code if item.refusal else None for item in items] == [
        None,
        "invalid",
        "invalid",
        "invalid",
        None,
    ]
    assert [item.sent_id for item in items] == ["", "b", "", "d", ""]
    assert "missing required field" in items[1].refusal.detail
    assert items[3].refusal.field == "workflow"


@pytest.mark.parametrize(
    ("field", "sent", "said"),
    [
        ("status", "fine", "status cannot be “fine”. Use one of: blocked, cancelled, error, ok, timeout."),
        ("cache", "y" * 200, f"cache cannot be “{'y' * 60}”. Use one of: embedding, none, prompt, response, retr"),
        ("service_tier", "", "service_tier cannot be “”. Use one of: batch, flex, priority, standard."),
        ("service_tier", 3, "service_tier: Expected `str | null`, got `int`. Use one of: batch, flex, priority, st"),
        ("operation", "it - at `$.model`", "operation cannot be “it - at `$.model`”. Use one of: audio, chat, com"),
        ("input_tokens", -1, "input_tokens: Expected `int` >= 0."),
    ],
)
def test_a_word_that_is_none_is_refused_with_the_field_what_was_sent_and_the_words_there_are(field, sent, said):
    (item,) = read(an_event("a", **{field: sent}))
    assert item.refusal.field == field
    assert item.refusal.detail.startswith(said)


def test_cloud_events_take_id_and_time_from_the_envelope():
    data = an_event("x")
    del data["id"], data["time"]
    envelope = {"specversion": "1.0", "type": "t", "source": "/gw/1", "id": "7", "time": "2026-11-18T11:00:00Z"}
    (structured,) = read({**envelope, "data": data}, CLOUD_EVENT)
    (batched,) = read([{**envelope, "data": data}], CLOUD_EVENTS)
    headers = {"ce-id": "7", "ce-source": "/gw/1", "ce-time": "2026-11-18T11:00:00Z"}
    (binary,) = read(data, JSON, headers)
    assert structured.event == batched.event == binary.event
    (elsewhere,) = read({**envelope, "source": "/gw/2", "data": data}, CLOUD_EVENT)
    assert elsewhere.event.id != structured.event.id, "only source and id together are unique in CloudEvents"
    (own,) = read({**envelope, "data": an_event("mine")}, CLOUD_EVENT)
    assert own.event.id == "mine"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed-json"),
        (b"[", "malformed-json"),
        (b"\xff\xfe", "malformed-json"),
        (b'"text"', "not-an-event"),
        (b"[" * 200_000, "too-deep"),
        (b'{"a":' * 200_000, "too-deep"),
        (b"[" + b"{}," * 1000 + b"{}]", "too-many-events"),
    ],
)
def test_bodies_that_cannot_be_split(body, code):
    with pytest.raises(Problem) as problem:
        read(body)
    assert problem.value.code == code
    assert problem.value.status in (400, 413)


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800"])
def test_text_that_cannot_be_stored_is_refused(text):
    body = json.dumps([an_event("a"), an_event("b", stage="STAGE")]).replace("STAGE", text).encode()
    try:
        items = read(body)
    except Problem as problem:  # half a surrogate is not JSON at all to our reader
        assert problem.code == "malformed-json"
        return
    assert items[0].event is not None
    assert items[1].refusal.code == "bad-text"


def test_a_gzip_bomb_stops_at_the_limit():
    with pytest.raises(Problem) as problem:
        unpack(gzip.compress(b" " * 50_000_000), "gzip", 1_000_000)
    assert problem.value.status == 413
    assert unpack(gzip.compress(b"[]") + gzip.compress(b" "), "gzip", 1000) == b"[] "
    for bad in (b"no gzip", gzip.compress(b"[]" * 500)[:-9]):
        with pytest.raises(Problem) as problem:
            unpack(bad, "gzip", 5000)
        assert problem.value.code == "bad-gzip"
    with pytest.raises(Problem) as problem:
        unpack(b"[]", "br", 1000)
    assert problem.value.status == 415


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200),
    lambda children: st.lists(children, max_size=5) | st.dictionaries(st.text(max_size=20), children, max_size=5),
    max_leaves=8,
)
field_values = st.dictionaries(st.sampled_from(Event.__struct_fields__), json_values, max_size=8)


@settings(max_examples=200, deadline=None)
@given(st.lists(field_values | json_values, max_size=6))
def test_whatever_json_comes_every_item_is_an_event_or_a_refusal(values):
    body = json.dumps(values).encode()
    try:
        items = read(body)
    except Problem as problem:
        assert problem.status in (400, 413)
        return
    assert [item.index for item in items] == list(range(len(values)))
    for item in items:
        assert (item.event is None) != (item.refusal is None)
        if item.refusal:
            assert item.refusal.code
            assert item.refusal.detail


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([JSON, CLOUD_EVENT, CLOUD_EVENTS, "text/plain"]))
def test_whatever_bytes_come_there_is_an_answer(body, content_type):
    try:
        read(body, content_type)
    except Problem as problem:
        assert 400 <= problem.status < 500
