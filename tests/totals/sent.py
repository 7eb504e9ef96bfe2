"""What comes by mail, and what forecasts say was spent before them."""

from collections import defaultdict
from datetime import timedelta
from fractions import Fraction

from django.contrib.auth.models import User
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.delivery.message import message_of
from budgets.models import Delivery, Workflow
from reports.mailed.edit import ReportValues, order
from reports.mailed.sending import put
from reports.models import Outlook, Subscription
from reports.outlook import make
from tests.totals.compare import Comparison, known_cost
from tests.totals.plain_sum import DAY, Row, total
from tests.totals.plain_text import csv_of


def compare_mailed(c: Comparison) -> None:
    """The report of the seven days before today, on its page and in the message with its CSV."""
    lena = User.objects.get(is_superuser=True)
    User.objects.filter(pk=lena.pk).update(email="lena@example.com")
    lena.refresh_from_db()
    weekday = c.today.isoweekday()
    one = order(Actor.command("test"), lena, ReportValues(None, "weekly", weekday, 0, c.books.zone.key))
    Subscription.objects.filter(pk=one.pk).update(created_at=timezone.now() - timedelta(days=30))
    first, last = c.today - 7 * DAY, c.today - DAY
    here, before = c.books.between(first, last), c.books.between(first - 7 * DAY, first - DAY)
    expected: dict[str, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for place, rows in enumerate((here, before)):
        for row in rows:
            expected[row.slug][place].append(row)
    names = dict(Workflow.objects.values_list("slug", "name"))
    wanted = {names[slug]: both for slug, both in expected.items() if [known_cost(rows) for rows in both] != [0, 0]}
    page = c.page(f"/settings/reports/{one.pk}/")
    shown = {cells[0]: tuple(cells[1:]) for cells in page.lines()[1:]}
    c.same("Report: lines", shown, {name: tuple(_words(c, rows) for rows in both) for name, both in wanted.items()})
    c.same("Report: sentence", c.shown.whole(total(here)) + " spent" in page.text, True)
    assert put(one, timezone.now(), "totals", test=True)
    message = message_of(Delivery.objects.get(key="totals").payload)
    c.same("Mail: title", message.title.startswith(c.shown.whole(total(here)) + " spent"), True)
    lines = {line["workflow"]: line for line in csv_of(message.attachments[0].text.encode())}
    for name, (rows, rows_before) in wanted.items():
        c.cost(f"Mail: {name}", lines[name]["spent"], rows)
        c.cost(f"Mail: {name} before", lines[name]["before"], rows_before)
    c.same("Mail: lines", set(lines), set(wanted))


def _words(c: Comparison, rows: list[Row]) -> str:
    cost = known_cost(rows)
    return "no price yet" if cost is None else c.shown.cents(cost)


def compare_forecasts(c: Comparison) -> None:
    """What was used of each running period before today."""
    make.ask()
    make.work_off()
    for one in Outlook.objects.filter(grain="day", made_for=c.today).exclude(kind="budget"):
        scope = {} if one.kind == "organisation" else {one.kind: one.key}
        rows = c.books.of_scope(scope, one.period_first, c.today - DAY)
        c.same(f"Forecast of {one.kind} {one.key}: spent", one.spent, total(rows))
    for kind in ("teams", "workflows"):
        for line in c.csv(f"/export/forecast.csv?of={kind}"):
            c.same(f"Forecast of {line['name']}", Fraction(line["used_before"]) >= 0, True)
