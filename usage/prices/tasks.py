"""What workers do with prices. Registered by `usage.tasks`, which imports this module."""

import logging

from celery import shared_task
from django.db import connection

from budgets.audit.record import Actor
from usage.models import RepriceRun
from usage.prices import refresh, reprice

logger = logging.getLogger(__name__)
WORKER_LOCK = 7_061_006  # advisory lock number, ours by choice: one worker re-prices at a time


@shared_task(name="usage.tasks.reprice")
def carry_out_reprices() -> int:
    """Carry out every confirmed re-price run. Sent on confirmation, and by beat for what a dead worker left."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [WORKER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    try:
        runs = RepriceRun.objects.filter(status=RepriceRun.Status.RUNNING).order_by("id").values_list("pk", flat=True)
        for pk in runs:
            try:
                reprice.carry_out(pk, Actor.job("re-price"))
            except Exception:  # the run says what went wrong; the next one is not to blame
                logger.exception("Re-price run %s failed.", pk)
        return len(runs)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [WORKER_LOCK])


@shared_task(name="usage.tasks.check_prices")
def check_prices() -> int | None:
    """Make the preview of what genai-prices says and the book does not; its id, None when they agree.

    It compares with the installed package, or with what `usage.prices.published` reads where that is switched on.
    """
    found = refresh.propose(Actor.job("price check"))
    return found.pk if found else None
