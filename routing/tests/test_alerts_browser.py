"""Alerts in Chromium: a new rule with its live sentence and preview, muting it, and handling what it found."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.models import Alert, AlertRule, Organisation, Workflow
from routing.tests.alerting import a_channel, a_rule, a_run, an_alert
from tests.browser import axe_findings

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def company():
    AlertRule.objects.all().delete()
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    briefs = Workflow.objects.create(slug="briefs", name="SEO briefs", default_tier=1, status="production")
    now = timezone.now()
    for n in range(4):
        a_run(briefs, now - timedelta(days=9 * n + 1), 6 + n, f"r{n}")
    a_channel()
    return User.objects.create_superuser("lena", first_name="Lena", last_name="Kraus")


@pytest.fixture
def signed_in(company, page, live_server):
    client = Client()
    client.force_login(company)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    return page


def test_a_rule_says_what_it_would_have_told_while_it_is_written(signed_in, live_server):
    page = signed_in
    page.goto(live_server.url + "/alerts/rules/")
    page.get_by_role("link", name="Make the first rule").click()
    page.get_by_role("link", name="One run costs too much or takes too many steps").click()
    preview = page.locator("#preview")
    preview.get_by_text("Enter an amount, or a number of steps, or both.").wait_for()
    page.get_by_label("One run costs more than").fill("6")
    preview.get_by_text("Show here, and tell nobody, when one run costs more than $6.00.").wait_for()
    preview.get_by_text("this would have shown 3 alerts here and sent no message").wait_for()
    page.get_by_label("Marketing alerts").check()
    preview.get_by_text("Tell Marketing alerts when one run costs more than $6.00.").wait_for()
    preview.get_by_text("In the last 90 days this would have sent 3 messages.").wait_for()
    assert preview.get_by_text("for one run of SEO briefs").count() == 3
    assert axe_findings(page) == []
    page.get_by_role("button", name="Save rule").click()
    page.get_by_text("tells of what happens from now on").wait_for()
    page.get_by_role("link", name="Tell Marketing alerts when one run costs more than $6.00.").click()
    page.get_by_label("For how long").select_option("tomorrow")
    page.get_by_label("Why").fill("A launch")
    page.get_by_role("button", name="Mute", exact=True).click()
    page.get_by_text("Muted until", exact=False).first.wait_for()
    assert AlertRule.objects.get().mute_reason == "A launch"
    assert axe_findings(page) == []
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    page.get_by_text("Undone.").wait_for()
    assert AlertRule.objects.get().muted_at is None


def test_alerts_are_handled_in_place_and_taken_back(signed_in, live_server):
    page, now, rule = signed_in, timezone.now(), a_rule()
    first, second = an_alert(rule, now, "$12 for one run"), an_alert(rule, now, "$9 for one run")
    page.goto(live_server.url + "/alerts/")
    row = page.locator(f"#alert-{first.pk}")
    row.get_by_role("button", name="Acknowledge").click()
    row.get_by_text("Acknowledged by Lena Kraus.").wait_for()
    assert row.evaluate("el => el === document.activeElement")
    row.get_by_role("button", name="Undo").click()
    row.get_by_text("Nobody sees to it yet.").wait_for()
    row.get_by_role("button", name="Acknowledge").wait_for()
    row.get_by_role("button", name="I’ll take it").click()
    row.get_by_text("Lena Kraus sees to it.").wait_for()
    row.get_by_text("Snooze…").click()
    row.get_by_role("button", name="3 days").click()
    row.get_by_text("Snoozed until").wait_for()
    page.locator(f"#alert-{second.pk}").get_by_role("checkbox").check()
    page.get_by_role("button", name="Acknowledge the chosen ones").click()
    page.get_by_text("1 alert acknowledged.").wait_for()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.owner.username, first.acknowledged_at, bool(first.snoozed_until)) == ("lena", None, True)
    assert second.acknowledged_by.username == "lena"
    assert axe_findings(page) == []
    assert Alert.objects.count() == 2
