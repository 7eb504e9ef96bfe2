"""Pools and plan in Chromium: axe in both themes and widths, the keyboard, no sideways scroll, no JavaScript."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.limits.edit import BudgetValues, create_budget
from budgets.models import NANO, Budget, Organisation, PlanLine, Team, Workflow
from budgets.plan.edit import PlanValue, set_lines
from budgets.plan.year import month_after
from budgets.pools.membership import join_pool, set_sharing
from budgets.tests.made import ACTOR
from reports.tests.rows import fill_company
from tests.browser import axe_findings

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a-long-horse-for-tests"
SHARERS = (("ad-copy", "0.35"), ("translation", "0.15"), ("blog-seo", None), ("social-digest", "0.1"))


@pytest.fixture
def company():
    """A filled company with a pool of four budgets and a plan of its teams."""
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    fill_company(timezone.now())
    pool = create_budget(ACTOR, BudgetValues("Marketing", 24_000 * NANO))
    set_sharing(ACTOR, pool, "demand")
    for slug, share in SHARERS:
        join_pool(ACTOR, pool, Budget.objects.get(slug=slug), Decimal(share) if share else None)
    Budget.objects.update(opened_from=timezone.now() - timedelta(days=60))
    Workflow.objects.filter(slug="blog-seo").update(value_weight=3)
    month = timezone.now().date().replace(day=1)
    values = [
        PlanValue(month_after(month, n), team.pk, (3_000 + 250 * i + 40 * n) * NANO)
        for i, team in enumerate(Team.objects.order_by("name"))
        for n in range(-4, 3)
    ]
    set_lines(ACTOR, [*values, PlanValue(month, None, 100 * NANO, "What nobody claimed yet")])
    return User.objects.create_superuser("lena", password=PASSWORD, first_name="Lena", last_name="Kraus")


@pytest.fixture
def sign_in(company, live_server):
    """Give a page's context the session of the administrator."""

    def give(page):
        client = Client()
        client.force_login(company)
        page.context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
        )
        return page

    return give


def paths():
    year = timezone.now().year
    return [
        "/pools/", "/pools/new/", "/pools/marketing/", "/pools/marketing/share-out/", "/plan/", "/plan/?year=2031",
        f"/plan/{year}/teams/brand/", f"/plan/{year}/copy/", f"/plan/{year + 1}/copy/", "/plan/budgets/",
        "/budgets/marketing/",
    ]  # fmt: skip


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_serious_and_nothing_is_too_wide(page, sign_in, live_server, theme, width):
    sign_in(page)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size({"width": width, "height": 900})
    for path in paths():
        page.goto(live_server.url + path)
        assert axe_findings(page) == [], path
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wide), path


def test_a_pool_is_shared_out_by_keyboard_and_undone(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/pools/marketing/")
    page.get_by_role("link", name="Share out…").press("Enter")
    page.get_by_role("heading", name="What would change").wait_for()
    page.get_by_label("Reason").fill("Spring is over")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Share it out"
    before = dict(Budget.objects.filter(pool__isnull=False).values_list("slug", "amount"))
    page.keyboard.press("Enter")
    page.get_by_text("Marketing is shared out: 4 budgets have a new amount.").wait_for()
    assert sum(Budget.objects.filter(pool__isnull=False).values_list("amount", flat=True)) == 24_000 * NANO
    page.get_by_role("button", name="Undo").press("Enter")
    page.get_by_text("Marketing is as it was before.").wait_for()
    assert dict(Budget.objects.filter(pool__isnull=False).values_list("slug", "amount")) == before


def test_pool_and_plan_work_without_javascript(chromium, company, live_server):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url + "/pools/new/")
    page.fill("#id_username", "lena")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.select_option("#id_which", "new")
    page.fill("#id_name", "Spare")
    page.fill("#id_amount", "900")
    page.get_by_role("button", name="Make the pool").click()
    assert page.url == live_server.url + "/pools/spare/"
    page.fill("#id_budget", "reply-assistant")
    page.get_by_role("button", name="Put it into the pool").click()
    assert "does not fit into the pool" in page.locator("#budget-err").inner_text()
    year = timezone.now().year
    page.goto(f"{live_server.url}/plan/{year}/no-team/")
    page.get_by_label("Or one amount for the year").fill("1,200")
    page.get_by_role("button", name="Save plan").click()
    assert page.url == f"{live_server.url}/plan/?year={year}"
    assert set(PlanLine.objects.filter(team=None, month__year=year).values_list("amount", flat=True)) == {100 * NANO}
    context.close()
