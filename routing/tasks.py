"""What workers do on this floor: bring budget states, grants and the bundle up to date, and tell of what happened."""

from collections.abc import Callable

from celery import shared_task
from django.utils import timezone

from budgets.grants.end import expire_due
from budgets.grants.fold import fold_charges
from budgets.leases.fold import fold_leases
from budgets.limits.evaluate import evaluate_due
from routing.alerts.look import look, look_at_crossings
from routing.bundle.compile import compile_if_changed
from routing.fleet.report import forget_silent
from routing.measures.measure import measure_models
from routing.policy.second import publish_approved
from routing.replay.begin import replay_policies
from usage.ledger.opening import open_due
from usage.outcomes.apply import apply_outcomes
from usage.rollups.fold import fold_batches
from usage.rollups.zone import follow_time_zone

__all__ = ["look_for_alerts", "replay_policies", "settle", "sweep"]


@shared_task(name="routing.tasks.settle")
def settle() -> None:
    """Open new budgets, evaluate charges, end grants, put approved policies in force, compile, tell of crossings."""
    take_each(
        open_due, evaluate_due, fold_charges, expire_grants, publish_approved, compile_if_changed, look_at_crossings
    )


@shared_task(name="routing.tasks.sweep")
def sweep() -> None:
    """Each second, whether or not any hint arrived: what nothing-is-lost relies on."""
    take_each(settle, follow_time_zone, fold_batches, apply_outcomes, fold_leases)


@shared_task(name="routing.tasks.look_for_alerts")
def look_for_alerts() -> None:
    """Have every alert rule look. Running it twice, or together, tells of nothing twice."""
    look()


@shared_task(name="routing.tasks.keep_house")
def keep_house() -> int:
    """Forget clients that were not heard of for a month; how many."""
    return forget_silent(timezone.now())


@shared_task(name="routing.tasks.measure")
def measure() -> int:
    """Measure models anew, each night; how many. Running it twice, or together, changes nothing."""
    return measure_models()


def take_each(*steps: Callable[[], object]) -> None:
    """Take every step, whatever the ones before it did: a kill switch must not wait for a fault in somebody's budget.

    The first fault is raised all the same, once everything was tried.
    """
    faults: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as fault:
            faults.append(fault)
    if faults:
        for other in faults[1:]:
            faults[0].add_note(f"and in a later step: {other!r}")
        raise faults[0]


def expire_grants() -> int:
    """End the grants whose time is over."""
    return expire_due(timezone.now())
