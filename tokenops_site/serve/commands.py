"""The programs that make up TokenOps, as they are started here and, word for word, in docker-compose.yml."""

import sys
from collections.abc import Mapping
from pathlib import Path

from tokenops_site.serve.children import Program
from tokenops_site.serve.installation import CHECKOUT

GRANIAN = ("-m", "granian", "--no-ws", "--log-level", "error", "--respawn-failed-workers", "--respawn-interval", "0.5")
# Celery's warning about root is about pickled messages, which nothing here accepts.
CELERY = ("-W", "ignore:You're running the worker with superuser", "-m", "celery", "-A", "tokenops_site", "--quiet")


def web(environment: Mapping[str, str]) -> list[str]:
    """Pages and API: blocking Django in threads. Two processes, so that one slow request never holds up all."""
    return [
        *GRANIAN, "--interface", "wsgi", "--workers", environment.get("WEB_WORKERS", "2"),
        "--blocking-threads", environment.get("WEB_THREADS", "8"), "--workers-kill-timeout", "4",
        "--host", environment.get("TOKENOPS_HOST", "127.0.0.1"), "--port", environment["PORT"],
        "tokenops_site.wsgi:application",
    ]  # fmt: skip


def push(environment: Mapping[str, str]) -> list[str]:
    """Clients that wait for a new bundle: one process, one loop, no thread per client."""
    return [
        *GRANIAN, "--interface", "asgi", "--workers", "1", "--workers-kill-timeout", "2", "--backpressure", "10000",
        "--host", environment.get("TOKENOPS_HOST", "127.0.0.1"), "--port", environment["PUSH_PORT"],
        "routing.push.app:app",
    ]  # fmt: skip


def worker() -> list[str]:
    """Threads, so that one may fold while another settles: the work is the database's. No -B: beat is a process.

    A pool of processes has a queue whose lock dies with the child that holds it (kill -9, out of memory), and then
    hangs for ever; a killed process of threads is simply started again.
    """
    return [
        *CELERY, "worker", "--pool", "threads", "--concurrency", "4", "--loglevel", "WARNING",
        "--without-gossip", "--without-mingle",
    ]  # fmt: skip


def beat(data_folder: str) -> list[str]:
    """The clock. Without a pid file, because a killed beat's would keep the next one from starting."""
    return [*CELERY, "beat", "--loglevel", "WARNING", "--pidfile", "", "--schedule", f"{data_folder}/beat-schedule"]


def simulator() -> list[str]:
    """The demo's marketing organisation: sixty days of history, then live traffic."""
    return ["manage.py", "simulate", "--live"]


def programs(environment: Mapping[str, str], demo: bool) -> list[Program]:
    """Every child but the database, to run with this environment in the checkout."""
    commands = {
        "web": (web(environment), 6.0),
        "push": (push(environment), 4.0),
        "worker": (worker(), 4.0),
        "beat": (beat(environment["TOKENOPS_DATA_DIR"]), 3.0),
    }
    if demo:
        commands["demo"] = (simulator(), 3.0)
    return [
        Program(name, [sys.executable, *words], environment, Path(CHECKOUT), grace=grace)
        for name, (words, grace) in commands.items()
    ]
