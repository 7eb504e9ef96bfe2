"""What workers do with prices. Registered by `usage.tasks`, which imports this module."""

import logging
from collections.abc import Callable

from celery import shared_task

from budgets.audit.record import Actor
from budgets.notices.alone import work_off
from usage.models import RepriceRun
from usage.prices import preview, refresh, reprice

logger = logging.getLogger(__name__)
WORKER_LOCK = 7_061_006  # advisory lock number, ours by choice: one worker re-prices at a time
PREVIEW_LOCK = 7_061_011  # advisory lock number, ours by choice: one worker counts previews at a time


@shared_task(name="usage.tasks.reprice")
def carry_out_reprices() -> int:
    """Carry out every confirmed re-price run. Sent on confirmation, and by beat for what a dead worker left."""
    return _each(WORKER_LOCK, RepriceRun.Status.RUNNING, lambda pk: reprice.carry_out(pk, Actor.job("re-price")))


@shared_task(name="usage.tasks.preview_reprices")
def preview_reprices() -> int:
    """Count every re-price preview that was asked for. Sent when one is, and by beat for what a dead worker left."""
    job = Actor.job("re-price preview")
    return _each(PREVIEW_LOCK, RepriceRun.Status.PREVIEWING, lambda pk: preview.make_preview(pk, job))


def _each(lock: int, status: RepriceRun.Status, work: Callable[[int], object]) -> int:
    """`work` on the id of each run of this status, if no other worker is at it; how many there were."""

    def try_to(pk: int) -> None:
        try:
            work(pk)
        except Exception:  # the run says what went wrong; the next one is not to blame
            logger.exception("Re-price run %s failed.", pk)

    return work_off(lock, RepriceRun.objects.filter(status=status), try_to)


@shared_task(name="usage.tasks.check_prices")
def check_prices() -> int | None:
    """Make the preview of what genai-prices says and the book does not; its id, None when they agree.

    It compares with the installed package, or with what `usage.prices.published` reads where that is switched on.
    """
    found = refresh.propose(Actor.job("price check"))
    return found.pk if found else None
