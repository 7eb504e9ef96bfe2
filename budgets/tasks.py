"""What workers do on this floor."""

from celery import shared_task
from django.utils import timezone

from budgets.approvals.lapse import tend
from budgets.audit.checking import check_history
from budgets.delivery.compose import compose
from budgets.delivery.send import send_due

__all__ = ["deliver", "tend_requests", "verify_history"]


@shared_task(name="budgets.tasks.verify_history")
def verify_history() -> str:
    """Prove what is new in the history and go on proving what is old; the problem found, if any."""
    return check_history(timezone.now()).problem


@shared_task(name="budgets.tasks.deliver")
def deliver() -> int:
    """Put alerts into messages and send what is due. Running it twice, or together, sends nothing twice."""
    compose()
    return send_due()


@shared_task(name="budgets.tasks.tend_requests")
def tend_requests() -> int:
    """Ask the others where the first is silent, remind before a request lapses, and let it lapse; how many were."""
    return tend(timezone.now())
