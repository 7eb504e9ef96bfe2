"""Ask for a run and have a worker begin it at once; beat looks each quarter of an hour whether one is missing."""

import logging
import threading

from celery import current_app
from django.db import transaction

from budgets.audit.record import Actor
from reports.models import SavingsRun
from reports.savings.take import ask

logger = logging.getLogger(__name__)
TASK = "reports.tasks.work_out_savings"


def begin(actor: Actor) -> tuple[SavingsRun, bool]:
    """As `reports.savings.take.ask`, and have it begun."""
    run, new = ask(actor)
    # In a thread: a broker that does not answer must not hold up whoever asks.
    hint = threading.Thread(target=_hint, name="tokenops-savings-hint", daemon=True)
    transaction.on_commit(hint.start)
    return run, new


def _hint() -> None:
    try:
        current_app.send_task(TASK, retry=False)
    except Exception:  # the broker is a hint, the database is the truth
        logger.warning("The broker did not take a run of savings; the sweep will.", exc_info=True)
