"""Start a confirmed re-price run in the background."""

import logging
import threading

from celery import current_app
from django.db import transaction

from budgets.audit.record import Actor
from usage.models import RepriceRun
from usage.prices.reprice import confirm

logger = logging.getLogger(__name__)
TASK = "usage.tasks.reprice"


def begin_reprice(run_id: int, actor: Actor) -> RepriceRun:
    """Confirm, and tell a worker once that is committed. A lost message is made up for by the sweep."""
    run = confirm(run_id, actor)
    # In a thread: a broker that does not answer must not hold up whoever confirms.
    transaction.on_commit(threading.Thread(target=_hint, name="tokenops-reprice-hint", daemon=True).start)
    return run


def _hint() -> None:
    try:
        current_app.send_task(TASK, retry=False)
    except Exception:  # the broker is a hint, the database is the truth
        logger.warning("The broker did not take a re-price run; the sweep will.", exc_info=True)
