"""A report as a message: by mail with its CSV, in a channel with a link to it."""

import csv
import io

from budgets.currency.shown import shown
from budgets.delivery.message import Attachment, Fact, Item, Message
from budgets.pages.csv import exact, safe
from reports.mailed.report import Report

KIND = "report"


def letter(report: Report, *, stop_path: str, cadence: str, test: bool = False) -> Message:
    """`stop_path`: the address that ends these mails with one click; `cadence`: "weekly" or "monthly"."""
    facts = [Fact(one.label, f"{one.value} ({one.beside})" if one.beside else one.value) for one in report.numbers]
    items = [Item(f"At risk: {one.sentence}", one.path) for one in report.risks]
    items += [Item(f"Changed: {one.words}") for one in report.changes]
    about = f"{report.name}: your {cadence} report, {report.days_words}."
    return Message(
        kind=KIND,
        title=report.sentence,
        text="\n".join((about, *report.notes)),
        facts=tuple(facts),
        items=tuple(items),
        path=report.path,
        open_label="Open the report",
        urgent=False,
        test=test,
        stop_path=stop_path,
        attachments=(Attachment("report.csv", "text/csv", csv_of(report)),),
    )


def csv_of(report: Report) -> str:
    """The rows of the report: what each spent, and in the days before."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([report.dimension.lower().replace(" ", "_"), "currency", "spent", "before"])
    for row in report.rows:
        amounts = ("" if one is None else exact(one) for one in (row.spent, row.before))
        writer.writerow([safe(row.name), shown().code, *amounts])
    return text.getvalue()
