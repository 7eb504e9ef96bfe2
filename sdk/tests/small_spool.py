"""A reporter and what it keeps on disk, for tests of the reporter and of its spool."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tokenops_sdk import UsageReporter
from tokenops_sdk import reporter as reporter_module
from tokenops_sdk.spool import REJECTED, lines_of

FOLDER = Path(__file__).parents[1]  # of the package
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def hurry(monkeypatch):
    """Ticks and looks around come sooner than for users."""
    monkeypatch.setattr(reporter_module, "TICK", 0.05)
    monkeypatch.setattr(reporter_module, "LOOK_AROUND", 0.1)


@contextmanager
def reporters(url, folder) -> Iterator:
    """Makes reporters that spool in `folder`, and closes them."""
    made = []

    def make(**options):
        made.append(UsageReporter(url, "tok", **{"spool_dir": folder, **options}))
        return made[-1]

    yield make
    for reporter in made:
        reporter.close(0)


def event(number=1):
    return {"id": f"e-{number}", "model": "small", "input_tokens": number}


def spooled(folder):
    return [line for path in folder.glob("*.jsonl") for line in lines_of(path)]


def rejected(folder):
    return [json.loads(line) for line in (folder / REJECTED).read_text().splitlines()]
