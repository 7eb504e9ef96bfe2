"""What workers do on this floor."""

from celery import shared_task

from reports.mailed import sending
from reports.outlook import make
from reports.savings import take
from reports.unusual.acting import act_due
from reports.unusual.creeping import look_for_creep
from reports.unusual.runaways import look_for_runaways
from reports.unusual.watch import watch
from reports.workflow_audit.follow import follow_all
from routing.tasks import take_each

__all__ = ["follow_audits", "look_for_unusual", "make_forecasts", "send_reports", "work_out_savings"]


@shared_task(name="reports.tasks.look_for_unusual")
def look_for_unusual() -> None:
    """Look for unusual spend in what is new, and do what rules say about it. Killed and repeated changes nothing."""
    take_each(look_for_runaways, watch, look_for_creep, act_due)


@shared_task(name="reports.tasks.send_reports")
def send_reports() -> int:
    """Make the weekly and monthly reports that are due, each once; how many were."""
    return sending.send_reports()


@shared_task(name=take.TASK)
def work_out_savings() -> int:
    """Try the levers on the last thirty days: each night, when somebody asks, and what a dead worker left; how many."""
    take.ask_nightly()
    return take.work_off()


@shared_task(name="reports.tasks.follow_audits")
def follow_audits() -> int:
    """Bring the audits of workflows up to date, and end those whose time is over; how many were looked at."""
    return follow_all()


@shared_task(name=make.TASK)
def make_forecasts() -> int:
    """Make all forecasts: each night, when somebody asks, and what a dead worker left; how many runs."""
    make.ask_nightly()
    return make.work_off()
