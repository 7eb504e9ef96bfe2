"""What reports keep for people: one of each, for the company of `tests.company`."""

from datetime import datetime
from types import SimpleNamespace

from allauth.account.models import EmailAddress

from budgets.limits.calendar import DAY, day_starts_at, period_bounds
from budgets.models import NANO, Workflow
from reports.mailed.edit import ReportValues, order
from reports.models import Outlook
from reports.savings.result import read
from reports.savings.take import ask, work_off
from reports.spend.entries import read_run
from reports.views.edit import save_view
from reports.workflow_audit.follow import start


def add_views(made: SimpleNamespace) -> None:
    """A saved view that is shared, and a call of a run."""
    made.view = save_view(made.actor, "Weekly by team", "/spend/", "period=7d&group=team", shared=True)
    found = read_run([made.run.workflow_id], made.run.run_id, 10)
    assert found is not None
    made.call = found.entries[0]


def pages_of_spend(made: SimpleNamespace) -> list[str]:
    """The explorer, what lies below it, saved views."""
    return [
        "/spend/", "/spend/?group=user&compare=previous", "/spend/?group=team&stack=model&metric=calls&period=7d",
        "/spend/?model=no-such", "/spend/values/team/", "/spend/runs/", "/spend/runs/?outcome=shipped",
        f"/spend/runs/ad-copy/{made.run.run_id}/", "/spend/calls/",
        "/spend/calls/?attempt=trouble&layer=history&sort=-layer&kind=calls",
        f"/spend/calls/{made.call.moment}/{made.call.id}/", "/views/", "/views/new/", f"/views/{made.view.pk}/edit/",
    ]  # fmt: skip


def add_reports(made: SimpleNamespace) -> None:
    """A report that comes by mail."""
    made.user.email = "lena@example.com"
    made.user.save(update_fields=["email"])
    EmailAddress.objects.create(user=made.user, email=made.user.email, verified=True, primary=True)
    made.mailed = order(made.actor, made.user, ReportValues(None, "weekly", 1, 8, "Europe/Berlin"))


def add_forecasts(made: SimpleNamespace, now: datetime) -> None:
    """Of the company and its first team: the month, the next two days by hours, and how good an earlier one was."""
    organisation = made.organisation
    today = organisation.local(now).date()
    month = period_bounds("month", today, organisation.zone)
    five = [40, 30, 55, 20, 70]
    for kind, key in (("organisation", ""), ("team", made.team.slug)):
        for made_for, came in ((today, None), (today - 9 * DAY, 250 * NANO)):
            Outlook.objects.create(
                kind=kind, key=key, grain="day", made_for=made_for, made_at=now, known=40,
                starts_at=day_starts_at(made_for, organisation.zone), steps=[[one * NANO for one in five]] * 35,
                period_first=month.first, period_end=month.last, landing=[one * 30 * NANO for one in five],
                week=[one * 7 * NANO for one in five], week_came=came,
            )  # fmt: skip
        Outlook.objects.create(
            kind=kind, key=key, grain="hour", made_for=today, made_at=now, known=900, starts_at=now,
            steps=[[one * NANO for one in five]] * 48,
        )  # fmt: skip


def pages_of_forecasts(made: SimpleNamespace) -> list[str]:
    """Their pages."""
    one = "/forecast/organisation/-/"
    return ["/forecast/", "/forecast/?of=teams", "/forecast/?of=zebra", one, f"/forecast/team/{made.team.slug}/"]


def pages_of_what_is_sent(made: SimpleNamespace) -> list[str]:
    """Statements, files and reports by mail."""
    months = ("?month=2026-10", "?month=zebra")
    return [
        "/settings/reports/", "/settings/reports/new/", f"/settings/reports/{made.mailed.pk}/",
        *(f"/settings/{page}/{query}" for page in ("chargeback", "focus") for query in ("", *months)),
        "/settings/chargeback/2026-10/-/", f"/settings/chargeback/2026-10/{made.team.slug}/",
    ]  # fmt: skip


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


def pages_of_meaning(made: SimpleNamespace) -> list[str]:
    """Figures, why over, unusual spend."""
    return [
        "/figures/", "/figures/?period=last-month&workflow=ad-copy&compare=weekdays", "/figures/?model=no-such",
        "/spend/why/", "/spend/why/?compare=weekdays&model=no-such", "/budgets/ad-copy/why/",
        "/budgets/hard-limit/why/?against=before",
        "/unusual/", "/unusual/?q=nothing-is-called-so", f"/unusual/{made.finding.pk}/",
    ]  # fmt: skip
