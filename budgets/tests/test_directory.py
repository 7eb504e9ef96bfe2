"""Keys in memory: found without a query, forgotten when revoked, and noted as used."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from budgets.access import directory
from budgets.access.keys import make_key
from budgets.access.revoke import revoke_key
from budgets.notices.listener import database_address
from budgets.tests.made import ACTOR

pytestmark = pytest.mark.django_db(transaction=True)


def until(true):
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline, "never came about"
        time.sleep(0.02)


def test_a_key_is_known_at_once_and_forgotten_when_it_is_revoked(django_assert_num_queries):
    key, plain = make_key("gateway", ["ingest"])
    assert directory.find(plain).name == "gateway"
    with django_assert_num_queries(0):
        assert directory.find("tok_nobody") is None
    other, second = make_key("other", ["bundle"])
    until(lambda: directory.find(second) is not None)
    revoke_key(ACTOR, key)
    until(lambda: directory.find(plain) is None)
    assert directory.find(second).key_id == other.pk


@pytest.mark.parametrize("shown", ["Bearer €", "Bearer \udcff", "Bearer", "Bearer  ", "bearer a b", "€ x"])
@pytest.mark.parametrize("url", ["/api/v1/budgets", "/api/v1/events", "/api/v1/policy-bundle"])
def test_no_authorization_header_is_a_fault(client, shown, url):
    answer = (client.post if url.endswith("events") else client.get)(url, headers={"authorization": shown})
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


def test_an_expired_key_is_no_key():
    _, plain = make_key("old", ["ingest"], expires_at=timezone.now() - timedelta(seconds=1))
    assert directory.find(plain) is None


def test_when_a_key_was_last_used_is_written_without_any_change_of_keys(monkeypatch):
    monkeypatch.setattr(directory, "NOTED_EVERY", 0.05)
    key, plain = make_key("gateway", ["ingest"])
    before = timezone.now()
    assert directory.find(plain) is not None

    def written():
        key.refresh_from_db()
        return key.last_used_at is not None

    until(written)
    assert before <= key.last_used_at <= timezone.now()


def test_a_listener_notices_a_server_that_vanished():
    assert "keepalives_idle=10" in database_address()
    assert "tcp_user_timeout=25000" in database_address()
