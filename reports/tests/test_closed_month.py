"""A closed month never changes: whatever comes afterwards or is renamed, its answers stay to the last byte."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
import time_machine
from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction

from budgets.audit.newest import newest_entry
from budgets.currency.rates import RateValues, set_rate
from budgets.models import Closing, CurrencyRate, Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.organisation.edit import (
    InvalidOrganisation,
    change_organisation,
    close_days,
    open_days,
    undo_organisation,
)
from budgets.tests.made import ACTOR
from budgets.workflows.edit import change_workflow, create_workflow
from budgets.workflows.merge import merge_workflow, unmerge_workflow
from budgets.workflows.teams import TeamValues, change_team, create_team, delete_team
from budgets.workflows.values import WorkflowValues, values_of
from reports.asking.scope import DIMENSIONS
from reports.tests.repriced import price_later
from usage.costs.edit import create_costs
from usage.costs.values import CostValues
from usage.ledger.check import check_ledger
from usage.ledger.withdraw import ensure_open_month, withdraw
from usage.models import IngestBatch, LedgerEntry, OutcomeMessage, PriceEntry, Run
from usage.outcomes.change import take_back
from usage.prices import reprice
from usage.rollups.fold import fold_all
from usage.rollups.rebuild import rebuild_rollups
from usage.tests.events import MODEL, NOW, an_event, price_the_model, take
from usage.tests.telling import DAY, HOUR, call, tell

pytestmark = pytest.mark.django_db(transaction=True)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
BEGAN = datetime(2026, 10, 20, 9, tzinfo=UTC)
DAYS = "period=custom&from=2026-10-01&to=2026-10-31"
TABLES = (
    "workflows", "models", "agents", "repeats", "teams", "applications", "value", "customers", "users", "shapes",
    "growth", "review",
)  # fmt: skip
BOOKED = (
    "/export/chargeback.csv?month=2026-10",
    "/settings/chargeback/?month=2026-10",
    *(f"/settings/chargeback/2026-10/{team}/" for team in ("growth", "brand", "-")),
    "/settings/focus/?month=2026-10",
    *(f"/export/focus/{version}/2026-10.{form}" for version in ("1.2", "1.4") for form in ("csv", "parquet")),
)
COUNTED = (
    *(f"/{path}?{DAYS}" for path in ("figures/", "export/figures.csv", "api/v1/figures", "spend/", "export/spend.csv")),
    *(f"/export/figures/{table}.csv?{DAYS}" for table in TABLES),
    *(
        f"/series/{path}.json?{DAYS}&compare=previous&{only}"
        for path in ("figures", "spend")
        for only in (
            "",
            "workflow=seo",
            "workflow=briefs",
            "team=growth",
            f"model={MODEL}",
            "user=ada",
            "tag=launch%3Dx",
        )
    ),
    *(f"/export/spend.csv?{DAYS}&group={one}" for one in DIMENSIONS),
    *(f"/series/spend.json?{DAYS}&group={one}&stack=status&metric=calls" for one in DIMENSIONS if one != "status"),
    "/series/spend.json?period=custom&from=2026-10-20&to=2026-10-20",
    f"/export/spend/calls.csv?{DAYS}",
    f"/series/spend-by-model.json?{DAYS}",
    f"/export/spend-by-model.csv?{DAYS}",
)
ONCE = re.compile(rb'(csrfmiddlewaretoken" value=|X-CSRFToken"?: ?)"[^"]*"')  # made anew for each answer


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def company(client):
    """Calls of every kind in September and October, which is closed; in euros."""
    client.force_login(User.objects.create_superuser("lena"))
    set_rate(ACTOR, RateValues("EUR", date(2026, 10, 5), Decimal("0.8")))
    change_organisation(ACTOR, {"currency": "EUR", "name": "Acme"})
    with changing_configuration():
        price_the_model()
        growth = Team.objects.create(slug="growth", name="Growth", cost_centre="CC-7", ledger_code="6400")
        Team.objects.create(slug="brand", name="Brand", cost_centre="CC-8")
        for slug, code in (("seo", "6401"), ("briefs", "")):
            Workflow.objects.create(
                slug=slug, name=slug.title(), team=growth, status="production", ledger_code=code,
                guardrails={"max_run_steps": 4},
            )  # fmt: skip
        Workflow.objects.create(slug="old", name="Old", status="discovered")
    take([*calls("sep", BEGAN - 30 * DAY), *calls("oct", BEGAN)])
    take(calls("gone", BEGAN + DAY, workflow="seo"))
    fold_all()
    merge_workflow(ACTOR, Workflow.objects.get(slug="old"), Workflow.objects.get(slug="briefs"))
    tell("oct-0", "approved", workflow="briefs", reviewer="ann", review_minutes=3, revenue_usd="7", now=BEGAN + DAY)
    tell("oct-1", "reworked", workflow="seo", reviewer="ann", now=BEGAN + DAY)
    first, last = date(2026, 10, 15), date(2026, 11, 14)
    seo = Workflow.objects.get(slug="seo")
    create_costs(
        ACTOR,
        [
            CostValues("Seats", 30 * 10**9, first, last, "seats", team_id=growth.pk),
            CostValues("Tool", 9 * 10**9, first, last, "subscription", "EUR", workflow_id=seo.pk),
        ],
    )
    close_days(ACTOR, NOVEMBER, "done")
    return client


def calls(prefix, when, many=18, **more):
    """What calls state changes from one to the next."""
    return [
        an_event(
            f"{prefix}-{n}",
            **{"time": (when - timedelta(hours=n)).isoformat(), "workflow": ("briefs", "seo", "old", "")[n % 4]}
            | {"run_id": f"{prefix}-{n % 5}" if n % 4 < 3 else "", "step": 1 + n % 6, "attempt": 1 + (n == 8)}
            | {"default_tier": 1, "tier": 1 + n % 3, "team": "elsewhere" if n % 7 == 3 else ""}
            | {"user": "ada", "customer": ("acme", "zeta")[n % 2], "application": "desk", "agent": ("a", "b")[n % 2]}
            | {"tags": {"launch": "x"}, "cached_input_tokens": 10 * n, "cache": ("none", "prompt")[n % 2]}
            | {"context": {"system": 200, "retrieval": 300, "user": 500}, "model": "no-price" if n % 6 == 4 else MODEL}
            | ({"output_tokens": None} if n == 7 else {})
            | more,
        )
        for n in range(many)
    ]


def answers(client, addresses):
    found = {}
    for one in addresses:
        answer = client.get(one)
        assert answer.status_code == 200, one
        found[one] = ONCE.sub(b"", b"".join(answer) if answer.streaming else answer.content)
    return found


def changed(client, before):
    """The addresses whose answers are others now."""
    return [one for one, answer in answers(client, before).items() if answer != before[one]]


def late_changes(mark, now):
    """Late calls, one of them a retry of a closed run; outcomes; prices; calls taken back."""
    more = {"workflow": "seo", "user": "bo", "customer": "late", "agent": "late", "tags": {"launch": "y"}}
    call(f"{mark}-1", "oct-1", BEGAN, now=now, attempt=3, step=12, tier=3, default_tier=1, **more)
    call(f"{mark}-2", "oct-0", BEGAN, now=now, **more | {"workflow": "old"}, attempt=2, step=9)
    call(f"{mark}-3", f"{mark}-new", BEGAN, now=now, attempt=2, **more)
    call(f"{mark}-4", "oct-2", now - HOUR, now=now, attempt=2, **more | {"workflow": "old"}, model="no-price")
    tell("oct-0", "rejected", workflow="briefs", reviewer="bo", review_minutes=9, misrouted=True, now=now)
    tell("oct-1", "shipped", workflow="seo", reviewer="bo", revenue_usd="70", satisfaction=5, now=now)
    tell("oct-4", "failed", workflow="briefs", now=now)


def price_anew():
    """Another price for what has one, for all days."""
    with changing_configuration():
        PriceEntry.objects.filter(model=MODEL).update(input=Decimal(3))
    run = reprice.preview(ACTOR, datetime(2026, 9, 1, tzinfo=UTC), NOW, MODEL, only_unpriced=False)
    reprice.confirm(run.pk, ACTOR)
    assert reprice.carry_out(run.pk, ACTOR).corrected
    fold_all()


def withdraw_calls(batch):
    ensure_open_month()
    with transaction.atomic():
        assert withdraw([batch], 1000).calls
    fold_all()


def test_nothing_that_comes_later_changes_an_answer_about_it(company):
    before = answers(company, (*BOOKED, *COUNTED))
    batches = list(IngestBatch.objects.order_by("pk").values_list("pk", flat=True))
    late_changes("first", NOW)
    price_later("no-price")
    assert LedgerEntry.objects.filter(kind=1, time__lt=BEGAN).exists(), "closed days were priced"
    withdraw_calls(batches[1])
    assert Run.objects.filter(run_id__startswith="gone", calls=0).exists()
    assert changed(company, before) == []
    close_days(ACTOR, NOW.date(), "again")  # once more, one close later
    assert changed(company, before) == []
    november = [one.replace("2026-10-01", "2026-11-01").replace("2026-10-31", "2026-11-17") for one in COUNTED]
    between = answers(company, [one for one in november if "2026-10" not in one])
    late_changes("second", NOW + HOUR)
    price_anew()
    take_back(ACTOR, OutcomeMessage.objects.earliest("pk"))
    withdraw_calls(batches[0])
    assert changed(company, before | between) == []
    rebuild_rollups()
    assert changed(company, before | between) == []
    assert check_ledger() == []


def rename_everything():
    """All that may be stated about teams, workflows and the organisation, and rates of the month."""
    for team in Team.objects.all():
        change_team(ACTOR, team, TeamValues(f"Renamed {team.name}", cost_centre="CC-99", ledger_code="9900"))
    for flow in Workflow.objects.filter(status="production"):
        again = replace(values_of(flow), name=f"Renamed {flow.name}", team="brand", ledger_code="9901")
        change_workflow(ACTOR, flow, again)
    unmerge_workflow(ACTOR, Workflow.objects.get(slug="old"))
    merge_workflow(ACTOR, Workflow.objects.get(slug="seo"), Workflow.objects.get(slug="briefs"))
    create_team(ACTOR, TeamValues("Elsewhere", "elsewhere"))
    set_rate(ACTOR, RateValues("EUR", date(2026, 10, 5), Decimal(3)), CurrencyRate.objects.get())
    set_rate(ACTOR, RateValues("EUR", date(2026, 10, 31), Decimal(4)))
    change_organisation(ACTOR, {"name": "Renamed", "fiscal_year_starts": 4})


def test_statements_and_files_keep_what_they_were_booked_under(company):
    before = answers(company, BOOKED)
    assert b"euros at 0.8 to the dollar" in before["/settings/chargeback/2026-10/growth/"]
    by_team = answers(company, [f"/export/spend.csv?{DAYS}&group=team&metric=calls"])
    rename_everything()
    assert changed(company, before) == []
    change_organisation(ACTOR, {"currency": "USD"})
    assert changed(company, before) == []
    (spend,) = answers(company, by_team).values()
    (spend_before,) = by_team.values()
    assert amounts(spend, "calls") == amounts(spend_before, "calls"), "names may be those of today, sums may not"


def amounts(text, column):
    return sorted(row[column] for row in csv.DictReader(io.StringIO(text.decode())))


def test_a_team_that_was_deleted_keeps_its_statement(company):
    gone = create_team(ACTOR, TeamValues("Gone", "gone"))
    open_days(ACTOR, None, "One more team")
    close_days(ACTOR, NOVEMBER, "done")
    delete_team(ACTOR, gone)
    assert b"Gone" in answers(company, ["/settings/chargeback/2026-10/gone/"]).popitem()[1]
    assert company.get("/settings/chargeback/2026-11/gone/").status_code == 404


def test_undoing_that_days_were_opened_brings_their_books_back_and_closing_them_makes_new_ones(company):
    growth, fresh = "/settings/chargeback/2026-10/growth/", "/settings/chargeback/2026-10/fresh/"
    before = answers(company, [growth])
    rename_everything()
    open_days(ACTOR, date(2026, 9, 10), "By mistake")
    assert changed(company, before) == [growth], "an open month goes by what is known today"
    create_team(ACTOR, TeamValues("Fresh", "fresh"))
    create_workflow(ACTOR, WorkflowValues("New work", team="fresh"))
    call("new", "new", BEGAN, workflow="new-work")
    undo_organisation(ACTOR, newest_entry(Organisation, 1))
    assert changed(company, before) == []
    assert b"New work" in answers(company, [fresh])[fresh], "and what came meanwhile has its books, too"
    open_days(ACTOR, None, "On purpose")
    close_days(ACTOR, NOVEMBER, "Names were wrong")
    assert b"Renamed Growth" in answers(company, [growth])[growth]


def test_days_that_close_no_month_keep_no_books(company):
    close_days(ACTOR, date(2026, 11, 15), "half a month")
    assert list(Closing.objects.values_list("since", "before")) == [(None, NOVEMBER)]
    open_days(ACTOR, date(2026, 10, 20), "wrong")
    close_days(ACTOR, date(2026, 11, 15), "right")
    assert list(Closing.objects.order_by("pk").values_list("since", "before"))[1:] == [(OCTOBER, NOVEMBER)]
    change_team(ACTOR, Team.objects.get(slug="growth"), TeamValues("Other"))
    assert b"Other" in answers(company, ["/settings/chargeback/2026-11/growth/"]).popitem()[1], "November is open"


def test_months_that_were_closed_before_there_were_books_are_booked_as_known_now(company):
    fields = ("since", "before", "organisation", "currency", "rates", "teams", "workflows")
    set_rate(ACTOR, RateValues("EUR", date(2026, 7, 20), Decimal("0.75")))
    open_days(ACTOR, None, "again")
    close_days(ACTOR, date(2026, 11, 15), "again")
    ours = Closing.objects.order_by("pk").values(*fields).last()
    assert ours["rates"] == {
        "2026-07": ["0.75000000", "2026-07-20"],
        "2026-08": ["0.75000000", "2026-07-20"],
        "2026-09": ["0.75000000", "2026-07-20"],
        "2026-10": ["0.80000000", "2026-10-05"],
    }
    Closing.objects.all().delete()
    before = answers(company, BOOKED)
    import_module("budgets.migrations.0019_closings").keep(apps, None)
    assert Closing.objects.values(*fields).get() == ours
    assert changed(company, before) == []


def test_closed_days_keep_their_time_zone(company):
    with pytest.raises(InvalidOrganisation, match="Days before 1 Nov 2026 are closed"):
        change_organisation(ACTOR, {"time_zone": "Asia/Kolkata"})
    before = answers(company, BOOKED)
    seen = {"seen_time_zone": "UTC", "time_zone": "Asia/Kolkata", "sure": "1"}
    kept = {"name": "Acme", "currency": "EUR", "fiscal_year_starts": "1"}
    page = company.post("/settings/", kept | {f"seen_{name}": value for name, value in kept.items()} | seen)
    assert (page.status_code, b"open all closed days first" in page.content) == (422, True)
    assert changed(company, before) == []
    open_days(ACTOR, None, "Another zone")
    assert change_organisation(ACTOR, {"time_zone": "Asia/Kolkata"}).time_zone == "Asia/Kolkata"
