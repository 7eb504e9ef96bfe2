"""docs/events.md says what the event is: every field, and examples that are taken."""

import json
import re
from pathlib import Path

from django.conf import settings

from usage.ingest.decode import decode
from usage.ingest.event import Event

PAGE = (Path(settings.BASE_DIR) / "docs" / "events.md").read_text()


def test_every_field_is_in_the_table_and_no_other() -> None:
    table = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`([a-z_]+)`", table))
    assert named == set(Event.__struct_fields__)


def test_the_first_example_is_taken() -> None:
    body = re.search(r"-d '(\{.*?\})' *$|-d '(\{.*?\n.*?\})'", PAGE, re.S)
    assert body is not None
    text = re.sub(r"'\"\$\(date [^)]*\)\"'", "2026-11-22T09:00:00Z", body.group(0)[4:-1])
    (item,) = decode(text.encode(), "application/json", {}, 1)
    assert item.refusal is None
    assert item.event is not None
    assert item.event.workflow == "seo-briefs"


def test_limits_are_the_settings_defaults() -> None:
    for name, shown in {
        "INGEST_MAX_BYTES": 8 * 2**20,
        "INGEST_MAX_EVENTS": 5_000,
        "INGEST_MAX_DISCOVERED": 5_000,
    }.items():
        assert name in PAGE
        assert getattr(settings, name) == shown
    assert settings.LEDGER_RETENTION_DAYS == 800


def test_the_answer_shown_is_json() -> None:
    shown = re.search(r"```json\n(.*?)```", PAGE, re.S)
    assert shown is not None
    assert [item["index"] for item in json.loads(shown.group(1))["items"]] == [1, 4]
