"""What workers do on this floor."""

from celery import shared_task
from django.utils import timezone

from budgets.audit.checking import check_history

__all__ = ["verify_history"]


@shared_task(name="budgets.tasks.verify_history")
def verify_history() -> str:
    """Prove what is new in the history and go on proving what is old; the problem found, if any."""
    return check_history(timezone.now()).problem
