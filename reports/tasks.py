"""What workers do on this floor."""

from celery import shared_task

from reports.mailed import sending
from reports.unusual.acting import act_due
from reports.unusual.creeping import look_for_creep
from reports.unusual.runaways import look_for_runaways
from reports.unusual.watch import watch
from routing.tasks import take_each

__all__ = ["look_for_unusual", "send_reports"]


@shared_task(name="reports.tasks.look_for_unusual")
def look_for_unusual() -> None:
    """Look for unusual spend in what is new, and do what rules say about it. Killed and repeated changes nothing."""
    take_each(look_for_runaways, watch, look_for_creep, act_due)


@shared_task(name="reports.tasks.send_reports")
def send_reports() -> int:
    """Make the weekly and monthly reports that are due, each once; how many were."""
    return sending.send_reports()
