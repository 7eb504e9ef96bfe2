"""What workers do on this floor."""

from celery import shared_task
from django.utils import timezone

from usage.ledger.partitions import make_ahead
from usage.ledger.retention import expire
from usage.prices.tasks import carry_out_reprices, check_prices, preview_reprices
from usage.rollups.fold import fold_all

__all__ = ["carry_out_reprices", "check_prices", "fold", "keep_house", "preview_reprices"]


@shared_task(name="usage.tasks.fold")
def fold() -> int:
    """Fold waiting batches into rollups and run summaries. Running it twice, or together, changes nothing."""
    return fold_all()


@shared_task(name="usage.tasks.keep_house")
def keep_house() -> None:
    """Make next months' partitions; detach what is past retention and proven."""
    make_ahead(timezone.now())
    expire(timezone.now())
