"""What workers do with imports. Registered by `usage.tasks`, which imports this module."""

from collections.abc import Collection
from datetime import timedelta

from celery import shared_task
from django.db import connection
from django.utils import timezone

from usage.imports.work import work_on
from usage.models import Import

# Advisory lock numbers, ours by choice: one worker checks and one imports at a time, so that others stay free.
CHECK_LOCK, RUN_LOCK = 7_061_020, 7_061_021
KEPT_FOR = timedelta(days=30)  # an uploaded file, once its import is over


@shared_task(name="usage.tasks.check_imports")
def check_imports() -> int:
    """Check every file that waits for it. Sent when one does, and by beat for what a dead worker left."""
    return _each(CHECK_LOCK, {Import.Status.CHECKING})


@shared_task(name="usage.tasks.run_imports")
def run_imports() -> int:
    """Carry out what was confirmed and take back what is to be undone; forget files that are of no more use."""
    done = _each(RUN_LOCK, {Import.Status.RUNNING, Import.Status.UNDOING})
    over = {Import.Status.DONE, Import.Status.UNDONE}
    old = Import.objects.filter(status__in=over, finished_at__lt=timezone.now() - KEPT_FOR)
    old.exclude(file=b"").update(file=b"")
    return done


def _each(lock: int, statuses: Collection[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        if not cursor.fetchone()[0]:
            return 0
    try:
        seen: list[int] = []
        waiting = Import.objects.filter(status__in=statuses).order_by("id").values_list("pk", flat=True)
        while (run_id := waiting.exclude(pk__in=seen).first()) is not None:  # one may come in meanwhile
            seen.append(run_id)
            work_on(run_id)
        return len(seen)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
