"""What reports keep for people: one of each, for the company of `tests.company`."""

from datetime import datetime
from types import SimpleNamespace

from budgets.models import Workflow
from reports.mailed.edit import ReportValues, order
from reports.savings.result import read
from reports.savings.take import ask, work_off
from reports.workflow_audit.follow import start


def add_reports(made: SimpleNamespace) -> None:
    """A report that comes by mail."""
    made.user.email = "lena@example.com"
    made.user.save(update_fields=["email"])
    made.mailed = order(made.actor, made.user, ReportValues(None, "weekly", 1, 8, "Europe/Berlin"))


def add_savings(made: SimpleNamespace, now: datetime) -> None:
    """The levers tried on the last thirty days, of which `lever` has something to say of ad-copy; an audit of it."""
    run, _ = ask(made.actor, now)
    work_off()
    run.refresh_from_db()
    found = read(run.result).workflows["ad-copy"].levers
    made.lever = next((key for key, one in found.items() if one.terms), "history")
    made.audit = start(made.actor, Workflow.objects.get(slug="ad-copy"), "Half the cost of an asset", now)


def pages_of_savings(made: SimpleNamespace) -> list[str]:
    """Their pages, with something on each."""
    supposed = "price=2&plan=100&pause=ad-copy&withdraw=openai%2Fgpt-4o&instead=openai%2Fgpt-4.1-mini&volume=10"
    return [
        "/savings/", f"/savings/levers/{made.lever}/", f"/savings/levers/{made.lever}/in/ad-copy/",
        "/savings/levers/history/", "/savings/levers/history/in/ad-copy/", "/savings/levers/retries/",
        "/savings/what-if/", f"/savings/what-if/?{supposed}", "/savings/what-if/?price=a-lot",
        "/workflows/ad-copy/audit/", f"/workflows/ad-copy/audit/{made.audit.pk}/", "/workflows/newsletter-test/audit/",
        "/workflows/ad-copy/edit/?limit_max_output_tokens=900",
    ]  # fmt: skip
