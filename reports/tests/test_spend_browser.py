"""The explorer in Chromium: the chart is drawn, a click opens a day, the address says it all, in both themes."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.models import NANO, Organisation, Workflow
from reports.models import Outlook
from reports.tests.rows import fill_company
from tests.browser import axe_findings, listen, settle, until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CHART = "Chart.getChart(document.querySelector('canvas'))"


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
    settle(page)
    drawn = "Chart.getChart(document.querySelector('canvas'))?.data.datasets.length"
    until(page, f"{drawn} === 7")  # five models, the others, the month before
    assert axe_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # Another grouping, by keyboard: the fragment's chart draws itself from its address.
    page.locator("#f-group > summary").focus()
    page.keyboard.press("Enter")
    page.locator("#f-group a", has_text="Team").first.click()
    page.locator("h2", has_text="Money by team").wait_for()
    until(page, f"{drawn} === 6")
    until(page, "location.search.includes('group=team')")
    page.evaluate("document.querySelector('canvas').scrollIntoView({block: 'center'})")
    box = page.locator("canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**/spend/?period=custom**")
    assert "group=team" in page.url
    assert page.locator("h2", has_text="Money by team").count() == 1
    page.locator("a.row-name").first.click()
    page.wait_for_url("**team=**group=workflow**")
    # Hundreds of days are drawn by weeks; names are all said, however long.
    today = timezone.now().date()
    page.goto(f"{live_server.url}/spend/?period=custom&from={today - timedelta(days=200)}&to={today}")
    page.wait_for_timeout(300)
    assert page.evaluate(f"{CHART}.data.labels.length") == 29
    page.goto(f"{live_server.url}/spend/?period=last-month&group=workflow&stack=model")
    page.wait_for_timeout(300)
    assert page.evaluate(f"{CHART}.scales.x.ticks.length") == page.evaluate(f"{CHART}.data.labels.length") == 6
    said = page.evaluate(f"{CHART}.scales.x.ticks.map(one => one.label)")
    assert ("Ad copy variations" if width == 1440 else "Ad copy vari…") in said
    # On the first day of a period, nothing is spent yet and the forecast is drawn all the same.
    Outlook.objects.create(
        kind="organisation", key="", grain="day", made_for=today, made_at=timezone.now(), starts_at=timezone.now(),
        steps=[[NANO] * 5] * 35, period_first=today, period_end=today + timedelta(days=9), landing=[10 * NANO] * 5,
    )  # fmt: skip
    page.goto(f"{live_server.url}/forecast/organisation/-/")
    page.wait_for_timeout(300)
    assert page.evaluate(f"{CHART}.data.datasets.at(-1).data.length") == 10
    assert problems == []
