"""The whole product for a benchmark, with a database of its own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.machine import embedded_server
from tests.stack import Stack, started


@contextmanager
def running_stack(broker_url: str) -> Iterator[Stack]:
    """Web, push, worker and beat on the server of DATABASE_URL, or on an embedded PostgreSQL; gone afterwards."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        server_url = os.environ.get("DATABASE_URL") or running.enter_context(embedded_server())
        yield running.enter_context(started(folder, server_url, broker_url))
