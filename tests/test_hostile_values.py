"""Whatever stands in a query string, a form or an address: a page with a sentence, never a fault."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from tests.addresses import addresses
from tests.company import one_of_everything, pages

pytestmark = [pytest.mark.site, pytest.mark.django_db]

# Every name that some page reads from its query string or its form.
NAMES = (
    "page", "q", "period", "month", "year", "status", "sort", "chart", "from", "to", "team", "workflow", "model",
    "provider", "origin", "act", "who", "kind", "into", "field", "copy", "view", "before", "next", "back", "step",
    "scope", "metric", "amount", "name", "slug", "reason", "day", "at", "first_day", "last_day", "per_dollar", "owner",
    "currency", "text", "pick", "all", "version", "edit_version", "seen", "percent", "thresholds", "share", "weight",
    "time_zone", "starts_at", "ends_at", "starts_on", "ends_on", "recurrence", "factor", "expects", "body", "file",
    "input", "output", "valid_from", "valid_to", "scopes", "expires", "expires_at", "source", "sources", "code", "only",
    "tab", "cost", "vendor", "first", "last", "together", "entries", "pk", "id", "ids", "description", "overlap",
    "stages", "cost_centre", "ledger_code", "value_weight", "guardrails", "unit", "service_tier", "column_time",
    "after", "state", "rule", "own", "trigger", "until", "urgent", "channels", "steps", "days", "hours", "minutes",
    "dimension", "value", "window", "minimum", "budget", "over_by", "preview", "options", "row",
)  # fmt: skip
HOSTILE = (
    "\0", "a\0b", "9" * 30, "9" * 5_000, "-1", "-9223372036854775809", "999999999999", "1e999999", "NaN",
    "Infinity", "-", "٣", "\ufffd", "\u202e\U0010ffff\u0085", "²", "1_000", "x" * 20_000, "0000-00-00",
    "9999-12-31", "0001-01-01", "9999-12", "[]", "{", "%s", "'\"<script>", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(lasting, django_db_blocker):
    with django_db_blocker.unblock():
        return one_of_everything(timezone.now())


@pytest.fixture
def client(made):
    client = Client(raise_request_exception=False)
    client.force_login(made.user)
    return client


def faulty(answer):
    try:
        if answer.streaming:
            b"".join(answer.streaming_content)
    except Exception:
        return True
    return answer.status_code >= 500


# Every name with another value, and each in turn with others: every value at every address would take an hour.
MIXED = [{name: HOSTILE[(n + turn * 7) % len(HOSTILE)] for n, name in enumerate(NAMES)} for turn in range(3)]
# Alike for all: what no column stores, and more digits than Python makes a number of.
MIXED += [dict.fromkeys(NAMES, "\0"), dict.fromkeys(NAMES, "9" * 5_000)]
NAMED = ["first", "second", "third", "nul", "digits"]
ODD_JSON = [[], {}, [[]], None, True, 1e308, -1, 10**40, "\0"]


@pytest.mark.parametrize("mixed", MIXED, ids=NAMED)
def test_no_query_string_is_too_much(client, made, mixed):
    paths = [path for name, path in addresses(made) if name not in {"readyz", "jwks"}]
    wrong = [path for path in paths if faulty(client.get(path, mixed))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("mixed", MIXED, ids=NAMED)
def test_no_form_is(client, made, mixed):
    paths = [path for name, path in addresses(made) if name not in {"readyz", "jwks", "sign-out"}]
    wrong = [path for path in paths if not path.startswith("/api/") and faulty(client.post(path, mixed))]
    assert not wrong, "\n".join(wrong)


def test_no_json_is(client, made):
    odd = {name: ODD_JSON[n % len(ODD_JSON)] for n, name in enumerate(NAMES)}
    wrong = []
    for body in (odd, [odd], "text", None, MIXED[0], MIXED[3], MIXED[4]):
        for _, path in addresses(made):
            if path.startswith("/api/v1/"):
                for method in ("post", "patch"):
                    answer = getattr(client, method)(path, json.dumps(body), content_type="application/json")
                    wrong += [f"{method} {path}"] if faulty(answer) else []
    assert not wrong, "\n".join(wrong)


def test_no_address_is(client, made):
    wrong = []
    for big in ("0", "9223372036854775808", "9" * 5_000):
        for _, path in addresses(made):
            parts = [big if part.isdecimal() else part for part in path.split("/")]
            address = "/".join(parts)
            if address != path:
                wrong += [address] if faulty(client.get(address)) or faulty(client.post(address)) else []
    assert not wrong, "\n".join(wrong)


def test_every_page_of_the_list_survives_a_long_line(client, made):
    text = "y" * 1_000_000
    wrong = [path for path in pages(made, timezone.now().date()) if faulty(client.get(path, {"q": text, "page": text}))]
    assert not wrong, "\n".join(wrong)
