"""Imports in Chromium: the path with errors, confirm and undo; axe, phone, keyboard, no JavaScript. Slow part."""

import os
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.browser import axe_findings, listen, settle
from usage.imports.tasks import check_imports, run_imports
from usage.models import Import, LedgerEntry
from usage.tests.events import price_the_model
from usage.tests.imports_made import SAMPLES, checked, first_rows, imported, taken

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "id,time,model,workflow,input_tokens,output_tokens,cost_usd\n" + "".join(
    f"call-{n},2026-11-{n:02}T10:00:00Z,test-model,SEO briefs,1200,300,0.01\n" for n in range(1, 21)
)
BAD = "call-90,yesterday,test-model,SEO briefs,1,1,\ncall-91,2026-11-02,test-model,SEO briefs,-3,1,\n"


@pytest.fixture
def boss():
    first_rows("Europe/Berlin")
    price_the_model()
    return User.objects.create_superuser("lena", first_name="Lena")


def signed_in(context, user, live_server):
    client = Client()
    client.force_login(user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    context.add_cookies([cookie])


def a_file(text=TEXT + BAD):
    return {"name": "october.csv", "mimeType": "text/csv", "buffer": text.encode()}


def test_upload_with_errors_confirm_and_undo(page, boss, live_server):
    signed_in(page.context, boss, live_server)
    page.goto(live_server.url + "/settings/imports/")
    page.set_input_files("#id_file", a_file())
    page.get_by_role("button", name="Upload and look at it").press("Enter")
    page.get_by_role("heading", name="Which column is what").wait_for()
    assert page.locator("#id_input_tokens").input_value() == "input_tokens"
    page.get_by_role("button", name="Check the file").press("Enter")
    page.get_by_role("heading", name="Checking the file").wait_for()
    check_imports()
    page.get_by_role("heading", name="What it would bring").wait_for()  # found by polling
    page.get_by_text("“yesterday” is not a date such as 2026-11-30.").wait_for()
    page.get_by_role("button", name="Import the 20 good lines, leave out 2 bad ones").press("Enter")
    page.get_by_role("heading", name="Importing").wait_for()
    run_imports()
    page.get_by_text("20 lines were brought in, 2 bad ones left out.").wait_for()
    page.get_by_text("Take this import back").press("Enter")
    page.get_by_role("button", name="Undo this import").press("Enter")
    page.get_by_role("heading", name="Taking it back").wait_for()
    run_imports()
    page.get_by_text("Taken back.").wait_for()
    assert LedgerEntry.objects.filter(kind=2).count() == 20


def test_the_same_without_javascript(chromium, boss, live_server):
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    signed_in(context, boss, live_server)
    page = context.new_page()
    problems = listen(page)
    page.goto(live_server.url + "/settings/imports/")
    page.set_input_files("#id_file", a_file())
    page.get_by_role("button", name="Upload and look at it").click()
    page.get_by_role("button", name="Check the file").click()
    check_imports()
    page.get_by_role("link", name="Look again").click()
    page.get_by_role("button", name=re.compile("Import the 20 good lines")).click()
    run_imports()
    page.get_by_role("link", name="Look again").click()
    assert page.get_by_text("20 lines were brought in").is_visible()
    context.close()
    assert problems == []


def every_state():
    """Addresses of an import in each of its states."""
    mapping = taken(TEXT + BAD, name="october.csv")
    known = taken((SAMPLES / "cursor.csv").read_bytes(), name="cursor-usage.csv")
    ready = checked(TEXT + BAD)
    done = imported(
        "id,time,model,workflow,input_tokens\nd1,2026-11-01,test-model,ads,5\nd2,2026-11-01,no-price,ads,5\n"
    )
    failed = checked("time,model\n")
    running = taken(TEXT)
    Import.objects.filter(pk=running.pk).update(status="running", rows=20_000, rows_done=8_300, bad=14)
    names = {"mapping": mapping, "known": known, "checked": ready, "done": done, "failed": failed, "running": running}
    return {"list": "/settings/imports/", **{name: f"/settings/imports/{run.pk}/" for name, run in names.items()}}


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])  # all four: test_every_page
def test_axe_finds_nothing_serious_in_any_state(page, boss, live_server, theme, width):
    signed_in(page.context, boss, live_server)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.set_viewport_size({"width": width, "height": 900})
    for name, path in every_state().items():
        page.goto(live_server.url + path)
        settle(page)
        if folder := os.environ.get("TOKENOPS_SHOTS"):
            page.screenshot(path=Path(folder) / f"imports-{name}-{width}-{theme}.png", full_page=True)
        assert axe_findings(page) == [], name
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wide), name


def test_refused_files_and_choices_say_so_in_place(page, boss, live_server):
    signed_in(page.context, boss, live_server)
    page.goto(live_server.url + "/settings/imports/")
    page.set_input_files("#id_file", {"name": "x.xlsx", "mimeType": "text/csv", "buffer": b"PK\x03\x04 sheet"})
    page.get_by_role("button", name="Upload and look at it").click()
    assert "save it as CSV" in page.get_by_role("alert").inner_text()
    assert axe_findings(page) == []
    page.set_input_files("#id_file", a_file())
    page.get_by_role("button", name="Upload and look at it").click()
    page.locator("#id_model").select_option("id")
    page.get_by_role("button", name="Check the file").click()
    page.get_by_text("A column can be one thing only.").wait_for()
    assert axe_findings(page) == []
    page.problems[:] = [one for one in page.problems if "422" not in one]
