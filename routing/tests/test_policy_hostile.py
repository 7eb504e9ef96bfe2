"""What no form sends: every address of the policy answers with a sentence or a page, never with a fault."""

import json
from itertools import product
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from routing.bundle.compile import compile_if_changed
from routing.replay.take import ask, replay_waiting
from routing.tests.policies import ACTOR
from routing.tests.replaying import ENDS, STARTS, add_calls, company

pytestmark = [pytest.mark.site, pytest.mark.django_db]
BAD = ("\0", "-1", "9" * 40, "1e999", "NaN", "٣", "\ud83d", "'; --", "=1+1", "<script>", "x" * 5_000, "[]", "0")
DOCUMENTS = (
    None, [], 5, "x", {"rules": 1}, {"rules": [None]}, {"rules": [{"id": "\0", "name": "\0"}]},
    {"rules": [{"id": "a", "name": "a", "when": {"time_of_day": {"from": "25:00", "to": "x", "days": [0, 9, 9]}}}]},
    {"rules": [{"id": "a", "name": "a", "when": {"complexity": {"at_least": "9" * 400}}}]},
    {"rules": [{"id": "a", "name": "a", "when": {"input_tokens": {"at_least": 10**400}}}]},
    {"rules": [{"id": "a", "name": "a", "then": {"quality": "1e5", "cache": [None]}}]},
    {"tiers": [{"number": -1, "name": "", "models": [{"provider": "", "model": "x" * 999}]}]},
    {"daily_tokens": {"": -1, "\0": 10**40}}, {"otherwise": {"tier": 10**40}}, {"unlisted_models": None},
    {"unlisted_models": "\ud83d"}, {"\ud83d": 1}, {"rules": [{"\ud83d": 1}]}, {"daily_tokens": {"\ud83d": 0}},
    {"rules": [{"id": "\ud83d", "name": "a"}] * 2}, {"otherwise": {"cache": ["\ud83d"]}},
)  # fmt: skip


@pytest.fixture
def signed_in():
    client = APIClient()
    user = User.objects.create_superuser("lena", first_name="Lena")
    client.force_login(user)
    client.force_authenticate(user)
    return client


@pytest.fixture
def tried():
    """A draft with a preview of a few calls."""
    draft = company(1)
    add_calls(20)
    replay, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    replay_waiting()
    return draft, replay


def test_addresses(signed_in, tried):
    draft, replay = tried
    preview = f"/routing/drafts/{draft.pk}/preview/{replay.pk}/"
    asked = [
        ("/routing/try/", ("workflow", "stage", "asked", "input_tokens", "complexity", "tags", "operation", "draft")),
        (f"{preview}calls/", ("figure", "side", "workflow", "tier", "code", "rule", "page")),
        (f"/export{preview}calls.csv", ("figure", "side", "tier")),
        (preview, ("page",)),
        ("/export/policy-rules.csv", ("version", "draft")),
        ("/data/gateways/", ("q", "state", "page")),
        (f"/api/v1/policy/drafts/{draft.pk}/replays/{replay.pk}/calls", ("figure", "side", "tier", "page")),
        ("/api/v1/policy/versions/77/compare", ("with",)),
        ("/api/v1/policy/drafts", ("state", "page")),
    ]
    for path, names in asked:
        for name, bad in product(names, BAD):
            query = urlencode({name: bad}, errors="surrogatepass")
            assert signed_in.get(f"{path}?{query}").status_code < 500, (path, name, bad)


def sent(client, method, path, body):
    """As JSON in ASCII: any letter can be sent by its escape."""
    return client.generic(method, path, json.dumps(body), "application/json")


def test_documents_and_days(signed_in, tried):
    draft, _ = tried
    at = f"/api/v1/policy/drafts/{draft.pk}"
    for document in DOCUMENTS:
        begun = sent(signed_in, "POST", "/api/v1/policy/drafts", {"title": "Odd", "document": document})
        saved = sent(signed_in, "PUT", at, {"document": document, "edit_version": 1})
        assert {begun.status_code, saved.status_code} <= {400, 422}, document
    for name, bad in product(("first_day", "last_day", "workflow"), (*BAD, None, [], {}, "0001-01-01", "9999-12-31")):
        answer = sent(signed_in, "POST", f"{at}/replays", {name: bad})
        assert answer.status_code in {200, 202, 400, 422}, (name, bad)
    for name, bad in product(("edit_version", "over", "reason"), (*BAD[:7], None, [], 10**40, -1, True)):
        for path in (f"{at}/publish", "/api/v1/policy/versions/77/roll-back"):
            assert sent(signed_in, "POST", path, {name: bad}).status_code in {200, 201, 400, 409, 422}, (
                path,
                name,
                bad,
            )


def test_questions(signed_in, tried):
    compile_if_changed()
    names = ("workflow", "model", "tier", "input_tokens", "context", "run", "tags", "batch", "attempt", "\ud83d")
    for name, bad in product(names, (*BAD, None, [], {}, {"\ud83d": "\ud83d"}, [["x"]], 10**40, -1, 1.5, True)):
        for body in ({name: bad}, [{name: bad}]):
            assert sent(signed_in, "POST", "/api/v1/decide", body).status_code in {200, 400, 422}, body
    for body in (None, 5, "x", [], [[]], [None], [{}] * 101):
        assert sent(signed_in, "POST", "/api/v1/decide", body).status_code == 422, body
