"""Compilers at once, and changes that are committed while one waits."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.models import Budget, Organisation, Workflow
from routing.bundle import compile as compiling
from routing.bundle import policy_part
from routing.bundle.compile import compile_if_changed
from routing.bundle.signing import lock_keys
from routing.models import BundleEpoch, PolicyBundle, SigningKey

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def first_rows(monkeypatch):
    Organisation.objects.get_or_create(id=1)
    BundleEpoch.objects.get_or_create(id=1)
    monkeypatch.setattr(compiling, "APART", timedelta(0))


def compile_and_close(_number: int = 0) -> int | None:
    try:
        return compile_if_changed()
    finally:
        connection.close()


def test_many_compilers_make_one_key_and_one_revision():
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(compile_and_close, range(8)))
    assert sorted(made, key=str) == [1, *[None] * 7]
    assert SigningKey.objects.count() == 1
    Workflow.objects.create(slug="w", name="w")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(compile_and_close, range(8)))
    assert sorted(made, key=str) == [2, *[None] * 7]


def test_a_compiler_that_waited_sees_what_was_committed_meanwhile():
    """Else it would publish the older content under the higher revision."""
    compile_if_changed()
    begun = threading.Event()

    def compile_later() -> int | None:
        begun.set()
        return compile_and_close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lock_keys()
            later = pool.submit(compile_later)
            begun.wait(5)
            with connection.cursor() as cursor:
                for _ in range(500):
                    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND database = "
                                   "(SELECT oid FROM pg_database WHERE datname = current_database())")  # fmt: skip
                    if cursor.fetchone()[0]:
                        break
                    cursor.execute("SELECT pg_sleep(0.01)")
            assert not later.done()
            Workflow.objects.create(slug="meanwhile", name="m", paused_at=timezone.now())
        assert later.result(10) == 2
    newest = json.loads(bytes(PolicyBundle.objects.latest("revision").body))
    assert newest["workflows"]["meanwhile"]["paused"] is True


def test_a_snapshot_is_one_moment(monkeypatch):
    """What is committed between two of the compiler's reads is in the next revision, whole."""
    compile_if_changed()
    read_tiers = policy_part.read_tiers

    def commit_elsewhere() -> None:
        try:
            Workflow.objects.create(slug="between", name="b")
        finally:
            connection.close()

    def read_and_interfere(prices):
        tiers = read_tiers(prices)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(commit_elsewhere).result(10)
        return tiers

    monkeypatch.setattr("routing.bundle.policy_part.read_tiers", read_and_interfere)
    assert compile_if_changed() is None
    monkeypatch.setattr("routing.bundle.policy_part.read_tiers", read_tiers)
    assert compile_if_changed() == 2


def test_the_first_key_is_made_while_others_write_history():
    """A rotation inside the repeatable-read transaction would take a position of the history that is taken since."""
    done, faults = threading.Event(), []
    budget = Budget.objects.create(slug="b", name="B", amount=1)

    def write():
        try:
            while not done.is_set():
                record(Actor.command("test"), "changed", budget, None, {})
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(15):
            SigningKey.objects.all().delete()
            PolicyBundle.objects.all().delete()
            assert compile_if_changed() is not None
    finally:
        done.set()
        writer.join()
    assert faults == []
