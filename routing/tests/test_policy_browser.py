"""The policy in Chromium: change, a rule with an error on the way, remarks, compare, publish, go back, undo."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from budgets.models import Organisation, Workflow
from routing.models import PolicyVersion
from routing.policy.edit import live_version, policy_of
from routing.policy.ready_made import ensure_first_policy
from routing.tests.policies import a_draft, a_policy, a_rule, a_tier, published
from tests.browser import axe_findings

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


# Chromium writes each 422 to the console; htmx does so for a check that leaving the page cut short.
EXPECTED = re.compile(r"status of 422|htmx:(afterRequest|sendAbort),")


@pytest.fixture
def lena():
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.create(slug="briefs", name="SEO briefs", default_tier=1, status="production")
    ensure_first_policy()
    published(a_policy(a_rule("drafts", {"stage": ["draft"]}, tier=1)))
    return User.objects.create_superuser("lena", first_name="Lena", last_name="Kraus")


@pytest.fixture
def signed_in(lena, page, live_server):
    client = Client()
    client.force_login(lena)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    yield page
    page.problems[:] = [said for said in page.problems if not EXPECTED.search(said)]


def live_rules():
    return [rule.name for rule in policy_of(live_version()).rules]


def test_the_whole_path_of_a_change(signed_in, live_server):
    page = signed_in
    page.goto(live_server.url + "/routing/")
    page.get_by_role("button", name="Change it").click()
    page.get_by_text("Nothing here is in force before it is published.").wait_for()
    page.get_by_role("link", name="Add a rule").click()
    page.get_by_label("Name").fill("Final copy")
    page.get_by_label("Workflow").fill("SEO briefs")
    page.get_by_label("Stage").fill("publish")
    meaning = page.locator("#meaning")
    meaning.get_by_text("If the workflow is SEO briefs and the stage is publish").wait_for()
    field = page.get_by_label("Input of at least, in tokens")
    field.fill("lots")
    page.locator("#tokens_from-err").get_by_text("Write a number like 1,500 or 0.5.").wait_for()
    page.wait_for_function("document.querySelector('[name=tokens_from]').getAttribute('aria-invalid') === 'true'")
    assert axe_findings(page) == []
    page.get_by_role("button", name="Save rule").click()
    page.get_by_text("The rule was not saved. 1 field needs a change.").wait_for()
    assert page.evaluate("document.activeElement.name") == "tokens_from"
    page.get_by_label("Input of at least, in tokens").fill("2,000")
    page.locator("[name=tier]").select_option("Premium")
    page.get_by_label("Does a person review the result?").select_option("yes")
    meaning.get_by_text("the input has 2,000 tokens or more → Premium, a person reviews.").wait_for()
    page.get_by_role("button", name="Save rule").click()
    page.locator("#toasts").get_by_text("“Final copy” is saved in the draft.").wait_for()
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    page.get_by_text("Undone. The draft is as it was before.").wait_for()
    assert page.get_by_role("link", name="2. Final copy").count() == 0
    page.locator("#toasts").get_by_role("button", name="Undo").wait_for(state="detached")


def test_remarks_compare_publish_and_back(signed_in, live_server):
    page = signed_in
    draft = a_draft(
        a_policy(
            a_rule("all", tier=1),
            a_rule("final", {"stage": ["publish"]}, tier=2),
            tiers=[a_tier(1, "a/one"), a_tier(2)],
        )
    )
    page.goto(f"{live_server.url}/routing/drafts/{draft.pk}/")
    page.get_by_text("“Final” is never reached: “All” stands before it").wait_for()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("It was not published.").wait_for()
    assert axe_findings(page) == []
    page.get_by_role("button", name="Move Final up").click()
    page.locator("#toasts").get_by_text("“Final” is rule 1 now.").wait_for()
    assert page.get_by_text("is never reached").count() == 0
    page.get_by_role("link", name="Edit Standard").click()
    page.get_by_label("Add a model").fill("a/two")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("a/two is added at the end. Nothing is saved yet.").wait_for()
    page.get_by_label("Add a model").fill("a/three")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Move a/three up").click()
    page.get_by_text("a/three is number 1 now.").wait_for()
    page.get_by_label("Name").press("Enter")  # saves, whichever button stands first
    page.locator("#toasts").get_by_text("Standard is saved in the draft.").wait_for()
    tier = policy_of(PolicyVersion.objects.get(pk=draft.pk)).tiers[1]
    assert [model.model for model in tier.models] == ["three", "two"]
    page.get_by_role("link", name="Compare side by side").click()
    page.get_by_role("heading", name="Side by side").wait_for()
    assert axe_findings(page) == []
    page.get_by_role("link", name="Back to the draft").click()
    before = live_version()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text(f"Version {before.number + 1} is in force.").wait_for()
    page.get_by_text("If the stage is publish → Standard").wait_for()
    assert live_rules() == ["Final", "All"]
    page.get_by_role("button", name=f"Go back to version {before.number}").click()
    page.get_by_text(f"Version {before.number} is in force again, as version {before.number + 2}.").wait_for()
    assert live_rules() == ["Drafts"]
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    page.get_by_text(f"Version {before.number + 1} is in force again, as version {before.number + 3}.").wait_for()
    assert live_rules() == ["Final", "All"]


def test_without_a_script_a_tier_is_arranged_and_a_rule_saved(lena, chromium, live_server):
    draft = a_draft()
    client = Client()
    client.force_login(lena)
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto(f"{live_server.url}/routing/drafts/{draft.pk}/tiers/1/")
    page.get_by_label("Add a model").fill("b/new")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Move b/new up").click()
    page.get_by_label("Answers in, seconds: b/new").fill("1.5")
    page.get_by_role("button", name="Save tier").click()
    page.get_by_text("Economy is saved in the draft.").wait_for()
    models = policy_of(PolicyVersion.objects.get(pk=draft.pk)).tiers[0].models
    assert [(one.model, one.latency_ms) for one in models] == [("new", 1500), ("one", None)]
    page.get_by_role("link", name="Add a rule").click()
    page.get_by_label("Name").fill("Everything")
    page.locator("[name=tier]").select_option("Standard")
    page.get_by_role("button", name="Save rule").click()
    page.get_by_text("Every call → Standard").first.wait_for()
    context.close()


def test_a_call_is_tried_and_its_address_can_be_sent_on(signed_in, live_server):
    page = signed_in
    page.goto(live_server.url + "/routing/try/")
    page.get_by_label("Workflow").fill("SEO briefs")
    page.get_by_label("Stage").fill("draft")
    page.get_by_label("Input, in tokens").fill("2,000")
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("heading", name="The call goes through.").wait_for()
    page.get_by_text("The rule “Drafts” fits this call.").wait_for()
    assert "stage=draft" in page.url
    assert axe_findings(page) == []
    page.goto(page.url)
    page.get_by_text("The rule “Drafts” fits this call.").wait_for()
