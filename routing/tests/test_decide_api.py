"""`POST /api/v1/decide`: the SDK's answer over HTTP, on every vector and on a bundle compiled from real rows."""

import hashlib
import json
from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from tokenops_sdk import Prepared, decide, verify
from tokenops_sdk.wire import read_request, write_decision

from budgets.access.keys import KeyHolder
from budgets.models import Budget, BudgetState, Organisation, Team, Workflow
from routing.bundle import compile as compiling
from routing.bundle.compile import compile_if_changed
from routing.bundle.freshness import freshness_token
from routing.bundle.signing import active_key, jwks
from routing.decision import current
from routing.models import BundleEpoch, PolicyBundle, SigningKey
from sdk.tests import vectors
from tests.people import someone

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/decide"


def key(*scopes: str, team: Team | None = None) -> KeyHolder:
    teams = (frozenset({team.pk}), frozenset({team.slug})) if team else ()
    return KeyHolder(10**6, "gateway", 1, "gateway", (("gateway", 1),), frozenset(scopes), None, *teams)


@pytest.fixture
def ask(monkeypatch, client: Client):
    """ask(body, holder of a key) → the answer."""

    def ask(body, holder=None):
        holder = holder or key("bundle")
        monkeypatch.setattr("budgets.access.drf.find", lambda bearer: holder)
        text = body if isinstance(body, str) else json.dumps(body)
        return client.post(ADDRESS, text, content_type="application/json", headers={"authorization": "Bearer x"})

    return ask


def publish(document: dict) -> None:
    PolicyBundle.objects.all().delete()
    body = json.dumps(document).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    PolicyBundle.objects.create(epoch=1, revision=1, content_digest="", etag=etag, body=body, signature="")


def test_the_server_answers_every_vector_as_the_sdk_does(ask, monkeypatch):
    """Those of a bundle that is not vouched for are the client's: the server asks its own database."""
    together = defaultdict(list)
    for one in vectors.vectors():
        if one["fresh"]:
            together[json.dumps([one["bundle"], one["now"]], sort_keys=True)].append(one)
    assert sum(len(group) for group in together.values()) > 290
    for said, group in together.items():
        bundle, now = json.loads(said)
        publish(vectors.document(bundle))
        monkeypatch.setattr("routing.decision.api.timezone.now", lambda now=now: datetime.fromisoformat(now))
        answer = ask([one["request"] for one in group])
        assert answer.status_code == 200, answer.content
        assert answer.json() == [one["decision"] for one in group]


@pytest.fixture
def company(monkeypatch):
    """Rows of every kind that a decision reads, compiled."""
    monkeypatch.setattr(compiling, "APART", timedelta(0))
    BundleEpoch.objects.get_or_create(id=1)
    growth, support = (
        Team.objects.create(slug="growth", name="Growth"),
        Team.objects.create(slug="support", name="Help"),
    )
    seo = Workflow.objects.create(
        slug="seo",
        name="SEO",
        team=growth,
        default_tier=2,
        guardrails={"max_input_tokens": 4000, "max_output_tokens": 900},
    )
    Workflow.objects.create(slug="answers", name="Answers", team=support)
    Workflow.objects.create(slug="old", name="Old", status="merged", merged_into=seo)
    budget = Budget.objects.create(
        slug="spring", name="Spring", scope={"team": "growth", "tag": "campaign=spring"}, amount=10**9,
        on_exhausted="downgrade", action_settings={"tier": 1},
    )  # fmt: skip
    first = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ends = (first + timedelta(days=40)).replace(day=1)
    BudgetState.objects.create(
        budget=budget, period_start=first.date(), period_end=ends.date() - timedelta(days=1), starts_at=first,
        ends_at=ends, limit=10**9, spent=2 * 10**9, status="exhausted", crossed=100,
    )  # fmt: skip
    Workflow.objects.create(slug="off", name="Off", team=support, paused_at=timezone.now(), pause_reason="Loops.")
    assert compile_if_changed() is not None
    return growth, support


CALLS = [
    {"workflow": "seo", "input_tokens": 1000, "output_tokens": 500},
    {"workflow": "old", "input_tokens": 5000, "max_output_tokens": 2000, "tags": {"campaign": "spring"}},
    {"workflow": "seo", "tier": 3},
    {"workflow": "off"},
    {"workflow": "nobody-knows", "model": "gizmo", "team": "growth", "tags": {"campaign": "spring"}},
    {},
]


