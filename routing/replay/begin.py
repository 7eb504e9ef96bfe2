"""Ask for a replay and tell a worker once that is committed; a lost message is made up for by the sweep."""

import logging
import threading
from datetime import datetime

from celery import current_app, shared_task
from django.db import transaction

from budgets.audit.record import Actor
from routing.models import PolicyReplay
from routing.replay.take import ask, replay_waiting

logger = logging.getLogger(__name__)
TASK = "routing.tasks.replay_policies"


@shared_task(name=TASK)
def replay_policies() -> int:
    """Carry out every replay that was asked for. Sent when one is, and by beat for what a dead worker left."""
    return replay_waiting()


def begin(
    actor: Actor, version_id: int, starts_at: datetime, ends_at: datetime, workflow: str = ""
) -> tuple[PolicyReplay, bool]:
    """As `routing.replay.take.ask`, and have it begun."""
    replay, new = ask(actor, version_id, starts_at, ends_at, workflow)
    # In a thread: a broker that does not answer must not hold up whoever asks.
    hint = threading.Thread(target=_hint, name="tokenops-replay-hint", daemon=True)
    transaction.on_commit(hint.start)
    return replay, new


def _hint() -> None:
    try:
        current_app.send_task(TASK, retry=False)
    except Exception:  # the broker is a hint, the database is the truth
        logger.warning("The broker did not take a replay; the sweep will.", exc_info=True)
