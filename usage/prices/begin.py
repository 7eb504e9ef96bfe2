"""Start a preview that was asked for, or a confirmed re-price run, in the background."""

from datetime import datetime

from budgets.audit.record import Actor
from budgets.notices.hint import hint_task
from usage.models import RepriceRun
from usage.prices.reprice import confirm, request_again, request_preview

TASK = "usage.tasks.reprice"
PREVIEW_TASK = "usage.tasks.preview_reprices"


def begin_preview(
    actor: Actor, starts_at: datetime, ends_at: datetime, model: str = "", *, only_unpriced: bool = True
) -> RepriceRun:
    """Ask for a preview, and tell a worker once that is committed. A lost message is made up for by the sweep."""
    run = request_preview(actor, starts_at, ends_at, model, only_unpriced=only_unpriced)
    hint_task(PREVIEW_TASK)
    return run


def begin_again(run_id: int, actor: Actor) -> RepriceRun:
    """Have a preview counted anew."""
    run = request_again(run_id, actor)
    hint_task(PREVIEW_TASK)
    return run


def begin_reprice(run_id: int, actor: Actor) -> RepriceRun:
    """Confirm, and tell a worker once that is committed."""
    run = confirm(run_id, actor)
    hint_task(TASK)
    return run
