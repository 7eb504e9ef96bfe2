import json
import urllib.request

import pytest

from tokenops_site import health


@pytest.fixture(autouse=True)
def forget():
    health._kept.until = 0.0
    yield
    health._kept.until = 0.0


def test_healthz_asks_no_database(client):
    # Without the django_db mark any query fails this test.
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.fixture
def queue_folder(tmp_path, settings):
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path)}


@pytest.mark.django_db
def test_readyz_states_each_check(client, queue_folder):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert set(checks) == {"database", "broker", "migrations", "folding"}
    assert checks["migrations"] == {"ok": True, "missing": 0}
    assert checks["folding"]["events"] == 0


@pytest.mark.django_db
def test_a_container_is_asked_by_its_own_address_whatever_hosts_are_served(client, settings, queue_folder):
    settings.ALLOWED_HOSTS = ["tokenops.example.com"]
    assert client.get("/healthz", headers={"host": "127.0.0.1:8000"}).status_code == 200
    assert client.get("/readyz", headers={"host": "10.1.2.3:8000"}).status_code == 200
    assert client.get("/sign-in/", headers={"host": "127.0.0.1:8000"}).status_code == 400


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_api_address_that_is_not_there_says_so_as_a_problem(client, method):
    answer = getattr(client, method)("/api/v1/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["status"] == 404
    assert getattr(client, method)("/nothing")["Content-Type"].startswith("text/html")


def test_a_fault_of_ours_is_a_problem_too(client, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr("routing.bundle.views.keys_for", fail)
    monkeypatch.setattr("routing.bundle.views.bundle_for", fail)
    client.raise_request_exception = False
    answer = client.get("/api/v1/policy-bundle")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "secret" not in answer.content.decode()


@pytest.mark.django_db
def test_readyz_asks_once_a_second(client, queue_folder, django_assert_num_queries):
    with django_assert_num_queries(3):
        client.get("/readyz")
        client.get("/readyz")
    health._kept.until = 0.0
    with django_assert_num_queries(3):
        client.get("/readyz")


@pytest.mark.django_db
def test_readyz_says_503_when_a_migration_is_missing(client, queue_folder, monkeypatch):
    monkeypatch.setattr(health, "_wanted_migrations", lambda: frozenset({("usage", "9999_of_tomorrow")}))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == {"ok": False, "missing": 1}


@pytest.mark.django_db
def test_readyz_says_503_when_folding_lags(client, queue_folder, settings):
    from datetime import timedelta

    from django.utils import timezone

    from usage.models import IngestBatch

    late = timezone.now() - timedelta(seconds=settings.READY_MAX_LAG_SECONDS + 5)
    IngestBatch.objects.create(source_id=1, received_at=late, generation=1, events=7)
    folding = client.get("/readyz").json()["checks"]["folding"]
    assert (folding["ok"], folding["events"], folding["batches"]) == (False, 7, 1)


@pytest.mark.django_db
def test_readyz_says_503_when_the_broker_is_gone(client, settings, tmp_path):
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path / "gone")}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] == {"ok": False}


def test_a_lost_database_is_named_without_its_address(client, monkeypatch):
    from django.db import OperationalError

    def refuse():
        raise OperationalError('connection to server at "10.1.2.3" failed: password for "secret"')

    monkeypatch.setattr(health, "_database", refuse)
    monkeypatch.setattr(health, "_migrations", refuse)
    monkeypatch.setattr(health, "_folding", refuse)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"ok": False, "error": "OperationalError"}
    assert b"10.1.2.3" not in answer.content


@pytest.mark.server
def test_a_running_stack_is_ready(stack):
    with urllib.request.urlopen(f"{stack.base_url}/readyz", timeout=5) as answer:
        body = json.load(answer)
    assert body["status"] == "ready", body


@pytest.mark.server
def test_create_api_key_prints_the_key_alone(stack):
    key = stack.make_key(["ingest", "bundle"])
    assert key.startswith("tok_") and "\n" not in key
