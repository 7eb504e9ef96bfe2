"""The pages of workflows and teams in Chromium: accessibility, phone, keyboard, claiming in place, no JavaScript."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.limits.calendar import quarter_hour
from budgets.limits.edit import BudgetValues, create_budget
from budgets.models import NANO, Organisation, Team, Workflow
from budgets.tests.made import ACTOR
from budgets.workflows.edit import create_workflow
from budgets.workflows.values import WorkflowValues
from tests.browser import axe_findings, settle
from usage.models import QuarterHour

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATHS = (
    "/workflows/",
    "/workflows/?status=all&sort=name",
    "/workflows/?q=nothing-at-all",
    "/workflows/unassigned/",
    "/workflows/seo-briefs/",
    "/workflows/newsletter-test/",
    "/workflows/new/",
    "/workflows/seo-briefs/edit/",
    "/workflows/newsletter-test/merge/?into=seo-briefs",
    "/settings/teams/",
    "/settings/teams/new/",
    "/settings/teams/-/growth/",
)
LIMITS = {
    "max_output_tokens": 2000,
    "max_run_money": "2.50",
    "max_run_steps": 12,
    "max_steps_by_kind": {"retrieve": 3},
    "cache": {"kinds": ["prompt"], "fresh_seconds": 86_400},
    "by_task_type": {"extraction": {"max_output_tokens": 500}},
}


@pytest.fixture
def company():
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    nameless, _ = Workflow.objects.get_or_create(
        slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"}
    )
    Team.objects.create(slug="growth", name="Growth", cost_centre="CC-1")
    lena = User.objects.create_superuser("lena", first_name="Lena", last_name="Kraus")
    values = WorkflowValues(
        "SEO briefs", "Briefs for the blog", "growth", "lena", stages=("draft", "verify"), guardrails=LIMITS
    )
    seo = create_workflow(ACTOR, values)
    create_budget(ACTOR, BudgetValues("SEO briefs", 500 * NANO, {"workflow": "seo-briefs"}))
    stray = Workflow.objects.create(slug="newsletter-test", name="newsletter-test", status="discovered")
    other = Workflow.objects.create(slug="x-7", name="x-7", status="discovered")
    now = timezone.now()
    for workflow, cost, calls in ((seo, 120, 900), (stray, 38, 412), (other, 2, 9), (nameless, 5, 11)):
        for days in (0, 1, 2, 40):
            QuarterHour.objects.create(
                bucket=quarter_hour(now - timedelta(days=days)), workflow_id=workflow.pk, team="growth",
                provider="openai", model="gpt-4.1" if days else "gpt-4.1-mini", tier=2, environment="production",
                service_tier="standard", stage="", task_type="", status="ok", cost=cost * NANO, calls=calls,
            )  # fmt: skip
    return lena


@pytest.fixture
def cookie(company, live_server):
    client = Client()
    client.force_login(company)
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}


def too_wide(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_serious(page, cookie, live_server, theme, width):
    page.context.add_cookies([cookie, {"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size({"width": width, "height": 900})
    for path in PATHS:
        page.goto(live_server.url + path)
        settle(page)
        assert axe_findings(page) == [], path
        assert not too_wide(page), path


def test_spend_is_claimed_in_place_by_keyboard_and_undone(page, cookie, live_server):
    page.context.add_cookies([cookie])
    page.goto(live_server.url + "/workflows/unassigned/")
    button = page.get_by_role("button", name="Claim newsletter-test for me")
    for _ in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.get_by_text("newsletter-test is claimed: you answer for it.").wait_for()
    button.wait_for(state="detached")
    assert page.locator("#unclaimed-total").get_by_text("$21.00").count() == 1
    assert Workflow.objects.get(slug="newsletter-test").owner.username == "lena"
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("newsletter-test is as it was before.").wait_for()
    assert button.count() == 1


def test_a_fault_in_the_form_is_told_in_place(page, cookie, live_server):
    page.context.add_cookies([cookie])
    page.goto(live_server.url + "/workflows/seo-briefs/edit/")
    page.fill("#id_limit_max_run_steps", "many")
    page.get_by_role("button", name="Save workflow").click()
    page.get_by_text("Nothing was saved. 1 field needs a change.").wait_for()
    assert page.evaluate("document.activeElement.id") == "id_limit_max_run_steps"
    page.fill("#id_limit_max_run_steps", "14")
    page.get_by_role("button", name="Save workflow").click()
    page.wait_for_url(live_server.url + "/workflows/seo-briefs/")
    page.get_by_text("SEO briefs is saved.").wait_for()
    assert Workflow.objects.get(slug="seo-briefs").guardrails["max_run_steps"] == 14
    page.problems[:] = [one for one in page.problems if "422" not in one]


def test_everything_works_without_javascript(chromium, cookie, live_server):
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([cookie])
    page = context.new_page()
    page.goto(live_server.url + "/workflows/unassigned/")
    page.get_by_role("button", name="Ignore x-7").click()
    assert page.get_by_text("x-7 is ignored.").count() == 1
    page.get_by_label("Choose newsletter-test").check()
    page.get_by_label("Their team").select_option("growth")
    page.get_by_role("button", name="Claim the chosen ones").click()
    assert page.get_by_text("1 workflow is claimed.").count() == 1
    page.goto(live_server.url + "/workflows/seo-briefs/")
    page.get_by_role("button", name="Put in production").click()
    assert page.get_by_text("SEO briefs is in production.").count() == 1
    page.fill("#id_reason", "Runaway loop")
    page.get_by_role("button", name="Pause").click()
    assert page.locator(".say").get_by_text("Runaway loop").count() == 1
    page.goto(live_server.url + "/workflows/newsletter-test/merge/")
    page.fill("#id_into", "seo briefs")
    page.get_by_role("button", name="Show what happens").click()
    page.get_by_role("button", name="Merge into SEO briefs").click()
    assert page.get_by_text("newsletter-test counts under SEO briefs now.").count() == 1
    context.close()
