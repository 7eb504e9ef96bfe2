"""Calls of runs and what is said of them, for the tests of outcomes."""

import json
from datetime import datetime, timedelta
from typing import Any

from usage.models import Run
from usage.outcomes.apply import apply_outcomes
from usage.outcomes.decode import decode_many
from usage.outcomes.take import Taking
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, Answer, Sender, a_sender, an_event, take


def call(
    event_id: str, run_id: str, when: datetime = NOW, workflow: str = "seo", now: datetime = NOW, **more: Any
) -> None:
    """One call of a run, taken and folded."""
    event = an_event(event_id, time=when.isoformat(), run_id=run_id, workflow=workflow, **more)
    assert take([event], now=now).accepted == 1
    fold_all()


def tell(run_id: str, outcome: str, *, now: datetime = NOW, sender: Sender | None = None, **more: Any) -> Answer:
    """One message, taken and applied; decided when it came unless `time` says else."""
    said = {"run_id": run_id, "outcome": outcome, "workflow": "seo", "time": now.isoformat(), **more}
    answer = Taking(sender or a_sender(), decode_many(json.dumps([said]).encode()), now).take()
    apply_outcomes()
    return answer


def run(run_id: str) -> Run:
    return Run.objects.get(run_id=run_id)


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
