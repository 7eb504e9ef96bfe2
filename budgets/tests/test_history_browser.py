"""The history in Chromium: axe, phone, keyboard, undo, without JavaScript."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from budgets.audit.record import Actor, record
from budgets.limits import edit
from budgets.models import NANO, Budget, Organisation, Workflow
from budgets.tests.made import a_budget
from tests.browser import axe_findings

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a-long-horse-for-tests"
PATHS = ("/history/", "/history/?q=nothing-like-it", "/history/?who=nobody&from=2026-01-01")


@pytest.fixture
def lena():
    from dataclasses import replace

    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    user = User.objects.create_superuser("lena", password=PASSWORD, first_name="Lena", last_name="Kraus")
    actor = Actor(user, "lena", "web")
    briefs = Workflow.objects.create(slug="briefs", name="SEO briefs")
    record(Actor(None, "key Gateway", "api"), "paused", briefs, {"paused": False}, {"paused": True}, "Looping")
    for n in range(55):
        record(Actor.job("retention"), "changed", Organisation.get(), {"name": f"A{n}"}, {"name": f"A{n + 1}"})
    budget = a_budget(2500 * NANO, "Translation")
    values = replace(edit.values_of(budget), amount=3000 * NANO)
    edit.change_budget(actor, budget, values, "Q4 launch languages")
    return user


def sign_in(page, live_server, user):
    client = Client()
    client.force_login(user)
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([session])


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_serious(page, lena, live_server, theme, width):
    sign_in(page, live_server, lena)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size({"width": width, "height": 900})
    for path in PATHS:
        page.goto(live_server.url + path)
        for one in page.locator(".history details").all()[:3]:
            one.evaluate("one => one.open = true")
        assert axe_findings(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path


def test_the_keyboard_reaches_filter_and_undo(page, lena, live_server):
    sign_in(page, live_server, lena)
    page.goto(live_server.url + "/history/")
    page.locator("#f-q").focus()
    page.keyboard.type("transl")
    page.keyboard.press("Enter")
    page.wait_for_url("**/history/?q=transl*")
    undo = page.get_by_role("button", name="Undo changed the Translation")
    undo.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Translation is as it was before.").wait_for()
    assert Budget.objects.get().amount == 2500 * NANO


def test_it_works_without_javascript(chromium, lena, live_server):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url + "/history/")
    page.fill("#id_username", "lena")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Older").click()
    page.get_by_role("link", name="Newer").click()
    page.get_by_text("More filters").click()
    page.select_option("#f-origin", "web")
    page.get_by_role("button", name="Show").click()
    assert page.locator(".history > li").count() == 1
    page.locator(".history details summary").click()
    page.get_by_role("link", name="All changes of Translation").click()
    page.get_by_role("heading", name="Changes of Translation budget").wait_for()
    page.get_by_role("button", name="Undo").click()
    assert Budget.objects.get().amount == 2500 * NANO
    context.close()
