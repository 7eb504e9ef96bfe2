"""The whole path of a new user, in Chromium, on the real processes: from the set-up list to a mended event. Slow part.

One test after the other on one installation, as one person would go through it.
"""

import json
import re
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from tests.browser import axe_findings, listen

pytestmark = [pytest.mark.browser, pytest.mark.server]
PASSWORD = "correct horse battery"
# Chromium writes each 422 to the console; htmx does so for a poll that leaving the page cut short.
EXPECTED = re.compile(r"status of 422|htmx:(afterRequest|sendAbort),")
FILE = (
    "id,time,model,provider,workflow,input_tokens,output_tokens\n"
    "old-1,{day}T10:00:00Z,gpt-4o-mini,openai,seo-briefs,100000,20000\n"
    "old-2,yesterday,gpt-4o-mini,openai,seo-briefs,1,1\n"
    "old-3,{day}T11:00:00Z,gpt-4o-mini,openai,seo-briefs,-5,1\n"
)


@pytest.fixture(scope="module")
def own(start_stack):
    """An installation that nobody has used: on BROKER_URL, or on files."""
    import os

    return start_stack(os.environ.get("BROKER_URL") or "filesystem://")


@pytest.fixture(scope="module")
def person(chromium, own):
    """A signed-in page, the same for all steps; no console error and no violated policy at the end."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    page = context.new_page()
    problems = listen(page)
    page.goto(own.base_url + "/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(own.base_url + "/")
    page.own = own
    yield page
    context.close()
    assert [one for one in problems if not EXPECTED.search(one)] == []


def send(stack, key, **event):
    """One event over HTTP; the answer's status and body."""
    body = json.dumps({"time": datetime.now(UTC).isoformat()} | event).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{stack.base_url}/api/v1/events", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as problem:
        return problem.code, json.load(problem)


def reload_until(page, text, seconds=30):
    """Reload until the text is there: what a worker does meanwhile takes a moment."""
    deadline = time.monotonic() + seconds
    while text not in page.locator("#main").inner_text():
        assert time.monotonic() < deadline, f"“{text}” never came:\n{page.locator('#main').inner_text()[:3000]}"
        page.wait_for_timeout(200)
        page.reload()


def press(page, name):
    """A button, by keyboard."""
    page.get_by_role("button", name=name).first.press("Enter")


@pytest.fixture(scope="module")
def key(person):
    """Made on the set-up list and read off the one page that shows it."""
    person.get_by_role("link", name="Start setting up").click()
    person.get_by_role("heading", name="Set up TokenOps").wait_for()
    press(person, "That is right")
    person.locator("#id_name").fill("Content gateway")
    press(person, "Make a key")
    secret = person.locator("#secret").inner_text().strip()
    assert secret.startswith("tok_")
    assert axe_findings(person) == []
    return secret


def test_the_first_event_is_seen_arriving(person, key):
    status, answer = send(
        person.own, key, id="first", workflow="seo-briefs", provider="openai", model="gpt-4o-mini",
        input_tokens=1_000_000, output_tokens=100_000,
    )  # fmt: skip
    assert (status, answer["accepted"]) == (200, 1)
    person.locator("#arrival .pill.ok").wait_for()  # the line renews itself
    assert "workflow seo-briefs, model gpt-4o-mini, $0.21" in person.locator("#arrival").inner_text()
    assert key not in person.goto(person.own.base_url + "/welcome/?step=usage").text()
    press(person, "Send a test call")
    person.get_by_text("The test call was taken.").wait_for()


def test_the_workflow_is_claimed(person, key):
    person.goto(person.own.base_url + "/workflows/unassigned/")
    reload_until(person, "$0.21")
    press(person, "Claim seo-briefs for me")
    person.get_by_text(re.compile("seo-briefs.*(yours|claimed)", re.I)).first.wait_for()
    person.goto(person.own.base_url + "/workflows/")
    assert "$0.21" in person.get_by_role("row").filter(has_text="seo-briefs").inner_text()


def test_a_budget_is_set_with_an_error_on_the_way(person, key):
    person.goto(person.own.base_url + "/budgets/new/?workflow=seo-briefs")
    person.fill("#id_name", "SEO briefs")
    person.locator("#id_amount").press_sequentially("0,5")
    person.locator("#amount-err").get_by_text("Write the amount like 1,500 or 1500.50.").wait_for()
    person.fill("#id_amount", "0.50")
    person.locator("#meaning").get_by_text("$0.50").first.wait_for()
    person.locator("input[name=on_exhausted][value=block]").check()
    press(person, "Save budget")
    person.get_by_role("heading", name="SEO briefs", level=1).wait_for()
    reload_until(person, "$0.21 of $0.50")


