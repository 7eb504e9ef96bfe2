"""Headless Chromium for page tests: what the console says, what the content-security policy stops, what axe finds."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

AXE = Axe().axe_script
WATCH_POLICY = """
window.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@contextmanager
def chromium_browser(executable: str) -> Iterator[Browser]:
    """The machine's own Chromium; Playwright's browser builds are not downloaded."""
    sandbox = [] if os.geteuid() != 0 else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*sandbox, "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


def listen(page: Page) -> list[str]:
    """Console errors, uncaught exceptions and CSP violations of the page from now on, in one growing list."""
    problems: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
    page.add_init_script(WATCH_POLICY)
    return problems


BUSY = "Boolean(document.querySelector('.htmx-request'))"
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


def until(page: Page, script: str, seconds: float = 10) -> None:
    """Wait for a script to be true; Playwright's own waiting evaluates text in the page, which the policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(script):
        assert time.monotonic() < deadline, f"never true: {script}"
        page.wait_for_timeout(20)


def settle(page: Page) -> None:
    """Wait until the cards that the page fetches have come and been drawn."""
    until(page, f"!{BUSY}")
    page.evaluate(DRAWN)


COLOUR_RULES = ["color-contrast", "link-in-text-block"]  # all that a theme can break


def axe_findings(
    page: Page, impacts: tuple[str, ...] = ("serious", "critical"), rules: list[str] | None = None
) -> list[str]:
    """axe-core's violations of these impacts on the page as it stands: rule, and where. `rules`: no others."""
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(AXE)
    # Its whole report is megabytes, and bringing it here takes as long as making it.
    violations: list[dict[str, Any]] = page.evaluate(
        """rules => axe.run({resultTypes: ["violations"], ...(rules ? {runOnly: rules} : {})}).then(report =>
            report.violations.map(one => ({
                id: one.id, impact: one.impact, targets: one.nodes.slice(0, 5).map(node => String(node.target))})))""",
        rules,
    )
    return [
        f"{one['id']} ({one['impact']}): {', '.join(one['targets'])}" for one in violations if one["impact"] in impacts
    ]
