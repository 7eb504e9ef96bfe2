"""Costs, rates, organisation and calendar in Chromium: axe, phone, keyboard, without JavaScript."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client

from budgets.activities.edit import create_activity
from budgets.activities.values import ActivityValues
from budgets.currency.rates import RateValues
from budgets.models import NANO, Organisation, PlannedActivity, Team, Workflow
from budgets.tests.made import ACTOR
from tests.browser import axe_findings, settle
from usage.costs.edit import create_costs
from usage.costs.values import CostValues
from usage.models import OtherCost
from usage.rates.change import set_rate

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATHS = [
    "/settings/", "/settings/close/?before=2026-11-01", "/settings/open/", "/settings/costs/", "/settings/costs/new/",
    "/settings/rates/", "/settings/rates/?currency=EUR", "/calendar/?month=2026-11",
    "/calendar/?month=2026-11&view=list", "/calendar/?month=2026-03", "/calendar/new/", "/calendar/import/",
]  # fmt: skip
EVENT = ("BEGIN:VEVENT", "UID:1", "SUMMARY:Gala", "DTSTART;VALUE=DATE:20261128", "END:VEVENT")
FILE = "\r\n".join(["BEGIN:VCALENDAR", *EVENT, "END:VCALENDAR", ""]).encode()


@pytest.fixture
def boss():
    """First rows (a flush between tests takes them), some of everything, an administrator."""
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    team = Team.objects.create(slug="brand", name="Brand")
    set_rate(ACTOR, RateValues("EUR", date(2026, 10, 1), Decimal("0.92"), "ECB"))
    set_rate(ACTOR, RateValues("EUR", date(2026, 11, 2), Decimal("0.918"), "ECB"))
    set_rate(ACTOR, RateValues("JPY", date(2026, 11, 2), Decimal("151.3"), "ECB"))
    seats = CostValues("Writing assistant, 25 seats", 750 * NANO, date(2026, 11, 1), date(2026, 11, 30), kind="seats")
    credit = replace(seats, name="Launch credit of the vendor", amount=-200 * NANO, kind="credit", currency="EUR")
    create_costs(ACTOR, [seats, replace(credit, team_id=team.pk, vendor="Acme", reference="INV-118")])
    day = datetime(2026, 11, 9, tzinfo=UTC) - timedelta(hours=1)
    campaign = ActivityValues("Black Friday campaign", day, day + timedelta(days=12), factor=Decimal("1.5"))
    create_activity(ACTOR, replace(campaign, team_id=team.pk))
    night = replace(
        campaign, name="Translation batch", is_all_day=False, kind="batch", recurrence="FREQ=WEEKLY;BYDAY=FR"
    )
    create_activity(ACTOR, replace(night, starts_at=day + timedelta(hours=22), ends_at=day + timedelta(hours=30)))
    create_activity(
        ACTOR, replace(campaign, name="Launch", kind="launch", ends_at=day + timedelta(days=1), factor=None)
    )
    return User.objects.create_superuser("lena", password="a-long-horse-for-tests", first_name="Lena")


@pytest.fixture
def sign_in(boss, live_server):
    """Give a page's context the session of the administrator."""

    def give(page):
        client = Client()
        client.force_login(boss)
        session = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return page

    return give


def too_wide(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_and_nothing_is_too_wide(page, sign_in, live_server, theme, width):
    sign_in(page)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size({"width": width, "height": 900})
    for path in PATHS:
        page.goto(live_server.url + path)
        settle(page)
        assert axe_findings(page) == [], path
        assert not too_wide(page), path


def test_a_month_of_costs_and_an_activity_without_javascript(chromium, sign_in, live_server):
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = sign_in(context.new_page())
    page.goto(live_server.url + "/settings/costs/new/")
    page.fill("#id_name", "Search seats")
    page.fill("#id_amount", "300")
    page.fill("#id_months", "2")
    page.get_by_role("button", name="Save cost").click()
    page.get_by_role("button", name="Save 2 costs").click()
    page.get_by_text("Saved: Search seats, 2 months of $300.00").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Undone: 2 costs.").wait_for()
    assert not OtherCost.objects.filter(name="Search seats", removed_at=None).exists()
    page.goto(live_server.url + "/calendar/import/")
    page.set_input_files("#id_file", {"name": "team.ics", "mimeType": "text/calendar", "buffer": FILE})
    page.get_by_role("button", name="Look what it would do").click()
    page.get_by_role("button", name="Import them").click()
    page.get_by_text("Imported: 1 new.").wait_for()
    assert PlannedActivity.objects.filter(name="Gala").exists()
    context.close()


def test_the_keyboard_plans_something(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/calendar/new/?day=2026-11-25")
    page.focus("#id_name")
    page.keyboard.type("Press day")
    assert not page.locator("#id_start_time").is_visible()
    page.keyboard.press("Tab")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Save activity":
            break
    page.keyboard.press("Enter")
    page.get_by_text("Press day is in the calendar.").wait_for()
    assert PlannedActivity.objects.filter(name="Press day").exists()


def test_the_line_about_other_costs_is_fetched(page, sign_in, live_server):
    from usage.models import IngestBatch

    now = datetime.now(UTC)
    IngestBatch.objects.create(source_id=1, received_at=now, generation=1, events=1, folded_at=now)
    sign_in(page).goto(live_server.url + "/")
    page.locator(".beside").get_by_text("not metered").wait_for()
