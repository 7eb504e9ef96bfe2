"""Where tests get a database, the running processes and a browser from.

`DATABASE_URL` names a server; without it an embedded PostgreSQL is started for this run, one for all its processes.
`BROKER_URL` is what the `stack` fixture uses (default: the filesystem). Redis and Chromium are used where found, see
tests/machine.py. `-n` makes several processes (pytest-xdist), each with a database of its own.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import machine, migrated

pytest_plugins = ["tests.clean"]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.stack import Stack

_open = ExitStack()
MOST_PROCESSES = 4  # each may run a browser and a stack of servers


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest-django sets Django up: the settings need a key and a database."""
    if config.option.help or config.option.version:
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
    os.environ.setdefault("SECRET_KEY", "a-key-for-tests-only-that-is-long-enough-to-please-django")
    # Never the var/ of whoever runs the tests: a worker may be listening there.
    folder = tempfile.mkdtemp(prefix="tokenops-tests-")
    os.environ["TOKENOPS_DATA_DIR"] = folder
    _open.callback(shutil.rmtree, folder, ignore_errors=True)
    if not hasattr(config, "workerinput"):  # the other processes find these in their environment
        # One for all stacks of this run: compressing static files takes seconds.
        os.environ["STATIC_ROOT"] = str(Path(folder, "static"))
        Path(folder, "static").mkdir()
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = _open.enter_context(machine.embedded_server())
    if not hasattr(config, "workerinput"):
        several = bool(config.getoption("numprocesses", None)) and not config.option.collectonly
        _open.enter_context(migrated.for_this_run(os.environ["DATABASE_URL"], at_once=several))
    from django.conf import settings

    assert settings.DATABASES  # pytest-django sets Django up only where the settings are loaded


def pytest_unconfigure(config: pytest.Config) -> None:
    _open.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`: one for each processor, counting those that share a core."""
    return min(os.cpu_count() or 1, MOST_PROCESSES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What shares the tests out for `--dist loadscope`; pytest-xdist's own for any other."""
    from tests.scheduling import FilesOfServers

    return FilesOfServers(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For several processes: what takes longest begins first, so that none waits long for another at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not _is_slow(item))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks that follow from what a test asks for: `pages` and `commits`, see pyproject.toml."""
    from django.test import Client

    asked = set(getattr(item, "fixturenames", ()))
    database = item.get_closest_marker("django_db")
    if database and ("client" in asked or getattr(getattr(item, "module", None), "Client", None) is Client):
        item.add_marker("pages")
    if asked & {"transactional_db", "live_server"} or (database and database.kwargs.get("transaction")):
        item.add_marker("commits")


def _is_slow(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("server", "browser", "embedded", "site"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported and collected stays: looking through it for garbage again and again takes a tenth of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["skipped"] = sorted(machine.SKIPPED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """One of several processes has ended; none of its results if it crashed."""
    machine.SKIPPED.update(getattr(node, "workeroutput", {}).get("skipped", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what in sorted(machine.SKIPPED):
        terminalreporter.write_sep("!", f"NOT TESTED, because this machine has no {what}", red=True, bold=True)


@pytest.fixture(autouse=True, scope="session")
def plain_static_files() -> Iterator[None]:
    """Pages rendered in tests name static files as they are; hashed names need a collectstatic first."""
    from django.conf import settings
    from django.test import override_settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> Iterator[None]:
    """Hashing one as it should be takes most of a second, and nearly every test of a page makes a person."""
    from django.conf import settings
    from django.test import override_settings

    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    with override_settings(PASSWORD_HASHERS=[quick, *settings.PASSWORD_HASHERS]):
        yield


@pytest.fixture(scope="session")
def server_url() -> str:
    """The PostgreSQL server of this run: the address of a database from which others can be created."""
    return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis; the test is skipped aloud where there is none."""
    url = machine.redis_url()
    if url is None:
        machine.lacking("Redis (REDIS_URL or 127.0.0.1:6379)")
    assert url is not None
    return url


@pytest.fixture(scope="session")
def start_stack(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Callable[..., Stack]]":
    """`start_stack(broker_url, NAME="value", …)`: further stacks, with other settings; stopped with the session."""
    from tests.stack import started

    with ExitStack() as running:

        def start(broker_url: str = "filesystem://", **environment: str) -> "Stack":
            folder: Path = tmp_path_factory.mktemp("stack")
            return running.enter_context(started(folder, server_url, broker_url, waits_for_disk=False, **environment))

        yield start


@pytest.fixture(scope="session")
def stack(start_stack: "Callable[..., Stack]") -> "Stack":
    """The real processes on BROKER_URL or the filesystem broker, shared by all server tests: leave it running."""
    return start_stack(os.environ.get("BROKER_URL") or "filesystem://")


@pytest.fixture(scope="session")
def redis_stack(start_stack: "Callable[..., Stack]", redis_url: str) -> "Stack":
    """The same on Redis."""
    return start_stack(redis_url)


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    """Headless Chromium; the test is skipped aloud where there is none.

    For one module: while Playwright runs, its event loop runs in this thread, where other tests start their own.
    """
    from tests.browser import chromium_browser

    executable = machine.chromium_path()
    if executable is None:
        machine.lacking("Chromium (CHROMIUM or a usual path)")
    # Playwright's loop runs in this thread, and Django would refuse database work beside any loop.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with chromium_browser(str(executable)) as browser:
        yield browser


@pytest.fixture
def page(chromium: "Browser") -> "Iterator[Page]":
    """A page in a context of its own. The test fails when the console had an error or the policy stopped something.

    `page.problems` is the list; a test that provokes an error clears it.
    """
    from tests.browser import listen

    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    page = context.new_page()
    page.problems = listen(page)
    yield page
    problems = list(page.problems)
    context.close()
    assert problems == []