def test_the_sdk_says_the_same_of_a_bundle_compiled_from_rows(ask, company, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("routing.decision.api.timezone.now", lambda: now)
    row = PolicyBundle.objects.get()
    version, digest, lasts = (row.epoch, row.revision), row.etag.strip('"'), timedelta(minutes=5)
    token = freshness_token(version, digest, audience="tokenops", confirmed_at=now, lasts=lasts, key=active_key())
    keys = json.loads(jwks(SigningKey.objects.values_list("public", flat=True)))
    bundle = verify(bytes(row.body), row.signature, jwks=keys, audience="tokenops", freshness=token, now=now)
    expected = [write_decision(decide(bundle, read_request(one), now)) for one in CALLS]
    assert ask(CALLS).json() == expected
    assert [ask(one).json() for one in CALLS] == expected
    assert [one["action"] for one in expected] == [
        "allow", "summarize", "require_approval", "block", "downgrade", "allow",
    ]  # fmt: skip
    assert expected[1]["workflow"] == "seo" and expected[1]["tier"] == 1
    assert [reason["code"] for reason in expected[1]["reasons"]] == [
        "input_too_long", "output_capped", "budget_exhausted",
    ]  # fmt: skip


def test_one_statement_and_nothing_written(ask, company, django_assert_num_queries):
    ask(CALLS[0])
    with django_assert_num_queries(1):
        ask(CALLS)


def test_a_bundle_is_laid_out_once_per_revision(ask, company, monkeypatch):
    ask(CALLS[0])
    made = []
    monkeypatch.setattr(current, "Prepared", lambda document: made.append(document) or Prepared(document))
    ask(CALLS[0])
    assert made == []
    Workflow.objects.filter(slug="answers").update(paused_at=timezone.now())
    assert compile_if_changed() is not None
    assert ask({"workflow": "answers"}).json()["action"] == "block"
    assert len(made) == 1


def test_what_is_wrong_is_said_by_field(ask, company):
    answer = ask({"workflow": 7, "run": {"steps": -1}, "modle": "x"})
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert set(answer.json()["errors"]) == {"workflow", "run.steps", "modle"}
    assert set(ask([{}, {"tier": 0}]).json()["errors"]) == {"1.tier"}
    for said in ("[]", "[" + ",".join(["{}"] * 101) + "]", "3", '"x"', "null", "[1]"):
        assert ask(said).status_code == 422, said
    assert ask("{").status_code == 400
    assert ask([{}] * 100).status_code == 200


def test_before_the_first_bundle_the_answer_says_when_to_come_back(ask):
    answer = ask({})
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer.json()["detail"] == "The first policy bundle is not compiled yet."


def test_who_may_ask(ask, company, client):
    for scope in ("bundle", "read", "admin"):
        assert ask({}, key(scope)).status_code == 200
    for scope in ("ingest", "request"):
        assert ask({}, key(scope)).status_code == 403
    assert Client().post(ADDRESS, "{}", content_type="application/json").status_code == 401
    assert client.get(ADDRESS, headers={"authorization": "Bearer x"}).status_code == 403


@pytest.mark.parametrize("scope", ["bundle", "read", "admin"])
def test_a_key_of_a_team_asks_for_its_workflows_only(ask, company, scope):
    growth, _ = company
    own = key(scope, team=growth)
    assert ask([{"workflow": "seo"}, {"workflow": "old"}], own).status_code == 200
    for other in (
        {"workflow": "answers"},
        {"workflow": "nobody-knows"},
        {},
        [{"workflow": "seo"}, {"workflow": "off"}],
    ):
        assert ask(other, own).status_code == 404


def test_people_ask_for_what_they_may_see(company, client):
    growth, _ = company
    client.force_login(someone("viewer", growth, name="grow"))
    post = {"content_type": "application/json"}
    assert client.post(ADDRESS, json.dumps({"workflow": "seo"}), **post).status_code == 200
    assert client.post(ADDRESS, json.dumps({"workflow": "answers"}), **post).status_code == 404
    client.force_login(get_user_model().objects.create_user("nobody"))
    assert client.post(ADDRESS, json.dumps({"workflow": "seo"}), **post).status_code == 403


def test_the_api_page_describes_it(client):
    assert Organisation.get()
    said = client.get("/api/schema/?format=json").json()
    post = said["paths"][ADDRESS]["post"]
    one, many = post["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert one["properties"]["complexity"]["nullable"] is True and many["maxItems"] == 100
    answer = post["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][0]
    assert set(answer["required"]) == set(answer["properties"]) >= {"action", "allowed", "reasons", "changes"}
    assert "$ref" not in json.dumps(post)
