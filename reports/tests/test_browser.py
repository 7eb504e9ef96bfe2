"""The pages in Chromium: accessibility, console, policy, keyboard, phone, no JavaScript. Slow part."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.models import NANO, Budget, Organisation, Workflow
from reports.tests.rows import arrived, budget_with, fill_company, summed, usage_row
from tests.browser import axe_findings, settle, until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATHS = ["/", "/?chart=total", "/?period=7d", "/budgets/", "/budgets/ad-copy/", "/budgets/new/", "/menu/", "/api/"]
PASSWORD = "a-long-horse-for-tests"


@pytest.fixture
def company():
    """First rows (a flush between tests takes them), a filled company, an administrator."""
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    fill_company(timezone.now())
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


def too_wide(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_serious_on_any_page(page, sign_in, live_server, theme, width):
    sign_in(page)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size({"width": width, "height": 900})
    for path in PATHS:
        page.goto(live_server.url + path)
        settle(page)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert axe_findings(page) == [], path
        assert not too_wide(page), path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_on_sign_in_errors_and_empty_pages(page, live_server, theme):
    Organisation.objects.get_or_create(id=1)
    user = User.objects.create_superuser("lena", password=PASSWORD)
    page.emulate_media(color_scheme=theme)
    page.goto(live_server.url + "/")
    assert axe_findings(page) == []
    page.fill("#id_username", "lena")
    page.fill("#id_password", "wrong")
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_role("alert").inner_text().startswith("User name or password is not right")
    assert axe_findings(page) == []
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(live_server.url + "/")
    for path in ("/", "/budgets/", "/budgets/new/"):
        page.goto(live_server.url + path)
        assert axe_findings(page) == [], path
    assert user.is_superuser
    page.goto(live_server.url + "/budgets/none/")
    assert axe_findings(page) == []
    page.problems[:] = [one for one in page.problems if "404" not in one]


def test_pages_fit_the_smallest_phone(page, sign_in, live_server):
    sign_in(page).set_viewport_size({"width": 320, "height": 640})
    for path in PATHS:
        page.goto(live_server.url + path)
        assert not too_wide(page), path


def test_a_budget_is_made_with_an_error_on_the_way(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/budgets/new/")
    page.fill("#id_name", "Blog drafts, tight")
    page.fill("#id_value_0", "Blog and SEO drafts")
    amount = page.locator("#id_amount")
    amount.press_sequentially("1500,5")
    line = page.locator("#amount-err")
    line.get_by_text("Write the amount like 1,500 or 1500.50.").wait_for()
    assert amount.get_attribute("aria-invalid") == "true"
    assert "amount-err" in amount.get_attribute("aria-describedby")
    assert axe_findings(page) == []
    amount.fill("1,500.50")
    until(page, "document.getElementById('amount-err').textContent.trim() === ''")
    assert amount.get_attribute("aria-invalid") is None
    page.locator("#meaning").get_by_text("may use $1,501 a month").wait_for()
    # What is hidden without need of it shows when it is needed.
    assert not page.locator("#id_per_minute").is_visible()
    page.get_by_text("Slow down").click()
    assert page.locator("#id_per_minute").is_visible()
    page.get_by_role("button", name="Save budget").click()
    page.get_by_text("The budget was not saved. 1 field needs a change.").wait_for()
    assert page.evaluate("document.activeElement.id") == "id_per_minute"
    page.fill("#id_per_minute", "60")
    page.get_by_role("button", name="Save budget").click()
    page.wait_for_url(re.compile("/budgets/blog-drafts-tight/$"))
    page.get_by_text("Budget saved. Blog drafts, tight may use $1,501 a month.").wait_for()
    assert Budget.objects.get(slug="blog-drafts-tight").amount == 1500 * NANO + NANO // 2
    page.problems[:] = [one for one in page.problems if "422" not in one]


def test_pause_and_undo_from_the_toast(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/budgets/translation/")
    page.get_by_role("button", name="Pause").click()
    page.locator(".say").get_by_text("Paused.").wait_for()
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("button", name="Pause").wait_for()
    assert Budget.objects.get(slug="translation").status == "active"


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        outline, name = page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e === document.body ? 'body' : s.outlineStyle, e.textContent.trim().slice(0, 40)]; })()"
        )
        if outline == "body":
            break
        assert outline != "none", name
        seen.add(name)
    assert {"Overview", "Budgets", "New budget", "Show as a table", "Ad copy variations"} <= seen
    period = page.locator("#f-period summary")
    period.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("link", name="Last month").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("link", name="Last month").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_period_is_chosen_in_place_and_back_comes_back(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/")
    page.locator("#f-period summary").click()
    page.get_by_role("link", name="Last month").click()
    page.wait_for_url(re.compile("period=last-month"))
    page.locator("#f-period").get_by_text("Last month", exact=True).first.wait_for()
    until(page, "document.activeElement.tagName === 'SUMMARY'")  # focus comes back once the page has settled
    until(page, "Chart.getChart(document.querySelector('canvas')) !== undefined")
    assert page.evaluate("Chart.getChart(document.querySelector('canvas')).data.labels.length") >= 28
    page.go_back()
    page.wait_for_url(live_server.url + "/")
    page.locator("#f-period").get_by_text("This month").first.wait_for()


def test_chart_lines_are_straight_and_the_legend_hides_a_model(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/?period=last-month")
    until(page, "Chart.getChart(document.querySelector('canvas')) !== undefined")
    lines = "Chart.getChart(document.querySelector('canvas')).data.datasets"
    assert page.evaluate(f"{lines}.every(one => one.tension === 0)")
    first = page.locator("button[data-series]").first
    first.click()
    assert first.get_attribute("aria-pressed") == "false"
    assert not page.evaluate("Chart.getChart(document.querySelector('canvas')).isDatasetVisible(0)")
    page.get_by_role("link", name="Running total").click()
    until(page, f"{lines}.length < 4")
    assert page.evaluate(f"{lines}.every(one => one.tension === 0)")


def test_the_overview_fills_by_itself(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/")
    now = timezone.now()
    page.locator(".say").get_by_text("Ad copy variations").wait_for()
    budget_with("Flash sale", 100 * NANO, {now.date(): 104 * NANO}, now, on_exhausted="block")
    Budget.objects.filter(slug="ad-copy").update(status="archived")
    summed([usage_row(now, 4 * NANO, model="gpt-4.1")])
    arrived(now)
    page.locator(".say").get_by_text("Flash sale has run out: $104 of $100.").wait_for(timeout=10_000)
    assert page.locator("#overview-budgets").get_by_text("Flash sale").count() == 1


def test_first_events_turn_the_empty_page_into_the_overview(page, live_server):
    Organisation.objects.get_or_create(id=1)
    client = Client()
    client.force_login(User.objects.create_superuser("lena", password=PASSWORD))
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.goto(live_server.url + "/")
    page.get_by_text("No usage yet").wait_for()
    summed([usage_row(timezone.now(), 3 * NANO, calls=7)])
    arrived(timezone.now())
    page.get_by_text("7 calls since midnight").wait_for(timeout=10_000)


def test_the_theme_is_kept_by_the_server(page, sign_in, live_server):
    sign_in(page).goto(live_server.url + "/budgets/")
    page.locator(".side [data-theme-toggle]").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_everything_but_charts_works_without_javascript(chromium, company, live_server):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url + "/budgets/")
    page.fill("#id_username", "lena")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    assert page.url == live_server.url + "/budgets/"
    page.get_by_role("link", name="New budget").click()
    page.fill("#id_name", "Plain")
    page.select_option("#id_covers_0", "")
    page.fill("#id_amount", "lots")
    page.get_by_role("button", name="Save budget").click()
    assert "Write the amount like" in page.locator("#amount-err").inner_text()
    page.fill("#id_amount", "30,000")
    page.get_by_role("button", name="Save budget").click()
    assert page.url == live_server.url + "/budgets/plain/"
    page.get_by_role("button", name="Pause").click()
    assert Budget.objects.get(slug="plain").status == "paused"
    page.goto(live_server.url + "/")
    page.get_by_text("Show as a table").click()
    assert page.get_by_role("cell", name=re.compile(r"^[\d,]+\.\d\d$")).count() > 20
    context.close()


def test_django_admin_works_under_the_same_policy(page, sign_in, live_server):
    sign_in(page)
    for path in ("/admin/", "/admin/auth/user/", "/admin/auth/user/add/", "/admin/password_change/"):
        page.goto(live_server.url + path)
        assert page.locator("#content").is_visible(), path
