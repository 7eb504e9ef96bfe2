"""Every page there is, in Chromium: both themes and widths, by keyboard alone, without JavaScript. Slow part."""

import os
from pathlib import Path

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone

from tests.browser import axe_findings
from tests.company import one_of_everything, pages

pytestmark = [pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("TOKENOPS_SHOTS")  # a folder: what each page looks like is kept there
# Reached only signed out, or on the way of another test: the sign-in page, what a merge of budgets previews.
NOT_LISTED = {"sign-in"}
VISIBLE = """
() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary')].filter(el => {
    const box = el.getBoundingClientRect();
    const radio = el.type === 'radio' && !el.checked && document.querySelector(`input[name="${el.name}"]:checked`);
    return box.width && box.height && !el.disabled && el.type !== 'hidden' && !radio && el.tabIndex >= 0
        && getComputedStyle(el).visibility !== 'hidden' && !el.closest('details:not([open]) > :not(summary)');
}).length
"""
TABBED = """
() => {
    const el = document.activeElement;
    if (!el || el === document.body) return null;
    const style = getComputedStyle(el);
    // Further parts of a date field have a ring of their own inside it.
    const ring = el.dataset.tabbed || style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    el.dataset.tabbed = '1';
    return [el.tagName, el.className, ring];
}
"""


@pytest.fixture
def made():
    return one_of_everything(timezone.now())


@pytest.fixture
def every(made):
    return pages(made, timezone.now().date())


@pytest.fixture
def session(made):
    client = Client()
    client.force_login(made.user)
    return client.cookies["sessionid"].value


def named_addresses(resolver=None, before=""):
    """(name, route) of every address outside the API and the admin."""
    for one in (resolver or get_resolver()).url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            if not route.startswith("admin"):
                yield from named_addresses(one, route)
        elif isinstance(one, URLPattern) and not route.startswith(("api/v1", "api/schema", ".well-known")):
            yield one.name, route


def test_every_page_answers_and_none_is_missing_from_the_list(every, made):
    client = Client()
    client.force_login(made.user)
    answers = {path: client.get(path) for path in every}
    wrong = [f"{path}: {one.status_code}" for path, one in answers.items() if one.status_code != 200]
    assert not wrong, "\n".join(wrong)
    assert [path for path, one in answers.items() if b"<html" not in one.content] == []
    missing = []
    listed = {resolve(path.split("?")[0]).url_name for path in every}
    kwargs = {
        "slug": "ad-copy",
        "pk": 1,
        "entry": 1,
        "first": 1,
        "last": 1,
        "told": 1,
        "child": "pool-child",
        "year": 2026,
    }
    kwargs |= {"key": "usage", "step": "usage", "what": "skip", "token": "x", "together": "x", "entries": "1"}
    for name, route in named_addresses():
        if name in listed or name in NOT_LISTED:
            continue
        path = "/" + route
        for key, value in kwargs.items():
            for kind in ("short_name", "int", "slug", "str", "workflow_name"):
                path = path.replace(f"<{kind}:{key}>", str(value))
        answer = client.get(path)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        whole = answer.status_code == 200 and b"<html" in body
        missing += [(name, path)] if whole else []
    assert missing == []


def open_context(chromium, session, url, **options):
    context = chromium.new_context(locale="en-US", **options)
    context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
    return context


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_console_policy_and_width(chromium, session, every, live_server, theme, width):
    from tests.browser import listen

    context = open_context(chromium, session, live_server.url, viewport={"width": width, "height": 900})
    context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page = context.new_page()
    problems = listen(page)
    found = {}
    for path in every:
        page.goto(live_server.url + path)
        page.wait_for_timeout(50)
        wrong = axe_findings(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append("wider than the window")
        wrong += problems
        problems.clear()
        if wrong:
            found[path] = wrong
        if SHOTS:
            keep_shot(page, f"{theme}-{width}", path)
    context.close()
    assert not found, "\n".join(f"{path}: {wrong}" for path, wrong in found.items())


def keep_shot(page, variant, path):
    folder = Path(SHOTS, variant)
    folder.mkdir(parents=True, exist_ok=True)
    name = path.strip("/").replace("/", "_").replace("?", "--") or "overview"
    page.screenshot(path=folder / f"{name}.png", full_page=True)


@pytest.mark.browser
def test_the_keyboard_reaches_everything_that_can_be_clicked(chromium, session, every, live_server):
    context = open_context(chromium, session, live_server.url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    found = {}
    for path in every:
        page.goto(live_server.url + path)
        wanted = page.evaluate(VISIBLE)
        without_ring = set()
        for _ in range(wanted + 40):
            page.keyboard.press("Tab")
            now = page.evaluate(TABBED)
            if now is None:
                break
            if not now[2]:
                without_ring.add(f"{now[0]}.{now[1]}")
        missed = page.evaluate(
            "() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary')].filter(el =>"
            " !el.dataset.tabbed && el.tabIndex >= 0 && !el.disabled && el.getBoundingClientRect().width"
            " && getComputedStyle(el).visibility !== 'hidden' && el.type !== 'radio' && el.type !== 'hidden'"
            " && !el.closest('details:not([open]) > :not(summary)')).map(el => el.outerHTML.slice(0, 90))"
        )
        if missed or without_ring:
            found[path] = (missed[:5], sorted(without_ring))
    context.close()
    assert not found, "\n".join(f"{path}: {wrong}" for path, wrong in found.items())


@pytest.mark.browser
def test_every_page_works_without_javascript(chromium, session, every, live_server):
    context = open_context(chromium, session, live_server.url, java_script_enabled=False)
    page = context.new_page()
    for path in every:
        answer = page.goto(live_server.url + path)
        assert answer.status == 200, path
        assert page.locator("h1").count() == 1, path
        buttons = page.locator("main button:not(.needs-js):not(.legend button)")
        for n in range(buttons.count()):
            button = buttons.nth(n)
            if button.is_visible():
                assert button.locator("xpath=ancestor::form").count() or button.get_attribute("form"), (
                    path,
                    button.inner_text(),
                )
    context.close()
