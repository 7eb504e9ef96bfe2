"""The browser fixtures see what they are there to see."""

import pytest

from tests.browser import axe_findings

pytestmark = pytest.mark.browser
POLICY = "default-src 'none'; script-src 'self'"
FINE = "<!doctype html><html lang=en><head><title>Fine</title></head><body><main><h1>Fine</h1></main></body></html>"


def show(page, body, policy=POLICY):
    def answer(route):
        route.fulfill(body=body, content_type="text/html", headers={"Content-Security-Policy": policy})

    page.route("http://made.test/**", answer)
    page.goto("http://made.test/")


def test_a_fine_page_has_no_problems(page):
    show(page, FINE)
    assert page.title() == "Fine"
    assert axe_findings(page) == []


def test_a_violation_of_the_policy_is_noticed(page):
    show(page, FINE.replace("<h1>", "<p style='color: red'>red</p><h1>"))
    page.wait_for_function("() => document.readyState === 'complete'")
    assert any("CSP violation: style-src" in problem for problem in page.problems)
    page.problems.clear()


def test_an_uncaught_exception_is_noticed(page):
    show(
        page, FINE.replace("</main>", "</main><script>throw new Error('oh no')</script>"), "default-src 'unsafe-inline'"
    )
    page.wait_for_function("() => document.readyState === 'complete'")
    assert any("oh no" in problem for problem in page.problems)
    page.problems.clear()


def test_axe_is_asked(page):
    show(page, FINE.replace("<h1>", "<img src='data:,'><h1>"), "img-src data:")
    assert any(found.startswith("image-alt (critical)") for found in axe_findings(page))
    page.problems.clear()
