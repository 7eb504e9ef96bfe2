"""The price pages in Chromium: axe, width, console, keyboard, progress by itself, no JavaScript. Slow part."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.models import Organisation, Workflow
from budgets.notices import hint
from budgets.organisation.configuration import changing_configuration
from tests.browser import axe_findings
from usage.models import PriceEntry, PriceRefresh, RepriceRun
from usage.prices import begin, tasks
from usage.prices.overrides import create_override
from usage.prices.seed import plant
from usage.rollups.fold import fold_all
from usage.tests.events import an_event, take
from usage.tests.price_cases import the_seed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a-long-horse-for-tests"
SOME = {"gpt-4o", "gpt-4.1", "claude-sonnet-4-5", "gemini-2.5-pro", "deepseek-v4-flash"}
FACTS = {"input": "9", "output": "10", "valid_from": "2026-01-01T00:00:00+00:00", "valid_to": None}


@pytest.fixture
def company(monkeypatch: Any) -> User:
    """Usage with and without a price, an own price, a refresh and a re-price preview that wait."""
    monkeypatch.setattr(hint.current_app, "send_task", lambda *_, **__: None)
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    now, actor = timezone.now(), Actor.command("test")
    with changing_configuration():
        plant(PriceEntry, [entry for entry in the_seed().entries if entry.model in SOME])
    create_override(
        actor,
        {"provider": "openai", "model": "gpt-4.1", "service_tier": "standard", "valid_from": now - timedelta(days=9),
         "valid_to": None, "input": Decimal("1.6"), "output": Decimal("6.4"), "origin_note": "20% off",
         "units": {"web_search": "0.008"}, "steps": [{"from_input_tokens": 200001, "input": "3"}]},
        "Contract 17",
    )  # fmt: skip
    when = (now - timedelta(hours=1)).isoformat()
    events = [an_event(f"a{n}", time=when, model="house-model", workflow="seo") for n in range(4)]
    events += [an_event(f"b{n}", time=when, provider="openai", model="gpt-4.1", workflow="ads") for n in range(4)]
    take(events, now=now)
    fold_all()
    name = {"provider": "openai", "model": "gpt-4o", "service_tier": "standard"}
    PriceRefresh.objects.create(
        package="genai-prices 9.9", digest="x", changed=[{**name, "before": {**FACTS, "input": "2.5"}, "after": FACTS}],
        added=[{**name, "before": None, "after": FACTS}], unlisted=[name],
    )  # fmt: skip
    return User.objects.create_superuser("lena", password=PASSWORD, first_name="Lena", last_name="Kraus")


@pytest.fixture
def signed_in(company: User, page: Any, live_server: Any) -> Any:
    client = Client()
    client.force_login(company)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    return page


def a_preview() -> RepriceRun:
    now = timezone.now()
    create_override(
        Actor.command("test"),
        {"provider": "acme", "model": "house-model", "service_tier": "standard", "valid_from": now - timedelta(days=9),
         "valid_to": None, "input": Decimal(2), "output": Decimal(10)},
    )  # fmt: skip
    return begin.begin_preview(Actor.command("test"), now - timedelta(days=5), now + timedelta(days=1))


def paths() -> list[str]:
    counting = a_preview()
    tasks.preview_reprices()
    waiting = begin.begin_preview(Actor.command("test"), counting.starts_at, counting.ends_at)
    own = PriceEntry.objects.get(origin="override", model="gpt-4.1")
    return [
        "", "new/?provider=acme&model=house-model", "model/?provider=openai&model=gpt-4.1",
        "model/?provider=deepseek&model=deepseek-v4-flash", f"{own.pk}/edit/", "discount/", "refresh/", "reprice/",
        f"reprice/{counting.pk}/", f"reprice/{waiting.pk}/",
    ]  # fmt: skip


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_serious_and_nothing_is_too_wide(
    signed_in: Any, live_server: Any, theme: str, width: int
) -> None:
    page = signed_in
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size({"width": width, "height": 900})
    for path in paths():
        page.goto(f"{live_server.url}/settings/prices/{path}")
        page.evaluate("document.querySelectorAll('#main details').forEach((one) => { one.open = true; })")
        assert axe_findings(page) == [], path
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, path


def test_a_price_is_set_by_keyboard_with_its_meaning_and_undone(signed_in: Any, live_server: Any) -> None:
    page = signed_in
    page.goto(live_server.url + "/settings/prices/")
    page.get_by_role("link", name="Set a price for house-model").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/new/?**")
    page.locator("#id_input").focus()
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    page.keyboard.type("10")
    page.keyboard.press("Tab")
    page.locator("#meaning").get_by_text(
        "A typical call of the last 30 days would cost $0.003; it has no price"
    ).wait_for()
    page.locator("#id_input").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Price saved.").wait_for()
    assert PriceEntry.objects.filter(model="house-model", superseded_at=None).count() == 1
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("is as it was before").wait_for()
    assert not PriceEntry.objects.filter(model="house-model", superseded_at=None).exists()


def test_a_run_moves_by_itself_until_it_stands_still(signed_in: Any, live_server: Any) -> None:
    page, run = signed_in, a_preview()
    page.goto(f"{live_server.url}/settings/prices/reprice/{run.pk}/")
    page.get_by_role("heading", name="Being counted").wait_for()
    tasks.preview_reprices()
    page.get_by_text("4 calls would cost $0.01.").wait_for(timeout=8000)
    assert page.locator("#run").get_attribute("hx-trigger") is None
    page.get_by_role("button", name="Price 4 calls").click()
    page.get_by_role("heading", name="Being written").wait_for()
    tasks.carry_out_reprices()
    page.get_by_text("4 calls priced anew").wait_for(timeout=8000)


def test_prices_are_set_and_priced_anew_without_javascript(chromium: Any, company: User, live_server: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url + "/settings/prices/new/?provider=acme&model=house-model&from=2026-01-01")
    page.fill("#id_username", "lena")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.fill("#id_input", "cheap")
    page.get_by_role("button", name="Save price").click()
    assert "Write the price like 2.50" in page.locator("#input-err").inner_text()
    page.fill("#id_input", "2")
    page.fill("#id_output", "10")
    page.get_by_role("button", name="What would it mean?").click()
    assert "A typical call" in page.locator("#meaning").inner_text()
    page.get_by_role("button", name="Save price").click()
    page.get_by_role("link", name="Price past calls").first.click()
    page.fill("#id_first_day", (timezone.now() - timedelta(days=2)).date().isoformat())
    page.get_by_role("button", name="Show what would change").click()
    tasks.preview_reprices()
    page.get_by_role("link", name="Look again").click()
    page.get_by_role("button", name="Price 4 calls").click()
    tasks.carry_out_reprices()
    page.get_by_role("link", name="Look again").click()
    assert "4 calls priced anew" in page.locator("#run").inner_text()
    context.close()
