"""Status reports: who runs which revision, or refused one and why. What is to be told, without the telling."""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tokenops_sdk.talking import software

HEARTBEAT = 120.0  # seconds between reports when nothing happens
MUTED = 3600.0  # seconds of silence for a server that takes no reports
LONGEST_NAME = 128


def own_name() -> str:
    """What a process calls itself: its host and process id."""
    return f"{socket.gethostname()}-{os.getpid()}"[:LONGEST_NAME]


class Reports:
    """Reports that wait to be sent, the oldest first; only the newest twenty are kept. For several threads."""

    def __init__(self, name: str | None) -> None:
        self.name = (name or own_name())[:LONGEST_NAME]
        self.waiting: deque[Mapping[str, Any]] = deque(maxlen=20)
        self.woken = threading.Event()
        self._muted_until = 0.0

    def add(self, report: Mapping[str, Any]) -> None:
        """To be sent soon."""
        self.waiting.append(report)
        self.woken.set()

    def beat(self, acknowledgement: Mapping[str, Any] | None) -> None:
        """To be sent with the rest, if there is anything to say: what is obeyed, again."""
        if acknowledgement is not None:
            self.waiting.append(acknowledgement)

    def first(self) -> Mapping[str, Any] | None:
        """The one to send next; None where none waits, or none is wanted."""
        if time.monotonic() < self._muted_until:
            self.waiting.clear()
        try:
            return self.waiting[0]
        except IndexError:
            return None

    def sent(self, report: Mapping[str, Any], status: int) -> None:
        """The server answered, whatever: it is not sent again. 404 and 405 mean that it takes none."""
        if status in (404, 405):
            self._muted_until = time.monotonic() + MUTED
        with suppress(IndexError):
            if self.waiting[0] is report:
                self.waiting.popleft()

    def body(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """The report with who sends it."""
        return {"client": self.name, "software": software(), **report}
