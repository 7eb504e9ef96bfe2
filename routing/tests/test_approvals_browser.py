"""Asking and deciding in Chromium: the whole way, two approvers at once, phone and desktop, both themes."""

import os
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.models import ApprovalRequest, Grant, Membership, Team, Workflow
from tests.browser import axe_findings, listen
from tests.company import one_of_everything

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("TOKENOPS_SHOTS")


@pytest.fixture
def company(live_server):
    return one_of_everything(timezone.now())


def person(name: str, role: str, team: Team | None) -> User:
    user = User.objects.create_user(name, first_name=name.title(), password="a-long-horse-for-tests")
    Membership.objects.create(user=user, role=role, team=team)
    return user


@pytest.fixture
def opened(chromium, live_server):
    """A page signed in as a person, in a context of its own; its console must stay clean."""
    contexts = []

    def open_for(user: User, width: int = 1280, theme: str = "light"):
        client = Client()
        client.force_login(user)
        context = chromium.new_context(viewport={"width": width, "height": 900}, locale="en-US")
        context.add_cookies(
            [
                {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url},
                {"name": "theme", "value": theme, "url": live_server.url},
            ]
        )
        page = context.new_page()
        contexts.append((context, listen(page)))
        return page

    yield open_for
    for context, problems in contexts:
        context.close()
        assert [one for one in problems if "status of 4" not in one] == []  # what was refused is logged by the browser


def shot(page, name):
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS, f"{name}.png")), full_page=True)


def test_ask_approve_undo_decline(company, opened, live_server):
    workflow = Workflow.objects.filter(status="production").select_related("team").order_by("slug").first()
    team = workflow.team
    kim, lena = person("kim", "budget_owner", team), person("anna", "approver", team)
    asker = opened(kim, 390)
    asker.goto(f"{live_server.url}/approvals/new/")
    asker.select_option("#id_workflow", workflow.slug)
    asker.select_option("#id_tier", "3")
    asker.fill("#id_reason", "The launch needs it.")
    asker.click("text=Send the request")  # no limit: said beside its field, nothing asked
    assert "Say the most that may be spent" in asker.inner_text("main")
    asker.fill("#id_ceiling", "120")
    asker.click("text=Send the request")
    asker.wait_for_url("**/approvals/*/")
    assert "Someone else has to approve it" in asker.inner_text("main")
    assert not asker.get_by_role("button", name="Approve").count()
    shot(asker, "own-request-390")
    request = ApprovalRequest.objects.order_by("-pk").first()

    decider = opened(lena, 390)
    decider.goto(f"{live_server.url}/approvals/")
    row = decider.locator(f"#req-{request.pk}")
    assert "The launch needs it." in row.inner_text()
    shot(decider, "waiting-390")
    row.get_by_role("button", name="Approve").click()
    row.get_by_text("Anna approved this").wait_for()
    assert decider.evaluate("document.activeElement.id") == f"req-{request.pk}"
    assert axe_findings(decider) == []
    grant = Grant.objects.get(request=request)
    row.get_by_role("button", name="Undo").click()
    row.get_by_text("Anna undid that").wait_for()
    grant.refresh_from_db()
    assert grant.end == "undone"

    asker.goto(f"{live_server.url}/approvals/new/?kind=premium&workflow={workflow.slug}&tier=3")
    asker.fill("#id_runs", "10")
    asker.fill("#id_reason", "Once more, please.")
    asker.click("text=Send the request")
    asker.wait_for_url("**/approvals/*/")
    second = ApprovalRequest.objects.order_by("-pk").first()
    decider.goto(f"{live_server.url}/approvals/")
    row = decider.locator(f"#req-{second.pk}")
    row.get_by_text("Decline…").click()
    row.get_by_role("button", name="Decline").last.click()
    row.get_by_text("Say why").wait_for()
    row.get_by_label("Why not?").fill("Standard is enough here.")
    row.get_by_role("button", name="Decline").last.click()
    row.get_by_text("Anna declined this").wait_for()
    asker.reload()
    assert "Standard is enough here." in asker.inner_text("main")


def test_two_approvers_click_at_once(company, opened, live_server):
    """Both have the row open; the second to click is told who decided."""
    team = company.request.team
    first, second = opened(person("anna", "approver", team)), opened(person("boris", "approver", team))
    for page in (first, second):
        page.goto(f"{live_server.url}/approvals/")
    row = f"#req-{company.request.pk}"
    first.locator(row).get_by_role("button", name="Approve").click()
    first.locator(row).get_by_text("Anna approved this").wait_for()
    with second.expect_response(lambda answer: "/approve/" in answer.url) as told:
        second.locator(row).get_by_role("button", name="Approve").click()
    assert told.value.status == 409
    second.locator(row).get_by_role("alert").get_by_text("Anna approved this").wait_for()
    assert Grant.objects.filter(request=company.request).count() == 1


def test_what_waits_stands_on_the_overview_and_in_the_menu(company, opened, live_server):
    page = opened(person("anna", "approver", None), 1440)
    page.goto(live_server.url)
    page.locator("#approvals").get_by_text("Waiting for you").wait_for()
    page.locator("nav.side [data-approvals-count]").get_by_text("1").wait_for()
    assert axe_findings(page) == []
    shot(page, "overview-1440")
    page.locator("#approvals").get_by_role("button", name="Approve").first.click()
    page.locator("#approvals").get_by_text("Anna approved this").wait_for()
    assert page.locator("nav.side [data-approvals-count]").inner_text().strip() == ""


def test_one_without_the_right_sees_the_fact_and_no_button(company, opened, live_server):
    page = opened(person("vic", "viewer", None), 1440, "dark")
    page.goto(f"{live_server.url}/approvals/{company.request.pk}/")
    assert "needs the strictest tone check" in page.inner_text("main")
    assert not page.locator("main").get_by_role("button").count()
    shot(page, "viewer-dark-1440")
    answer = page.request.post(
        f"{live_server.url}/approvals/{company.request.pk}/approve/",
        headers={"x-csrftoken": "x", "referer": live_server.url},
    )
    assert answer.status == 403
    company.request.refresh_from_db()
    assert company.request.state == "waiting"
