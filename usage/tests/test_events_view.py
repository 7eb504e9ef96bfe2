"""`POST /api/v1/events` through Django: keys, limits, forms, and what is answered when the database is not there."""

import gzip
import json

import pytest
from django.db import OperationalError
from django.test import Client

from budgets.access import directory
from budgets.access.keys import make_key
from usage.ingest import backlog, views
from usage.ingest.backlog import Backlog
from usage.models import LedgerEntry, QuarantinedItem
from usage.tests.events import an_event

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/events"


@pytest.fixture
def key() -> str:
    plain = make_key("gateway", ["ingest"])[1]
    directory.directory().load()
    return plain


def recent(event_id: str, **values: object) -> dict[str, object]:
    from django.utils import timezone

    return an_event(event_id, time=timezone.now().isoformat(), **values)


def post(body: object, key: str | None, **headers: str):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    content_type = headers.pop("content_type", "application/json")
    if key:
        headers["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return Client().post(URL, raw, content_type=content_type, **headers)


def test_one_event_is_taken_and_answered(key):
    answer = post(recent("a"), key)
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 1, "duplicate": 0, "conflict": 0, "rejected": 0, "items": []}
    assert LedgerEntry.objects.get().event_id == "a"


def test_a_mixed_batch_is_207(key):
    answer = post([recent("a"), {"id": "b"}], key)
    assert answer.status_code == 207
    assert answer.json()["items"][0]["problem"]["type"] == "https://tokenops.dev/problems/invalid"


def test_gzip_and_cloud_events_are_taken(key):
    body = gzip.compress(json.dumps([recent("a")]).encode())
    assert post(body, key, HTTP_CONTENT_ENCODING="gzip").json()["accepted"] == 1
    envelope = {"specversion": "1.0", "type": "usage", "source": "/g", "id": "1", "data": recent("b")}
    assert post(envelope, key, content_type="application/cloudevents+json; charset=utf-8").json()["accepted"] == 1


@pytest.mark.parametrize("wrong", [None, "tok_wrong", "é"])
def test_without_a_good_key_nothing_is_read(wrong, key):
    answer = post(recent("a"), wrong)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_key_costs_no_query(key, django_assert_num_queries):
    post(recent("a"), "tok_wrong")
    with django_assert_num_queries(0):
        assert post(recent("a"), "tok_wrong").status_code == 401


def test_a_key_of_another_scope_is_403(key):
    other = make_key("reader", ["bundle"])[1]
    directory.directory().load()
    answer = post(recent("a"), other)
    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "malformed-json"),
        (b"[]" * 3, {}, 400, "malformed-json"),
        (b"x" * 20_000, {}, 413, "too-large"),
        (gzip.compress(b" " * 20_000, mtime=0), {"HTTP_CONTENT_ENCODING": "gzip"}, 413, "too-large"),
        (b"no gzip", {"HTTP_CONTENT_ENCODING": "gzip"}, 400, "bad-gzip"),
        (b"{}", {"HTTP_CONTENT_ENCODING": "br"}, 415, "unknown-encoding"),
        (b"{}", {"content_type": "text/plain"}, 415, "unknown-type"),
        (b"[" + b"{}," * 600 + b"{}]", {}, 413, "too-many-events"),
    ],
)
def test_bodies_that_cannot_be_read(key, settings, body, headers, status, code):
    settings.INGEST_MAX_BYTES, settings.INGEST_MAX_EVENTS = 10_000, 500
    answer = post(body, key, **headers)
    assert answer.status_code == status
    assert answer.json()["type"].endswith(code)
    assert answer["Content-Type"] == "application/problem+json"
    assert QuarantinedItem.objects.filter(code=code).exists() is (status == 400 and code != "bad-gzip")


def test_a_key_may_send_for_the_sources_it_was_made_for():
    key = make_key("collector", ["ingest"], also=["eu-gateway"])[1]
    directory.directory().load()
    answer = post([recent("a", source="eu-gateway"), recent("a"), recent("a", source="us-gateway")], key)
    assert answer.json()["accepted"] == 2
    assert answer.json()["items"][0]["problem"]["type"].endswith("source-not-allowed")


def test_an_empty_array_is_nothing_and_no_error(key):
    assert post([], key).json()["accepted"] == 0


def test_get_is_405_as_a_problem(key):
    answer = Client().get(URL, HTTP_AUTHORIZATION=f"Bearer {key}")
    assert answer.status_code == 405
    assert answer["Content-Type"] == "application/problem+json"


def test_senders_wait_while_the_backlog_is_long(key, settings, monkeypatch):
    settings.INGEST_MAX_BACKLOG = 1000
    monkeypatch.setattr(views, "backlog", lambda: Backlog(201_000, 9.0))
    answer = post(recent("a"), key)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) == 21  # 200,000 too many at 10,000 a second
    assert not LedgerEntry.objects.exists()


def test_the_backlog_is_what_is_not_folded(key):
    post([recent("a"), recent("b")], key)
    assert backlog.measure().events == 2


def test_a_database_that_refuses_is_503_and_nothing_is_acknowledged(key, monkeypatch):
    def refuse(*args: object) -> None:
        raise OperationalError("could not extend file: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("usage.ingest.write.Intake.enter", refuse)
        answer = post(recent("a"), key)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "space" not in answer.content.decode(), "what is inside stays inside"
    assert post(recent("a"), key).json()["accepted"] == 1
