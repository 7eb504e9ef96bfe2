"""What reports keep for people: one of each, for the company of `tests.company`."""

from types import SimpleNamespace

from reports.mailed.edit import ReportValues, order


def add_reports(made: SimpleNamespace) -> None:
    """A report that comes by mail."""
    made.user.email = "lena@example.com"
    made.user.save(update_fields=["email"])
    made.mailed = order(made.actor, made.user, ReportValues(None, "weekly", 1, 8, "Europe/Berlin"))
