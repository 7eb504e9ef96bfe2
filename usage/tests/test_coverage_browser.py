"""Data health, quarantine, sources and keys in Chromium: accessibility, phone, keyboard, no JavaScript."""

import json
import os
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Error

from budgets.access.change import KeyValues, create_key, rotate_key
from budgets.access.revoke import revoke_key
from budgets.models import ApiKey, Source, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR
from tests.browser import axe_findings, listen
from usage.models import LedgerEntry, QuarantinedItem
from usage.rollups.fold import fold_all
from usage.tests.events import a_sender, an_event, price_the_model, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def administrator():
    """Two days of calls, some of them lacking something; refused events; keys in every state."""
    now = timezone.now()
    with changing_configuration():
        price_the_model()
        Workflow.objects.create(slug="seo-briefs", name="SEO briefs", status="production")
    for slug, step in (("gateway", 7), ("crm", 31)):
        create_key(ACTOR, KeyValues(f"Production {slug}", ("ingest", "bundle"), ("agency",)), slug)
        for n in range(0, 2880 // step, 100):
            events = [
                an_event(
                    f"{slug}{i}",
                    time=(now - timedelta(minutes=step * i)).isoformat(),
                    workflow=["seo-briefs", "newsletter-test", None][i % 7 % 3],
                    run_id=f"r{i % 40}" if i % 3 else None,
                    model="test-model" if i % 9 else "acme-writer-7b",
                    output_tokens=None if i % 17 == 0 else 100,
                )
                for i in range(n, n + 100)
            ]
            take(events, a_sender(slug), now=now - timedelta(minutes=step * n))
    take(
        [an_event(f"bad-{n}") | {"time": now.isoformat(), "cached_input_tokens": 2000 + n} for n in range(4)]
        + [an_event("old") | {"time": "2001-01-01T00:00:00Z"}, an_event("odd") | {"service_tier": "gold"}],
        a_sender("gateway"),
        now=now,
    )
    fold_all()
    rotate_key(ACTOR, create_key(ACTOR, KeyValues("Nightly script", ("ingest",)))[0], timedelta(days=3))
    revoke_key(ACTOR, create_key(ACTOR, KeyValues("Trial", ("read",)))[0], "trial is over")
    create_key(ACTOR, KeyValues("Report", ("read",), (), now + timedelta(days=4)))
    return User.objects.create_superuser("lena", password="x", first_name="Lena", last_name="Kraus")


def cookie(user: User, url: str) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}


def paths() -> list[str]:
    key = ApiKey.objects.get(name="Production gateway")
    item = QuarantinedItem.objects.get(event_id="bad-1")
    return [
        "/data/", "/data/quarantine/", f"/data/quarantine/{item.pk}/", "/settings/sources/",
        "/settings/sources/gateway/", "/settings/keys/", "/settings/keys/new/", f"/settings/keys/{key.pk}/",
        f"/settings/keys/{key.pk}/edit/", f"/settings/keys/{key.pk}/rotate/", f"/settings/keys/{key.pk}/revoke/",
    ]  # fmt: skip


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_serious_and_nothing_is_too_wide(page, administrator, live_server, theme, width):
    page.context.add_cookies(
        [cookie(administrator, live_server.url), {"name": "theme", "value": theme, "url": live_server.url}]
    )
    page.set_viewport_size({"width": width, "height": 900})
    shots = os.environ.get("TOKENOPS_SCREENSHOTS", "")
    for path in paths():
        page.goto(live_server.url + path)
        if shots:
            page.screenshot(path=f"{shots}/{path.strip('/').replace('/', '-')}-{theme}-{width}.png", full_page=True)
        assert axe_findings(page) == [], path
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), path


def test_a_key_is_made_by_keyboard_copied_and_gone_after_back(page, administrator, live_server):
    page.context.add_cookies([cookie(administrator, live_server.url)])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(live_server.url + "/settings/keys/new/")
    assert not page.locator("#id_expires_on").is_visible()
    page.locator("#id_name").focus()
    page.keyboard.type("Edge")
    page.keyboard.press("Enter")
    secret = page.locator("#key-text")
    secret.wait_for()
    plain = secret.inner_text()
    assert axe_findings(page) == []
    page.get_by_role("button", name="Copy").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    page.get_by_role("link", name="I have copied it").click()
    with pytest.raises(Error, match="ERR_CACHE_MISS"):  # the browser asks before it would send the form again
        page.go_back()
    page.wait_for_timeout(500)
    assert plain not in page.locator("body").inner_text()
    assert ApiKey.objects.filter(name="Edge").count() == 1
    page.problems.clear()  # the console says it too


def test_everything_works_without_javascript(chromium, administrator, live_server):
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 900})
    context.add_cookies([cookie(administrator, live_server.url)])
    page = context.new_page()
    problems = listen(page)
    item = QuarantinedItem.objects.get(event_id="bad-1")
    page.goto(f"{live_server.url}/data/quarantine/{item.pk}/")
    body = json.loads(page.locator("#id_body").input_value()) | {"cached_input_tokens": 20}
    page.fill("#id_body", json.dumps(body))
    page.get_by_role("button", name="Check").click()
    page.get_by_text("Would be taken").wait_for()
    assert not LedgerEntry.objects.filter(event_id="bad-1").exists()
    page.get_by_role("button", name="Save and send again").click()
    page.get_by_text("Taken: 1 event.").wait_for()
    assert LedgerEntry.objects.filter(event_id="bad-1").count() == 1
    page.goto(live_server.url + "/data/")
    page.locator("#f-days summary").click()
    today = timezone.now().date()
    page.fill("#f-from", str(today - timedelta(days=1)))
    page.fill("#f-to", str(today))
    page.get_by_role("button", name="Show these days").click()
    assert "period=custom" in page.url
    page.goto(live_server.url + "/settings/keys/new/")
    page.fill("#id_name", "No script")
    page.get_by_role("button", name="Make the key").click()
    assert page.locator("#key-text").inner_text().startswith("tok_")
    assert Source.objects.filter(slug="no-script").exists()
    context.close()
    assert problems == []
