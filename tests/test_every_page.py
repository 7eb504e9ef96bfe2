"""Every page there is, in Chromium: both themes and widths, by keyboard alone, without JavaScript. Slow part."""

import os
from pathlib import Path

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone

from tests.browser import COLOUR_RULES, axe_findings, settle
from tests.company import one_of_everything, pages

pytestmark = [pytest.mark.site, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("TOKENOPS_SHOTS")  # a folder: what each page looks like is kept there
AT_ONCE = 10  # presses of the tab key before the page is asked
PARTS = 4  # of the list of pages, so that two processes have as much to do
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
# Asked after several presses of the key: each element that had the focus notes whether it had a ring then.
WATCH_FOCUS = """
() => {
    window.unringed = [];
    document.addEventListener('focusin', event => {
        const el = event.target, style = getComputedStyle(el);
        if (el.dataset.tabbed === undefined && !(style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0))
            window.unringed.push(`${el.tagName}.${el.className}`);
        el.dataset.tabbed = Number(el.dataset.tabbed || 0) + 1;
    });
}
"""
# At the end the focus leaves what is looked at, or begins again.
ROUND = """
(within) => !document.activeElement || document.activeElement === document.body
    || Number(document.activeElement.dataset.tabbed) > 1 || !document.activeElement.closest(within)
"""
MISSED = """
(within) => [...document.querySelector(within).querySelectorAll('a[href], button, input, select, textarea, summary')]
    .filter(el => !el.dataset.tabbed && el.tabIndex >= 0 && !el.disabled && el.getBoundingClientRect().width
        && getComputedStyle(el).visibility !== 'hidden' && el.type !== 'radio' && el.type !== 'hidden'
        && !el.closest('details:not([open]) > :not(summary)')).map(el => el.outerHTML.slice(0, 90))
"""
BEGIN_WITHIN = """
(within) => { const main = document.querySelector(within); main.tabIndex = -1; main.focus(); }
"""
WITHOUT_FORM = """
() => [...document.querySelectorAll('main button:not(.needs-js):not(.legend button)')].filter(el =>
    el.getBoundingClientRect().width && getComputedStyle(el).visibility !== 'hidden'
    && !el.closest('form') && !el.getAttribute('form')).map(el => el.innerText)
"""


@pytest.fixture(scope="module")
def made(committed, django_db_blocker):
    with django_db_blocker.unblock():
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
    kwargs |= {"provider_id": "company", "uidb36": "1"}
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


def shown(page, problems, rules=None):
    """What is wrong with the page as it stands; `rules`: axe's, if not all."""
    wrong = axe_findings(page, rules=rules)
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        wrong.append("wider than the window")
    wrong += problems
    problems.clear()
    return wrong


# What the button with the sun and the moon does, but for the cookie, which is the next page's.
OTHER_THEME = """(theme) => {
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event('tokenops:theme'));
    return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


@pytest.mark.browser
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("width", "themes"), [(1440, ("light", "dark")), (390, ("dark", "light"))])
def test_axe_console_policy_and_width(chromium, session, every, live_server, width, themes, part):
    """Each page is opened in the first theme, by its cookie, and switched to the other where it stands."""
    from tests.browser import listen

    first, other = themes
    context = open_context(chromium, session, live_server.url, viewport={"width": width, "height": 900})
    context.add_cookies([{"name": "theme", "value": first, "url": live_server.url}])
    page = context.new_page()
    problems = listen(page)
    found = {}
    for path in every[part::PARTS]:
        page.goto(live_server.url + path)
        settle(page)
        assert page.locator("html").get_attribute("data-theme") == first, path
        for theme in themes:
            if theme == other:
                page.evaluate(OTHER_THEME, other)
            wrong = shown(page, problems, COLOUR_RULES if theme == other else None)
            if wrong:
                found[f"{path} {theme}"] = wrong
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
@pytest.mark.parametrize("part", range(2))
def test_the_keyboard_reaches_everything_that_can_be_clicked(chromium, session, every, live_server, part):
    """The frame with its menu is the same on each page: it is walked once, from then on only what is within it."""
    context = open_context(chromium, session, live_server.url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    found = {}
    for number, path in enumerate(every[part::2]):
        within = "main" if number else "body"
        page.goto(live_server.url + path)
        settle(page)  # a card that is swapped in takes the focus with it
        page.evaluate(WATCH_FOCUS)
        if number:
            page.evaluate(BEGIN_WITHIN, within)
        for _ in range(0, page.evaluate(VISIBLE) + 40, AT_ONCE):
            for _ in range(AT_ONCE):
                page.keyboard.press("Tab")
            if page.evaluate(ROUND, within):
                break
        without_ring = page.evaluate("window.unringed")
        missed = page.evaluate(MISSED, within)
        if missed or without_ring:
            found[path] = (missed[:5], without_ring)
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
        assert page.evaluate(WITHOUT_FORM) == [], path
    context.close()
