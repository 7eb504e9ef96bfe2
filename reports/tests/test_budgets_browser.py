"""Budgets in Chromium: accessibility in both themes and widths, keyboard, a suggestion used, several at once. Slow."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.limits.edit import archive_budget
from budgets.models import Budget, Organisation, Workflow
from budgets.tests.made import ACTOR
from reports.tests.rows import fill_company
from tests.browser import axe_findings, settle, until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a-long-horse-for-tests"
PATHS = ["/budgets/", "/budgets/?status=archived", "/budgets/?status=idle", "/budgets/new/", "/budgets/ad-copy/edit/"]
PATHS += ["/budgets/ad-copy/", "/budgets/social-digest/", "/budgets/ad-copy/archive/", "/budgets/ad-copy/models/"]


@pytest.fixture
def lena():
    """A filled company with an archived budget and one that has not begun."""
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    now = timezone.now()
    fill_company(now)
    Budget.objects.filter(on_exhausted="downgrade").update(action_settings={"tier": 1})
    archive_budget(ACTOR, Budget.objects.get(slug="social-digest"), "Done")
    day = now.date() + timedelta(days=9)
    Budget.objects.create(slug="fair", name="Fair", amount=10**12, period="fixed", starts_on=day, ends_on=day)
    return User.objects.create_superuser("lena", password=PASSWORD, first_name="Lena", last_name="Kraus")


@pytest.fixture
def signed_in(page, lena, live_server):
    client = Client()
    client.force_login(lena)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([cookie])
    return page


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_serious(signed_in, live_server, theme, width):
    page = signed_in
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size({"width": width, "height": 900})
    for path in PATHS:
        page.goto(live_server.url + path)
        settle(page)
        assert axe_findings(page) == [], path
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), path
    page.goto(live_server.url + "/budgets/")
    page.get_by_role("checkbox", name="Choose Translation", exact=True).check()
    page.get_by_role("button", name="Change…").click()
    page.select_option("#id_direction", "up")
    page.fill("#id_percent", "10")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("1 will change").wait_for()
    assert axe_findings(page) == []
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_what_is_spent_is_told_while_typing_and_a_suggestion_is_used(signed_in, live_server):
    page = signed_in
    page.goto(live_server.url + "/budgets/new/")
    page.fill("#id_name", "Blog, tight")
    page.fill("#id_value_0", "blog-seo")
    page.fill("#id_amount", "5")
    page.locator("#amount-facts").get_by_text("or save it all the same").wait_for()
    assert axe_findings(page) == []
    button = page.locator("#suggestion").get_by_role("button", name="Use this amount")
    page.locator("#id_name").press("Tab")
    page.locator("#suggestion h2").wait_for()
    if not button.count():
        page.locator("#suggestion").get_by_text("A suggestion starts on").wait_for()
        return
    amount = button.get_attribute("value")
    button.focus()
    page.keyboard.press("Enter")
    until(page, f"document.getElementById('id_amount').value === {amount!r}")
    assert page.input_value("#id_name") == "Blog, tight"


def test_the_keyboard_turns_several_and_the_toast_takes_it_back(signed_in, live_server):
    page = signed_in
    page.goto(live_server.url + "/budgets/")
    box = page.get_by_role("checkbox", name="Choose all on this page")
    box.focus()
    page.keyboard.press("Space")
    assert page.locator('input[name="pick"]:checked').count() == page.locator('input[name="pick"]').count() > 3
    pause = page.get_by_role("button", name="Pause…")
    pause.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile("Pause \\d budgets")).wait_for()
    page.fill("#id_reason", "Holiday")
    page.keyboard.press("Tab")
    page.get_by_role("button", name=re.compile("Pause \\d budgets")).press("Enter")
    page.get_by_text("still counted, but they tell nobody").wait_for()
    assert not Budget.objects.filter(status="active").exists()
    page.locator(".toast").get_by_role("button", name="Undo").click()
    page.get_by_text("are as before.").wait_for()
    assert not Budget.objects.filter(status="paused").exists()


def test_it_all_works_without_javascript(chromium, lena, live_server):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url + "/budgets/")
    page.fill("#id_username", "lena")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("checkbox", name="Choose Translation", exact=True).check()
    page.get_by_role("button", name="Archive…").click()
    page.fill("#id_reason", "Over")
    page.get_by_role("button", name="Archive 1 budget").click()
    assert Budget.objects.get(slug="translation").status == "archived"
    page.goto(live_server.url + "/budgets/?status=archived")
    page.get_by_role("button", name="Restore Translation").click()
    assert Budget.objects.get(slug="translation").status == "active"
    page.goto(live_server.url + "/budgets/new/?copy=ad-copy")
    page.get_by_role("button", name="See what this means").click()
    assert page.get_by_role("heading", name="Before you save").count() == 1
    page.get_by_role("button", name="Back to the form").click()
    assert page.input_value("#id_name") == "Copy of Ad copy variations"
    page.get_by_role("button", name="Save budget").click()
    assert Budget.objects.filter(slug="copy-of-ad-copy-variations").exists()
    page.goto(live_server.url + "/budgets/ad-copy/")
    page.get_by_role("link", name="See what each model used of it").click()
    assert page.get_by_role("heading", name="By model", exact=True).count() == 1
    context.close()
