"""`manage.py serve` as a whole, on the embedded PostgreSQL: up, killed in parts, killed whole, up again."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from tests.stack import CHECKOUT, Stack
from tokenops_site.serve import installation
from tokenops_site.serve.command import demo_beside
from tokenops_site.serve.embedded import make_database

pytestmark = [pytest.mark.server, pytest.mark.embedded]
CHILDREN = ("web", "push", "worker", "beat", "postgres")


@pytest.fixture(scope="module")
def alone():
    """A stack with nothing given: embedded PostgreSQL, keys and password of its own making."""
    folder = Path(tempfile.mkdtemp(prefix="tokenops-tests-"))
    folder.chmod(0o711)  # root's PostgreSQL runs as another user and must pass
    stack = Stack(folder, "", "filesystem://", {"SECRET_KEY": "", "TOKENOPS_ADMIN_PASSWORD": ""})
    began = time.monotonic()
    stack.start()
    stack.seconds_to_start = time.monotonic() - began
    yield stack
    if stack.process.poll() is None:
        stack.stop()
    stack.kill_what_is_left()
    shutil.rmtree(folder)


def serve_once(environment):
    """Run `serve` to its end, for starts that fail."""
    command = [sys.executable, "manage.py", "serve"]
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def everything_is_gone(stack, seconds=12):
    deadline = time.monotonic() + seconds
    while (left := stack.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == [], [(one.pid, one.cmdline()) for one in left]
    assert not is_listening(stack.port) and not is_listening(stack.push_port)
    assert not (stack.folder / "postgres" / "data" / "postmaster.pid").exists()


def test_an_address_and_a_password_within_a_minute(alone):
    assert alone.seconds_to_start < 60
    deadline = time.monotonic() + 10
    while f"TokenOps is running: http://localhost:{alone.port}/" not in (output := alone.log.read_text()):
        assert time.monotonic() < deadline, output
        time.sleep(0.1)
    assert len(re.findall(r"First administrator: admin, password \S{16} ", alone.log.read_text())) == 1


def test_secrets_are_in_files_of_mode_600(alone):
    for name in ("secret-key", "environment", "postgres-password"):
        assert stat.S_IMODE((alone.folder / name).stat().st_mode) == 0o600, name


def test_a_command_by_hand_finds_the_installation(alone):
    bare = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "SECRET_KEY")}
    done = subprocess.run(
        [sys.executable, "manage.py", "create_api_key", "by hand", "--scope", "ingest"],
        cwd=CHECKOUT, env={**bare, "TOKENOPS_DATA_DIR": str(alone.folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"tok_[\w-]{43}\n", done.stdout)


def test_a_second_serve_in_the_same_folder_is_told_so(alone):
    done = serve_once({**alone.environment, "PORT": "8999"})
    assert done.returncode == 1
    assert f"running already in {alone.folder} (process {alone.process.pid})" in done.stderr


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_is_back_within_three_seconds(alone, name):
    alone.wait_ready()
    old_guardian, old = alone.guardian(name), alone.main_process(name)
    family = [old_guardian, old, *old.children(recursive=True)]
    alone.kill(name)
    killed = time.monotonic()
    while not is_started_again(alone, name, old_guardian.pid):
        assert time.monotonic() - killed < 3, f"{name} is not back:\n{alone.tail(20)}"
        time.sleep(0.05)
    # Loading Django takes 1.5 s of a free core; the cores of a test run are not free.
    while not is_at_work(alone, name):
        assert time.monotonic() - killed < 15, f"{name} does not work again:\n{alone.tail(20)}"
        time.sleep(0.05)
    _, alive = psutil.wait_procs(family, timeout=2)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def is_started_again(stack, name, old_pid):
    """The child runs under a new guardian."""
    try:
        guardian = stack.guardian(name)
        return guardian.pid != old_pid and guardian.children() != []
    except psutil.NoSuchProcess:
        return False


def is_at_work(stack, name):
    if name == "push":
        return is_listening(stack.push_port)
    if name == "worker":  # its threads begin with the first task, and the sweep comes every second
        return stack.main_process(name).num_threads() >= 3
    return stack.status("/readyz") == 200


def test_nothing_is_left_after_kill_9_and_the_next_start_needs_no_help(alone):
    alone.wait_ready()
    assert len(alone.processes()) > 10
    alone.kill("serve")
    everything_is_gone(alone)
    alone.start()
    assert alone.log.read_text().count("First administrator: ") == 1, "printed once, not at every start"


def test_nothing_is_left_after_sigterm(alone):
    alone.wait_ready()
    assert alone.stop(signal.SIGTERM) == 0
    everything_is_gone(alone, seconds=0.5)
    assert alone.log.read_text().rstrip().endswith("Stopped.")


@pytest.mark.parametrize("name", ["PORT", "PUSH_PORT"])
def test_a_taken_port_is_said_in_a_sentence(tmp_path, name):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = {**os.environ, "TOKENOPS_DATA_DIR": str(tmp_path), "PORT": "8998", name: port}
        done = serve_once(environment)
    assert done.returncode == 1
    assert re.search(rf"did not start\. {name} {port} on 127\.0\.0\.1 cannot be used .*Choose another one", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_there_is_said_in_a_sentence(tmp_path):
    environment = {
        **os.environ,
        "TOKENOPS_DATA_DIR": str(tmp_path), "PORT": "8996", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    }  # fmt: skip
    done = serve_once(environment)
    assert done.returncode == 1
    assert "No connection to the database of DATABASE_URL" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_data_folder_that_exists_keeps_its_permissions(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir(mode=0o750)
    installation.make_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_the_demo_gets_a_database_of_its_own_on_the_given_server(server_url):
    mine = f"demo_test_{os.getpid()}"
    given = urlsplit(server_url)._replace(path=f"/{mine}").geturl()
    make_database(server_url, mine)
    made = urlsplit(demo_beside(given))
    try:
        assert made.path == f"/{mine}_demo"
        assert made.netloc == urlsplit(given).netloc
        assert demo_beside(given) == made.geturl(), "the second start finds it again"
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            for name in (mine, f"{mine}_demo"):
                connection.execute(f'DROP DATABASE IF EXISTS "{name}"')


def test_the_demos_variables_are_remembered_apart(tmp_path):
    demo = installation.data_folder({"TOKENOPS_DATA_DIR": str(tmp_path)}, demo=True)
    installation.make_folder(demo)
    installation.remember(tmp_path, {"SECRET_KEY": "real", "TOKENOPS_DATA_DIR": str(tmp_path)})
    installation.remember(demo, {"SECRET_KEY": "demo", "TOKENOPS_DATA_DIR": str(demo)})
    environment = {"TOKENOPS_DATA_DIR": str(tmp_path), "TOKENOPS_DEMO": "1"}
    installation.recall(environment)
    assert (environment["SECRET_KEY"], environment["TOKENOPS_DATA_DIR"]) == ("demo", str(demo))
    environment = {"TOKENOPS_DATA_DIR": str(tmp_path)}
    installation.recall(environment)
    assert environment["SECRET_KEY"] == "real"


def test_values_set_by_hand_win_over_remembered_ones(tmp_path):
    installation.remember(
        tmp_path, {"SECRET_KEY": "a key with 'quotes' and spaces", "DATABASE_URL": "postgresql://one"}
    )
    environment = {"TOKENOPS_DATA_DIR": str(tmp_path), "DATABASE_URL": "postgresql://two"}
    installation.recall(environment)
    assert environment["SECRET_KEY"] == "a key with 'quotes' and spaces"
    assert environment["DATABASE_URL"] == "postgresql://two"
