"""Guardians and the supervisor with small shell programs: fast, so they run with every test."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from tokenops_site.serve.children import Lifeline, Program, start
from tokenops_site.serve.supervisor import Supervisor


def program(tmp_path, script, **kind):
    return Program("child", ["/bin/sh", "-c", script], dict(os.environ), tmp_path, **kind)


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def written(path):
    """The process whose number the script wrote there."""
    return wait_for(lambda: path.exists() and path.read_text().endswith("\n") and psutil.Process(int(path.read_text())))


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


GRANDCHILD = "sleep 60 & echo $! > grandchild; "


def test_a_childs_end_takes_its_whole_group_along(tmp_path):
    guardian = start(program(tmp_path, GRANDCHILD + "exit 3"), Lifeline())
    output, _ = guardian.communicate(timeout=10)
    assert b"ended with status 3" in output
    wait_for(lambda: not psutil.pid_exists(int((tmp_path / "grandchild").read_text())))


def test_a_child_that_is_killed_takes_its_whole_group_along(tmp_path):
    guardian = start(program(tmp_path, GRANDCHILD + "echo $$ > child; sleep 60"), Lifeline())
    grandchild = written(tmp_path / "grandchild")
    written(tmp_path / "child").kill()
    output, _ = guardian.communicate(timeout=10)
    assert b"ended by SIGKILL" in output
    wait_for(lambda: gone(grandchild))


def test_sigterm_to_the_guardian_is_polite_first(tmp_path):
    script = "trap 'echo bye > farewell; exit 0' TERM; echo $$ > child; while true; do sleep 0.05; done"
    guardian = start(program(tmp_path, script), Lifeline())
    written(tmp_path / "child")
    guardian.terminate()
    guardian.wait(timeout=10)
    assert (tmp_path / "farewell").read_text() == "bye\n"


def test_a_child_that_will_not_go_is_killed_after_its_grace(tmp_path):
    guardian = start(program(tmp_path, "trap '' TERM; echo $$ > child; sleep 60; sleep 60", grace=0.3), Lifeline())
    child = written(tmp_path / "child")
    began = time.monotonic()
    guardian.terminate()
    guardian.wait(timeout=10)
    wait_for(lambda: gone(child))
    assert time.monotonic() - began < 3


def test_all_end_when_the_owner_is_killed(tmp_path):
    owner = textwrap.dedent(f"""
        import os, time
        from pathlib import Path
        from tokenops_site.serve.children import Lifeline, Program, start
        lifeline = Lifeline()
        for name in "ab":
            script = "sleep 60 & echo $! > grandchild-%s; echo $$ > child-%s; wait" % (name, name)
            start(Program(name, ["/bin/sh", "-c", script], dict(os.environ), Path({str(tmp_path)!r})), lifeline)
        time.sleep(60)
    """)
    process = subprocess.Popen([sys.executable, "-c", owner])
    family = [written(tmp_path / f"{kind}-{name}") for kind in ("child", "grandchild") for name in "ab"]
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


@pytest.fixture
def supervisor(tmp_path, capfd):
    made = Supervisor(tmp_path / "children.json")
    yield made
    made.stop()


def run_until(supervisor, condition, seconds=15):
    """Run the supervisor's loop until the condition holds."""
    deadline = time.monotonic() + seconds

    class Enough(Exception):
        pass

    def on_tick():
        if condition():
            raise Enough
        assert time.monotonic() < deadline, "waited in vain"

    with pytest.raises(Enough):
        supervisor.run(on_tick)


def test_a_killed_child_is_back_within_three_seconds(supervisor, tmp_path):
    supervisor.start(program(tmp_path, GRANDCHILD + "echo $$ > child; sleep 60"))
    first, first_grandchild = written(tmp_path / "child"), written(tmp_path / "grandchild")
    first.kill()
    killed = time.monotonic()
    run_until(supervisor, lambda: (tmp_path / "child").read_text().strip() not in ("", str(first.pid)))
    assert time.monotonic() - killed < 3
    wait_for(lambda: gone(first_grandchild))  # nothing of the old group serves beside the new one


def test_a_killed_guardian_leaves_no_second_copy(supervisor, tmp_path):
    supervisor.start(program(tmp_path, "echo $$ > child; sleep 60"))
    first = written(tmp_path / "child")
    supervisor.children["child"].guardian.kill()
    run_until(supervisor, lambda: (tmp_path / "child").read_text().strip() not in ("", str(first.pid)))
    wait_for(lambda: gone(first))


def test_a_child_that_keeps_ending_is_named_and_given_longer_pauses(supervisor, tmp_path, capfd):
    supervisor.start(program(tmp_path, "echo oh no; exit 1"))
    said = []

    def three_times():
        said.append(capfd.readouterr().out)
        return "(3 times in a row)" in "".join(said)

    run_until(supervisor, three_times)
    output = "".join(said)
    pauses = [float(found) for found in re.findall(r"child stopped.*starting it again in ([\d.]+) s", output)]
    assert pauses == sorted(pauses) and pauses[-1] > pauses[0]
    assert re.search(r"^ +child │ oh no$", output, re.MULTILINE), "output stands under the child's name"


def test_stop_leaves_nothing_and_says_nothing_of_restarts(tmp_path, capfd):
    supervisor = Supervisor(tmp_path / "children.json")
    supervisor.start(program(tmp_path, GRANDCHILD + "echo $$ > child; sleep 60"))
    family = [written(tmp_path / "child"), written(tmp_path / "grandchild")]
    supervisor.stop()
    wait_for(lambda: all(gone(one) for one in family))
    assert not (tmp_path / "children.json").exists()
    assert "starting it again" not in capfd.readouterr().out


def test_ctrl_c_is_asked_for_once(tmp_path):
    """A KeyboardInterrupt in the first place; the second signal only shortens the wait."""
    supervisor = Supervisor(tmp_path / "children.json")
    before = signal.getsignal(signal.SIGTERM)
    supervisor.listen_to_signals()
    try:
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(KeyboardInterrupt):
            supervisor.run()
        supervisor.start(program(tmp_path, "trap '' TERM; echo $$ > child; sleep 60; sleep 60", grace=30))
        child = written(tmp_path / "child")
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()
        supervisor.stop()
        assert time.monotonic() - began < 5
        wait_for(lambda: gone(child))
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_guardian_needs_nothing_but_the_standard_library():
    """It is started with -I -S, so that its start costs little and no installed package can break it."""
    source = (Path(__file__).parent.parent / "serve" / "guardian.py").read_text()
    imported = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
    assert imported <= sys.stdlib_module_names
