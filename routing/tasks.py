"""What workers do on this floor: bring budget states and the bundle up to date."""

from celery import shared_task

from budgets.limits.evaluate import evaluate_due
from routing.bundle.compile import compile_if_changed
from usage.ledger.opening import open_due
from usage.rollups.fold import fold_batches


@shared_task(name="routing.tasks.settle")
def settle() -> None:
    """Open new budgets, evaluate those with charges waiting, and compile the bundle if it says something new."""
    open_due()
    evaluate_due()
    compile_if_changed()


@shared_task(name="routing.tasks.sweep")
def sweep() -> None:
    """Each second, whether or not any hint arrived: what nothing-is-lost relies on."""
    settle()
    fold_batches()
