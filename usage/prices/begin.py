"""Start a preview that was asked for, or a confirmed re-price run, in the background."""

import logging
import threading
from datetime import datetime

from celery import current_app
from django.db import transaction

from budgets.audit.record import Actor
from usage.models import RepriceRun
from usage.prices.reprice import confirm, request_again, request_preview

logger = logging.getLogger(__name__)
TASK = "usage.tasks.reprice"
PREVIEW_TASK = "usage.tasks.preview_reprices"


def begin_preview(
    actor: Actor, starts_at: datetime, ends_at: datetime, model: str = "", *, only_unpriced: bool = True
) -> RepriceRun:
    """Ask for a preview, and tell a worker once that is committed. A lost message is made up for by the sweep."""
    run = request_preview(actor, starts_at, ends_at, model, only_unpriced=only_unpriced)
    _tell(PREVIEW_TASK)
    return run


def begin_again(run_id: int, actor: Actor) -> RepriceRun:
    """Have a preview counted anew."""
    run = request_again(run_id, actor)
    _tell(PREVIEW_TASK)
    return run


def begin_reprice(run_id: int, actor: Actor) -> RepriceRun:
    """Confirm, and tell a worker once that is committed."""
    run = confirm(run_id, actor)
    _tell(TASK)
    return run


def _tell(task: str) -> None:
    # In a thread: a broker that does not answer must not hold up whoever confirms.
    hint = threading.Thread(target=_hint, args=[task], name="tokenops-reprice-hint", daemon=True)
    transaction.on_commit(hint.start)


def _hint(task: str) -> None:
    try:
        current_app.send_task(task, retry=False)
    except Exception:  # the broker is a hint, the database is the truth
        logger.warning("The broker did not take a re-price run; the sweep will.", exc_info=True)
