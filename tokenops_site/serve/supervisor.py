"""Keep a handful of children running, their output on one terminal, and end them all together."""

import contextlib
import itertools
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tokenops_site.serve.children import Lifeline, Program, kill_group, start

COLOURS = itertools.cycle(("36", "33", "35", "32", "34", "31"))
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 8.0
STEADY = 10.0  # seconds after which a child counts as running well again


@dataclass
class Child:
    """A program, its guardian now, and how often it ended lately. Times are of the monotonic clock."""

    program: Program
    guardian: "subprocess.Popen[bytes]"
    started: float
    colour: str
    quick_ends: int = 0
    next_start: float | None = None
    unfinished: bytes = field(default=b"", repr=False)


class Supervisor:
    """Holds the lifeline of every guardian: when this process is gone, however it went, so are they."""

    def __init__(self, status_file: Path, keep_open: Sequence[int] = ()) -> None:
        self._lifeline = Lifeline()
        self._keep_open = keep_open
        self._status_file = status_file
        self._selector = selectors.DefaultSelector()
        self.children: dict[str, Child] = {}
        self._asked_to_stop = 0

    def listen_to_signals(self) -> None:
        """Ctrl-C, SIGTERM and a closed terminal end everything; the second one at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def start(self, program: Program) -> None:
        """Start a child and keep it running from now on."""
        guardian = start(program, self._lifeline, self._keep_open)
        self.children[program.name] = Child(program, guardian, time.monotonic(), next(COLOURS))
        self._watch(self.children[program.name])

    def is_running(self, name: str) -> bool:
        return self.children[name].guardian.poll() is None

    def run(self, on_tick: Callable[[], None] = lambda: None) -> None:
        """Until a signal asks to stop. `on_tick` is called a few times a second."""
        while not self._asked_to_stop:
            self._relay(0.1)
            for child in self.children.values():
                self._keep(child)
            on_tick()

    def stop(self, last: str = "postgres") -> None:
        """End every child politely, the database after its users; what is left after its grace is killed."""
        for names in ([name for name in self.children if name != last], [last]):
            group = [self.children[name] for name in names if name in self.children]
            for child in group:
                if child.guardian.poll() is None:
                    child.guardian.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + max((child.program.grace for child in group), default=0) + 2
            while any(child.guardian.poll() is None for child in group):
                self._relay(0.05)
                if time.monotonic() > deadline or self._asked_to_stop > 1:
                    break
            for child in group:
                kill_group(child.guardian)
                child.guardian.wait()
        self._relay(0)
        self._lifeline.cut()
        self._status_file.unlink(missing_ok=True)

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self._print("serve", "1", text)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop += 1
        if self._asked_to_stop == 1:
            # Raised out of whatever is waiting; `serve` stops the children in its `finally`.
            raise KeyboardInterrupt

    def _watch(self, child: Child) -> None:
        if child.guardian.stdout is not None:
            os.set_blocking(child.guardian.stdout.fileno(), False)
            self._selector.register(child.guardian.stdout, selectors.EVENT_READ, child)
        running = {name: one.guardian.pid for name, one in self.children.items()}
        unfinished = self._status_file.with_suffix(".new")
        unfinished.write_text(json.dumps({"supervisor": os.getpid(), "guardians": running}))
        unfinished.replace(self._status_file)

    def _keep(self, child: Child) -> None:
        """Notice a child's end, clear its group away, start it again after a pause that grows while it keeps ending."""
        now = time.monotonic()
        if child.next_start is None:
            if child.guardian.poll() is None:
                return
            kill_group(child.guardian)
            child.quick_ends = child.quick_ends + 1 if now - child.started < STEADY else 0
            pause = min(FIRST_PAUSE * 2**child.quick_ends, LONGEST_PAUSE) if child.quick_ends else 0.0
            child.next_start = now + pause
            again = f" ({child.quick_ends + 1} times in a row)" if child.quick_ends > 1 else ""
            self.say(f"{child.program.name} stopped{again}; starting it again in {pause:.1f} s.")
        elif now >= child.next_start:
            child.next_start = None
            child.guardian = start(child.program, self._lifeline, self._keep_open)
            child.started = now
            self._watch(child)

    def _relay(self, seconds: float) -> None:
        """Pass on what the children wrote, line by line under their name."""
        for key, _ in self._selector.select(seconds):
            child: Child = key.data
            with contextlib.suppress(BlockingIOError):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
                *lines, child.unfinished = (child.unfinished + chunk).split(b"\n")
                for line in lines:
                    self._print(child.program.name, child.colour, line.decode(errors="replace"))

    def _print(self, name: str, colour: str, text: str) -> None:
        label = f"{name:>8} │"
        if sys.stdout.isatty():
            label = f"\033[{colour}m{label}\033[0m"
        with contextlib.suppress(OSError):
            sys.stdout.write(f"{label} {text}\n")
            sys.stdout.flush()
