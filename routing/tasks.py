"""What workers do on this floor: bring budget states and the bundle up to date."""

from celery import shared_task

from budgets.limits.evaluate import evaluate_due
from routing.bundle.compile import compile_if_changed
from usage.ledger.opening import open_due
from usage.rollups.fold import fold_batches
from usage.rollups.zone import follow_time_zone


@shared_task(name="routing.tasks.settle")
def settle() -> None:
    """Open new budgets, evaluate those with charges waiting, and compile the bundle if it says something new.

    Each step is taken whatever the ones before it did: a kill switch must not wait for a fault in somebody's budget.
    The fault is raised all the same, once everything was tried.
    """
    try:
        open_due()
    finally:
        try:
            evaluate_due()
        finally:
            compile_if_changed()


@shared_task(name="routing.tasks.sweep")
def sweep() -> None:
    """Each second, whether or not any hint arrived: what nothing-is-lost relies on."""
    try:
        settle()
    finally:
        try:
            follow_time_zone()
        finally:
            fold_batches()
