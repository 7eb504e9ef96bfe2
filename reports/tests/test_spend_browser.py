"""The explorer in Chromium: the chart is drawn, a click opens a day, the address says it all, in both themes."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.models import Organisation, Workflow
from reports.tests.rows import fill_company
from tests.browser import axe_findings, listen

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_the_chart_is_drawn_and_a_click_opens_a_day(page, live_server, theme, width):
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    fill_company(timezone.now())
    client = Client()
    client.force_login(User.objects.create_superuser("lena", password="a-long-horse-for-tests"))
    cookies = {"sessionid": client.cookies["sessionid"].value, "theme": theme}
    page.context.add_cookies([{"name": k, "value": v, "url": live_server.url} for k, v in cookies.items()])
    page.set_viewport_size({"width": width, "height": 900})
    problems = listen(page)
    page.goto(f"{live_server.url}/spend/?period=last-month&compare=previous")
    page.wait_for_timeout(300)
    drawn = "() => { const c = Chart.getChart(document.querySelector('canvas')); return c.data.datasets.length; }"
    assert page.evaluate(drawn) == 7  # five models, the others, the month before
    assert axe_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # Another grouping, by keyboard: the fragment's chart draws itself from its address.
    page.locator("#f-group > summary").focus()
    page.keyboard.press("Enter")
    page.locator("#f-group a", has_text="Team").first.click()
    page.locator("h2", has_text="Money by team").wait_for()
    page.wait_for_timeout(500)
    assert "group=team" in page.url
    assert page.evaluate(drawn) == 6
    page.evaluate("document.querySelector('canvas').scrollIntoView({block: 'center'})")
    box = page.locator("canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**/spend/?period=custom**")
    assert "group=team" in page.url
    assert page.locator("h2", has_text="Money by team").count() == 1
    page.locator("a.row-name").first.click()
    page.wait_for_url("**team=**group=workflow**")
    assert problems == []
