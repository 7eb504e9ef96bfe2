"""Ask for a replay and tell a worker once that is committed; a lost message is made up for by the sweep."""

from datetime import datetime

from celery import shared_task

from budgets.audit.record import Actor
from budgets.notices.hint import hint_task
from routing.models import PolicyReplay
from routing.replay.take import ask, replay_waiting

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
    hint_task(TASK)
    return replay, new
