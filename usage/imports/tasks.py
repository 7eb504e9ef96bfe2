"""What workers do with imports. Registered by `usage.tasks`, which imports this module."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from budgets.notices.alone import work_off
from usage.imports.work import work_on
from usage.models import Import

# Advisory lock numbers, ours by choice: one worker checks and one imports at a time, so that others stay free.
CHECK_LOCK, RUN_LOCK = 7_061_020, 7_061_021
KEPT_FOR = timedelta(days=30)  # an uploaded file, once its import is over


@shared_task(name="usage.tasks.check_imports")
def check_imports() -> int:
    """Check every file that waits for it. Sent when one does, and by beat for what a dead worker left."""
    return work_off(CHECK_LOCK, Import.objects.filter(status=Import.Status.CHECKING), work_on)


@shared_task(name="usage.tasks.run_imports")
def run_imports() -> int:
    """Carry out what was confirmed and take back what is to be undone; forget files that are of no more use."""
    wanted = Import.objects.filter(status__in={Import.Status.RUNNING, Import.Status.UNDOING})
    done = work_off(RUN_LOCK, wanted, work_on)
    over = {Import.Status.DONE, Import.Status.UNDONE}
    old = Import.objects.filter(status__in=over, finished_at__lt=timezone.now() - KEPT_FOR)
    old.exclude(file=b"").update(file=b"")
    return done
