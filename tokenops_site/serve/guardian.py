"""Run one command in a process group of its own, and leave nothing of that group behind.

A script, not a module to import: `python -I -S guardian.py ORDERS COMMAND…`, ORDERS being JSON with
`lifeline` (a descriptor that reads end-of-file once the owner is gone, however it went), `stop_signal`, `grace`
(seconds between the polite signal and SIGKILL) and, when the command must not run as root, `user` and `group`.

A pipe rather than PR_SET_PDEATHSIG: it works on macOS, survives a parent *thread* that ends, and reaches the command's
children too. The command stays in the guardian's group, so that the owner can end both when the guardian itself dies.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys


def guard(orders: dict, command: list[str]) -> None:  # type: ignore[type-arg]
    """Wait for the command's end, the owner's end or SIGTERM; then kill the whole group, this process included."""
    if os.getpgrp() != os.getpid():
        os.setsid()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: asked.append(got))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    identity = {"user": orders["user"], "group": orders["group"], "extra_groups": []} if orders.get("user") else {}
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, **identity)
    lifeline = orders["lifeline"]
    while child.poll() is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready or asked:
            child.send_signal(orders["stop_signal"])
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=orders["grace"])
            break
        os.read(woken, 512)
    else:
        with contextlib.suppress(OSError):
            sys.stdout.write(f"{describe(child.returncode)}\n")
            sys.stdout.flush()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def describe(status: int) -> str:
    """How the command ended, in words."""
    if status >= 0:
        return f"ended with status {status}"
    return f"ended by {signal.Signals(-status).name}"


if __name__ == "__main__":
    guard(json.loads(sys.argv[1]), sys.argv[2:])
