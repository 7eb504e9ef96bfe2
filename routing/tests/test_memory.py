"""The bundle in memory: fed by notices, healed after a lost connection, no query for a request."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.management import call_command
from tokenops_sdk import verify

from budgets.models import Organisation, Workflow
from budgets.notices import listener
from routing.bundle.compile import compile_if_changed
from routing.bundle.memory import BundleMemory
from routing.models import BundleEpoch

pytestmark = pytest.mark.django_db(transaction=True)
OURS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def held():
    """A memory that follows the test database. It confirms by itself too seldom to matter here."""
    Organisation.objects.get_or_create(id=1)
    BundleEpoch.objects.get_or_create(id=1)
    listener.stop()
    memory = BundleMemory()
    memory.confirm_every = 3600
    memory.start()
    yield memory
    memory.stop()
    listener.stop()


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came about"
        time.sleep(0.01)


def has(memory, revision):
    return lambda: memory.served is not None and memory.served.version[1] == revision


def headers(memory):
    return dict(memory.served.plain.ok)


def client_view(memory):
    """What a client makes of what is served."""
    told = headers(memory)
    return verify(
        memory.served.plain.body,
        told["TokenOps-Signature"],
        jwks=json.loads(memory.served.jwks),
        audience="tokenops",
        freshness=told["TokenOps-Freshness"],
    )


def test_nothing_until_the_first_bundle_then_each_new_one(held):
    held.first_look.wait(10)
    assert held.served is None
    woken = []
    held.watchers.append(lambda: woken.append(held.served.version))
    compile_if_changed()
    until(has(held, 1))
    Workflow.objects.create(slug="w", name="w", paused_at=datetime.now(UTC))
    compile_if_changed()
    until(has(held, 2))
    until(lambda: woken == [(1, 1), (1, 2)])
    assert client_view(held).document["blocked"][0]["scope"] == {"workflow": "w"}


def test_it_heals_when_every_connection_is_cut(held):
    compile_if_changed()
    until(has(held, 1))
    with closing(psycopg.connect(listener.database_address(), autocommit=True)) as conn:
        pids = [pid for (pid,) in conn.execute(OURS + " AND application_name = ''")]
        assert len(pids) >= 2, "the memory's and the listener's"
        conn.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", [pids])
    from django.db import connection

    connection.close()
    assert has(held, 1)(), "serves what it has"
    compile_if_changed(anew=True)
    until(has(held, 2))


def test_a_rotation_is_heard_of_and_both_keys_are_served(held):
    compile_if_changed()
    until(has(held, 1))
    call_command("rotate_signing_key")
    until(has(held, 2))
    assert [key["alg"] for key in json.loads(held.served.jwks)["keys"]] == ["EdDSA", "EdDSA", "ES256", "ES256"]
    assert client_view(held).version == (1, 2)


def test_a_prepared_key_is_served_before_it_signs(held):
    compile_if_changed()
    until(has(held, 1))
    call_command("rotate_signing_key", prepare=True)
    until(lambda: len(json.loads(held.served.jwks)["keys"]) == 4)
    assert client_view(held).version == (1, 1)


def test_what_is_confirmed_is_vouched_for_from_then_on(held, settings):
    compile_if_changed()
    until(has(held, 1))
    was = client_view(held).fresh_until
    assert timedelta(seconds=290) < was - datetime.now(UTC) <= timedelta(seconds=300)
    time.sleep(1.1)
    held.look.set()
    until(lambda: client_view(held).fresh_until > was)


def test_without_the_database_nothing_is_vouched_for_anew(held, monkeypatch):
    compile_if_changed()
    until(has(held, 1))
    was = headers(held)["TokenOps-Freshness"]
    refused = []

    def refuse(*_args, **_kwargs):
        refused.append(1)
        raise psycopg.OperationalError("no database")

    monkeypatch.setattr(held, "refresh", refuse)
    monkeypatch.setattr("routing.bundle.memory.psycopg.connect", refuse)
    held.look.set()
    until(lambda: len(refused) >= 3)
    assert headers(held)["TokenOps-Freshness"] == was and held.served is not None


def test_a_key_that_this_process_cannot_open_vouches_for_nothing(held, settings, caplog):
    compile_if_changed()
    until(has(held, 1))
    other = BundleMemory()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", []
    with closing(psycopg.connect(other.address, autocommit=True)) as conn:
        other.refresh(conn)
    assert other.served is None
    assert "cannot vouch" in caplog.text