def test_it_is_exceeded_and_its_calls_are_stopped(person, key):
    send(
        person.own, key, id="second", workflow="seo-briefs", provider="openai", model="gpt-4o-mini",
        input_tokens=2_000_000, output_tokens=100_000,
    )  # fmt: skip
    reload_until(person, "It has run out")
    assert "$0.57 of $0.50" in person.locator("#main").inner_text()
    blocked = bundle(person.own, key)["blocked"]
    assert [one["scope"] for one in blocked] == [{"workflow": "seo-briefs"}]


def bundle(stack, key):
    request = urllib.request.Request(
        f"{stack.base_url}/api/v1/policy-bundle", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_the_budget_is_paused_and_that_is_undone(person, key):
    press(person, "Pause")
    person.get_by_text("is paused: still counted").wait_for()
    deadline = time.monotonic() + 10
    while bundle(person.own, key)["blocked"] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert bundle(person.own, key)["blocked"] == []
    press(person, "Undo")
    person.get_by_text("is as it was before").wait_for()
    deadline = time.monotonic() + 10
    while not bundle(person.own, key)["blocked"] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(bundle(person.own, key)["blocked"]) == 1


def test_past_usage_is_imported_with_errors_and_taken_back(person, key):
    person.goto(person.own.base_url + "/settings/imports/")
    day = (datetime.now(UTC) - timedelta(days=40)).date()
    person.set_input_files(
        "#id_file", {"name": "past.csv", "mimeType": "text/csv", "buffer": FILE.format(day=day).encode()}
    )
    press(person, "Upload and look at it")
    person.get_by_role("heading", name="Which column is what").wait_for()
    press(person, "Check the file")
    person.get_by_role("heading", name="What it would bring").wait_for()
    assert "“yesterday” is not a date" in person.locator("#main").inner_text()
    press(person, re.compile("Import the (1 )?good line"))
    person.get_by_text(re.compile("1 line (was|were) brought in")).wait_for()
    person.get_by_text("Take this import back").press("Enter")
    press(person, "Undo this import")
    person.get_by_text("Taken back.").wait_for()
    assert "no difference" in person.own.manage("check_ledger").lower() or person.own.manage("check_ledger")


def test_a_model_gets_its_price_and_past_calls_too(person, key):
    send(
        person.own, key, id="own-1", workflow="seo-briefs", provider="acme", model="house-model",
        input_tokens=1_000_000, output_tokens=0,
    )  # fmt: skip
    person.goto(person.own.base_url + "/settings/prices/")
    reload_until(person, "house-model")
    person.get_by_role("link", name="Set a price for house-model").press("Enter")
    person.locator("#id_input").fill("3")
    person.locator("#id_output").fill("9")
    press(person, "Save price")
    person.get_by_role("link", name=re.compile("Price past calls")).first.press("Enter")
    press(person, "Show what would change")
    press(person, "Price 1 call")
    person.get_by_text("$3.00").first.wait_for()
    person.goto(person.own.base_url + "/workflows/seo-briefs/")
    reload_until(person, "$3.57")


def test_a_refused_event_is_mended_and_sent_again(person, key):
    status, _ = send(person.own, key, id="bad-1", workflow="seo-briefs", provider="openai", input_tokens=5)
    assert status in {207, 422}
    person.goto(person.own.base_url + "/data/quarantine/")
    reload_until(person, "bad-1")
    person.get_by_role("link", name=re.compile("bad-1")).first.press("Enter")
    body = json.loads(person.locator("#id_body").input_value())
    person.locator("#id_body").fill(json.dumps(body | {"model": "gpt-4o-mini", "output_tokens": 0}))
    press(person, "Save and send again")
    person.get_by_text(re.compile("Taken: 1 event")).wait_for()
    person.goto(person.own.base_url + "/data/quarantine/")
    assert "bad-1" not in person.locator("#main").inner_text()


def test_everything_is_in_the_history_and_everything_adds_up(person, key):
    person.goto(person.own.base_url + "/history/")
    text = person.locator("#main").inner_text()
    for word in ("SEO briefs", "house-model", "past.csv", "Content gateway"):
        assert word in text, word
    assert axe_findings(person) == []
    person.own.manage("check_ledger")
    person.own.manage("verify_history")
