"""The decision gives the answers that were worked out by hand; and what must hold of any answer."""

import ast
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import vectors
from hypothesis import given, settings
from hypothesis import strategies as some
from tokenops_sdk import Bundle, Prepared, Request, RunSoFar, decide, decide_prepared
from tokenops_sdk.asking import ACTIONS, MAY_CALL
from tokenops_sdk.decide import WORDS
from tokenops_sdk.rules import LISTS, SPANS
from tokenops_sdk.wire import RequestRefused, read_request, write_decision

VECTORS = vectors.vectors()
SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
BUNDLE = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "policy-bundle-v1.json").read_text()))
DECISION = json.loads((SCHEMAS / "decision-v1.json").read_text())
NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)


def of_decision(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**DECISION, "$ref": f"#/$defs/{name}"})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: f"{one['file']}: {one['name']}")
def test_vector(vector):
    document = vectors.document(vector["bundle"])
    BUNDLE.validate(document)
    of_decision("request").validate(vector["request"])
    of_decision("decision").validate(vector["decision"])
    request, now = read_request(vector["request"]), datetime.fromisoformat(vector["now"])
    assert (
        write_decision(decide_prepared(Prepared(document), request, now, fresh=vector["fresh"])) == vector["decision"]
    )


def codes_that_the_sdk_says() -> set[str]:
    """Every text in the modules of the decision that has a sentence."""
    folder = vectors.FOLDER.parent
    said = set()
    for name in ("decide.py", "limits.py", "switches.py"):
        for node in ast.walk(ast.parse((folder / name).read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in WORDS:
                said.add(node.value)
    return said


def test_nothing_is_left_without_a_vector():
    reasons = [reason for one in VECTORS for reason in one["decision"]["reasons"]]
    assert {reason["code"] for reason in reasons} == set(WORDS) == codes_that_the_sdk_says()
    assert {one["decision"]["action"] for one in VECTORS} == set(ACTIONS)
    conditions: Counter[str] = Counter()
    results: set[str] = set()
    for one in VECTORS:
        for rule in vectors.document(one["bundle"])["policy"]["rules"]:
            conditions.update(rule["when"].keys())
            results |= rule["then"].keys()
    assert set(conditions) == {*LISTS, *SPANS, "time_of_day"}
    assert min(conditions.values()) >= 2  # one that holds and one that does not
    assert results == set(json.loads((SCHEMAS / "policy-bundle-v1.json").read_text())["$defs"]["outcome"]["properties"])
    assert {change["kind"] for one in VECTORS for change in one["decision"]["changes"]} == {
        "grant", "reset", "resume", "shorten", "use", "budget",
    }  # fmt: skip
    assert len({one["name"] for one in VECTORS}) == len(VECTORS) >= 80


def test_every_action_of_budgets_and_every_limit_has_a_vector():
    found: set[tuple[str, str]] = set()
    limits: set[tuple[str, bool]] = set()
    for one in VECTORS:
        document = vectors.document(one["bundle"])
        found |= {(budget["on_exhausted"], budget["status"]) for budget in document["budgets"]}
        for workflow in document["workflows"].values():
            own = workflow["guardrails"]
            limits |= {(name, False) for name in own if name != "by_task_type"}
            limits |= {(name, True) for its in own.get("by_task_type", {}).values() for name in its}
    schema = json.loads((SCHEMAS / "policy-bundle-v1.json").read_text())["$defs"]
    assert {action for action, _ in found} == set(schema["budget"]["properties"]["on_exhausted"]["enum"])
    names = set(schema["limits"]["properties"])
    assert limits == {(name, by_type) for name in names for by_type in (False, True)}


def test_a_bundle_decides_by_its_own_freshness():
    document = vectors.document({"base": "agency", "patch": {"fail_mode": "block"}})
    bundle = Bundle((1, 42), "0" * 64, document, NOW)
    request = read_request({"workflow": "seo", "input_tokens": 1, "output_tokens": 1})
    assert decide(bundle, request, NOW + timedelta(seconds=5)).action == "allow"
    assert decide(bundle, request, NOW + timedelta(seconds=5, microseconds=1)).reasons[0].code == "stale_blocked"


def test_a_bundle_is_prepared_once_for_all_its_renewals():
    from dataclasses import replace

    bundle = Bundle((1, 42), "0" * 64, vectors.document("agency"), NOW)
    renewed = replace(bundle, fresh_until=NOW + timedelta(minutes=5))
    assert bundle.prepared is bundle.prepared is renewed.prepared
    other = replace(bundle, document=vectors.document("bare"))
    assert other.prepared is not bundle.prepared and not other.prepared.tiers
    assert bundle == renewed or bundle.fresh_until != renewed.fresh_until


# What must hold of any answer.

words = some.sampled_from
requests = some.builds(
    Request,
    workflow=words(["seo", "seo-old", "copy", "claims", "stray", ""]),
    run_id=words(["", "r-1", "r-2"]),
    step=some.none() | some.integers(1, 20),
    attempt=some.integers(1, 4),
    step_kind=words(["", "plan", "retrieve"]),
    stage=words(["", "draft", "publish"]),
    task_type=words(["", "extraction"]),
    environment=words(["", "production", "staging"]),
    operation=words(["", "chat", "completion", "embedding"]),
    user=words(["", "ann", "bob"]),
    team=words(["", "brand"]),
    tags=words([{}, {"campaign": "spring"}]),
    risk_flags=words([(), ("sensitive",), ("legal",)]),
    provider=words(["", "openai", "acme"]),
    model=words(["", "mini", "flash", "standard", "sonnet", "opus", "gizmo"]),
    tier=some.none() | some.integers(1, 5),
    input_tokens=some.none() | some.integers(0, 300_000),
    context=words([{}, {"history": 500, "retrieval": 900}]),
    output_tokens=some.none() | some.integers(0, 9_000),
    max_output_tokens=some.none() | some.integers(1, 9_000),
    run=some.builds(
        RunSoFar, steps=some.integers(0, 20), tokens=some.integers(0, 10**6), cost_nano=some.integers(0, 10**10)
    ),
    complexity=words([None, "0.2", "0.9"]),
    quality=words([None, "0.8", "0.99"]),
    latency_ms=words([None, 350, 1_000]),
    batch=some.booleans(),
    grant_id=words(["", "g-1", "g-2"]),
)  # fmt: skip
documents = some.sampled_from([json.dumps(vectors.document(one["bundle"])) for one in VECTORS]).map(json.loads)
freshness = some.booleans()


@settings(max_examples=300, deadline=None)
@given(documents, requests, freshness)
def test_any_answer(document, request, fresh):
    said = decide_prepared(Prepared(document), request, NOW, fresh=fresh)
    assert said == decide_prepared(Prepared(json.loads(json.dumps(document))), request, NOW, fresh=fresh)
    written = write_decision(said)
    of_decision("decision").validate(written)
    assert said.allowed == (said.action in MAY_CALL)
    if not said.allowed:
        assert (said.provider, said.model, said.fallbacks, said.leases, said.grant_id) == (None, None, (), (), None)
    assert said.action == max([reason.action for reason in said.reasons] or ["allow"], key=ACTIONS.index)
    assert said.action == "allow" or any(reason.action == said.action for reason in said.reasons)
    if said.max_output_tokens is not None and request.max_output_tokens is not None:
        assert said.max_output_tokens <= request.max_output_tokens


@settings(max_examples=200, deadline=None)
@given(documents, requests, some.integers(1, 3))
def test_a_downgrade_never_raises_the_tier(document, request, tier):
    document["budgets"] = []
    before = decide_prepared(Prepared(document), request, NOW)
    down = {
        "slug": "d", "name": "Dee", "scope": {}, "metric": "money", "period": "month", "limit": "1", "limit_version": 1,
        "starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z", "remaining_percent": 0, "crossed": 100,
        "status": "exhausted", "on_exhausted": "downgrade", "settings": {"tier": tier}, "hard": False,
    }  # fmt: skip
    after = decide_prepared(Prepared({**document, "budgets": [down]}), request, NOW)
    if before.tier is not None:
        assert after.tier is not None and after.tier <= before.tier
        assert after.tier in {before.tier, tier}


@settings(max_examples=200, deadline=None)
@given(documents, requests, freshness, words(["seo", "seo-old", "copy", "claims", "stray", "unassigned"]))
def test_a_kill_switch_never_makes_a_call_allowed(document, request, fresh, slug):
    before = decide_prepared(Prepared(document), request, NOW, fresh=fresh)
    entry = {"scope": {"workflow": slug}, "code": "workflow_paused", "reason": "Stop.", "until": None}
    after = decide_prepared(Prepared({**document, "blocked": [entry, *document["blocked"]]}), request, NOW, fresh=fresh)
    assert before.allowed or not after.allowed
    if slug == (request.workflow or "unassigned") and (fresh or document["fail_mode"] == "last_known_good"):
        assert after.action == "block"


# Requests as JSON.


def test_what_is_missing_null_or_empty_is_not_said():
    assert read_request({}) == read_request({"workflow": "", "tier": None, "tags": None, "run": None}) == Request()


@pytest.mark.parametrize(
    ("said", "field", "sentence"),
    [
        ([], "request", "Give an object"),
        ({"wrokflow": "seo"}, "wrokflow", "no such field"),
        ({"workflow": 7}, "workflow", "1 to 128 characters"),
        ({"workflow": "x" * 129}, "workflow", "1 to 128 characters"),
        ({"user": "a\0"}, "user", "character that is none"),
        ({"user": "\ud800"}, "user", "character that is none"),
        ({"tier": True}, "tier", "whole number from 1 to 99"),
        ({"input_tokens": -1}, "input_tokens", "whole number from 0"),
        ({"input_tokens": 1.0}, "input_tokens", "whole number from 0"),
        ({"max_cost_nano": 2**53}, "max_cost_nano", "whole number from 0"),
        ({"complexity": 0.5}, "complexity", "decimal text"),
        ({"complexity": "1.01"}, "complexity", "decimal text"),
        ({"quality": "NaN"}, "quality", "decimal text"),
        ({"operation": "guess"}, "operation", "Choose from: chat"),
        ({"batch": "yes"}, "batch", "true or false"),
        ({"risk_flags": "sensitive"}, "risk_flags", "list of at most 32"),
        ({"risk_flags": ["x"] * 33}, "risk_flags", "list of at most 32"),
        ({"tags": {"a": 1}}, "tags", "1 to 128 characters"),
        ({"tags": ["a"]}, "tags", "object of at most 32"),
        ({"context": {"history": "9"}}, "context", "whole number from 0"),
        ({"context": {str(n): n for n in range(17)}}, "context", "object of at most 16"),
        ({"run": 3}, "run", "run’s totals"),
        ({"run": {"steps": "3"}}, "run.steps", "whole number from 0"),
        ({"run": {"stops": 3}}, "run.stops", "no such field"),
        ({"run": {"steps_by_kind": {"plan": -1}}}, "run.steps_by_kind", "whole number from 0"),
    ],
)
def test_what_cannot_be_is_refused_by_field(said, field, sentence):
    with pytest.raises(RequestRefused) as refused:
        read_request(said)
    assert list(refused.value.problems) == [field]
    assert sentence in refused.value.problems[field]


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(RequestRefused) as refused:
        read_request({"tier": 0, "run": {"steps": -1, "tokens": -1}, "batch": 1})
    assert set(refused.value.problems) == {"tier", "run.steps", "run.tokens", "batch"}


# What a later version may add must not widen anything.


def test_what_is_not_known_of_a_scope_or_rule_does_not_hold():
    document = vectors.document("agency")
    call = read_request({"workflow": "seo", "model": "opus"})
    grant = {
        "id": "g-1", "scope": {"workflow": "seo"}, "tier": 3, "starts_at": "2026-03-01T00:00:00Z",
        "expires_at": "2026-04-01T00:00:00Z", "remaining_percent": None, "takes_new_runs": True, "runs": [],
    }  # fmt: skip
    assert decide_prepared(Prepared({**document, "grants": [grant]}), call, NOW).allowed
    narrower = {**grant, "scope": {"workflow": "seo", "weekday": "sunday"}}
    assert not decide_prepared(Prepared({**document, "grants": [narrower]}), call, NOW).allowed

    for code, scope in (
        ("run_stopped", {"workflow": "seo", "run": "r-1", "weekday": "sunday"}),
        ("run_stopped", {"run": "r-1"}),
        ("workflow_paused", {"workflow": "seo", "weekday": "sunday"}),
        ("workflow_paused", {}),
        ("planet_stopped", {"workflow": "seo"}),
        ("planet_stopped", {}),
    ):
        blocked = [{"scope": scope, "code": code, "reason": "", "until": None}]
        call = read_request({"workflow": "seo", "run_id": "r-1"})
        assert decide_prepared(Prepared({**document, "blocked": blocked}), call, NOW).allowed, (code, scope)

    rule = {"id": "r", "name": "R", "when": {"stage": ["draft"], "moon": ["full"]}, "then": {"tier": 2, "mood": "calm"}}
    policy = {**document["policy"], "rules": [rule]}
    call = read_request({"workflow": "seo", "stage": "draft"})
    assert decide_prepared(Prepared({**document, "policy": policy}), call, NOW).tier == 1
    rule["when"].pop("moon")
    assert decide_prepared(Prepared({**document, "policy": policy}), call, NOW).tier == 2
