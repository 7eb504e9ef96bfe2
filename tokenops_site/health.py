"""Two questions that need no key: does this process answer (`/healthz`), can it do its work (`/readyz`)?

`/healthz` asks nobody, so that a lost database does not make an orchestrator restart every web process.
"""

import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerError

KEPT_SECONDS = 1.0

UNFOLDED = """
SELECT count(*), coalesce(sum(events), 0), coalesce(extract(epoch FROM now() - min(received_at)), 0)
FROM (SELECT events, received_at FROM usage_ingestbatch WHERE folded_at IS NULL ORDER BY id LIMIT 10000) AS waiting
"""


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every check passes, else 503; one round of checks a second, whoever asks how often."""
    checks = _readiness()
    ready = all(check["ok"] for check in checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks}
    return JsonResponse(body, status=200 if ready else 503)


class HealthFirst:
    """Answers both before any middleware that looks at the Host header: a container is asked by its own address, which
    is not among ALLOWED_HOSTS where those name the public one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.views = {"/healthz": healthz, "/readyz": readyz}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.views.get(request.path_info, self.get_response)(request)


class _Kept:
    """The last answer; others wait for the one who renews it instead of asking too."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.until = 0.0
        self.checks: dict[str, dict[str, Any]] = {}


_kept = _Kept()


def _readiness() -> dict[str, dict[str, Any]]:
    with _kept.lock:
        if time.monotonic() >= _kept.until:
            _kept.checks = {
                name: _ask(question)
                for name, question in (
                    ("database", _database),
                    ("broker", _broker),
                    ("migrations", _migrations),
                    ("folding", _folding),
                )
            }
            _kept.until = time.monotonic() + KEPT_SECONDS
        return _kept.checks


def _ask(question: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A check that fails names the kind of error only: its text may hold addresses and the page needs no key."""
    try:
        return question()
    except (Error, BrokerError, OSError) as problem:
        return {"ok": False, "error": type(problem).__name__}


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"ok": True}


def _broker() -> dict[str, Any]:
    """The filesystem transport has no server: its folder must be there to write to."""
    folder = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {}).get("data_folder_in")
    if folder is not None:
        return {"ok": Path(folder).is_dir()}
    with current_app.connection_for_write(connect_timeout=1) as broker:
        broker.ensure_connection(max_retries=1, timeout=1, interval_start=0)
    return {"ok": True}


def _migrations() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    missing = len(_wanted_migrations() - applied)
    return {"ok": missing == 0, "missing": missing}


@cache
def _wanted_migrations() -> frozenset[tuple[str, str]]:
    """Those of this version of the code, read from the disk once."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _folding() -> dict[str, Any]:
    """How far rollups lag behind the ledger. Budgets do not wait for them, so only a long lag is not ready."""
    with connection.cursor() as cursor:
        cursor.execute(UNFOLDED)
        batches, events, seconds = cursor.fetchone()
    lag = round(float(seconds), 1)
    return {"ok": lag <= settings.READY_MAX_LAG_SECONDS, "batches": batches, "events": int(events), "lag_seconds": lag}
