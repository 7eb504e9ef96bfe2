"""What workers do on this floor."""

from celery import shared_task
from django.utils import timezone

from budgets.leases.fold import forget_leases
from budgets.people.tidy import forget_what_ended
from usage.imports.tasks import check_imports, run_imports
from usage.ingest.send_many import send_waiting
from usage.ledger.partitions import make_ahead
from usage.ledger.retention import expire
from usage.outcomes.apply import apply_outcomes, wake_waiting
from usage.prices.tasks import carry_out_reprices, check_prices, preview_reprices
from usage.rollups.fold import fold_all
from usage.sharing.nightly import share_nightly

__all__ = [
    "carry_out_reprices",
    "check_imports",
    "check_prices",
    "fold",
    "keep_house",
    "preview_reprices",
    "run_imports",
]


@shared_task(name="usage.tasks.fold")
def fold() -> int:
    """Fold waiting batches into rollups and run summaries, and apply outcomes.

    Running it twice, or together, changes nothing.
    """
    events = fold_all()
    apply_outcomes()
    return events


@shared_task(name="usage.tasks.keep_house")
def keep_house() -> None:
    """Make next months' partitions; detach what is past retention and proven; forget sessions and leases that ended.

    And look again at outcomes that wait for a run.
    """
    make_ahead(timezone.now())
    forget_what_ended(timezone.now())
    forget_leases(timezone.now())
    wake_waiting()
    expire(timezone.now())


@shared_task(name="usage.tasks.share_pools")
def share_pools() -> int:
    """Share out the pools whose turn of the day is due. Running it twice, or together, changes nothing."""
    return share_nightly()


@shared_task(name="usage.tasks.send_refused_again")
def send_refused_again() -> int:
    """Send refused events that somebody asked to send again. Running it twice, or together, changes nothing."""
    return send_waiting()
