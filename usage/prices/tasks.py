"""What workers do with prices. Registered by `usage.tasks`, which imports this module."""

import logging

from celery import shared_task
from django.conf import settings
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

    It compares with the installed package. Where `PRICE_UPDATES_ONLINE` is set, with what its project publishes now,
    which means one request to a public address; off by default, since a budget tool has no business calling out.
    """
    if getattr(settings, "PRICE_UPDATES_ONLINE", False):
        fetch_latest()
    found = refresh.propose(Actor.job("price check"))
    return found.pk if found else None


def fetch_latest() -> None:
    """Put the published price data in place of the installed, in this process. An error is logged, not raised."""
    from genai_prices import UpdatePrices
    from genai_prices.data_snapshot import set_custom_snapshot

    try:
        set_custom_snapshot(UpdatePrices().fetch())
    except Exception:  # the network is not ours; the installed data stands
        logger.exception("Published prices could not be read; comparing with the installed package.")
