"""What OPA does not check itself, as Rego: whose bundle it is, whether it is older, whether it is still vouched for."""

import json

import pytest
from joserfc.jwk import ECKey

from routing.opa.keys import OpaKey, public_pem
from routing.opa.serve import rego
from routing.tests.rego_engines import ENGINES, asked
from routing.tests.test_opa_vectors import VECTORS, WORDS, document

pytestmark = pytest.mark.parametrize("engine", ENGINES)
GOOD = {"aud": "tokenops", "epoch": 1, "revision": 42, "etag": "d1", "iat": 0, "exp": 1000}
NOW = 500


def new_key(kid):
    key = ECKey.generate_key("P-256")
    return OpaKey(kid, key.private_key), public_pem(key.as_dict(private=False))


KEY, PEM = new_key("ours")
THEIRS, _ = new_key("ours")
EXPECTED = {"audience": "tokenops", "keys": {"ours": PEM}}
BUNDLE = {"audience": "tokenops", "epoch": 1, "revision": 42}


def token(key=KEY, kind="tokenops-freshness", **claims):
    return key.sign(json.dumps({**GOOD, **claims}).encode(), kind)


def verified(engine, bundle=BUNDLE, expected=EXPECTED, **given):
    held = {"tokenops": {"bundle": bundle, "digest": "d1"}}
    modules = {path: text for path, text in rego().items() if path.endswith("verified.rego")}
    data = held if expected is None else {**held, "tokenops_expected": expected}
    return ENGINES[engine](modules, data, "tokenops.verified").ask({"now_unix": NOW, "freshness": token(), **given})


def problems(engine, **given):
    told = verified(engine, **given)
    assert told["ok"] == (not [one for one in told["problems"] if not one.startswith("freshness")])
    assert told["fresh"] == (not [one for one in told["problems"] if one.startswith("freshness")])
    return told["problems"]


def test_ours_and_fresh(engine):
    assert verified(engine, last_seen={"epoch": 1, "revision": 42}) == {"ok": True, "fresh": True, "problems": []}


def test_expired(engine):
    assert problems(engine, now_unix=1005) == []
    assert problems(engine, now_unix=1006) == ["freshness_ended"]


def test_replayed(engine):
    assert problems(engine, last_seen={"epoch": 1, "revision": 43}) == ["older_revision"]
    assert problems(engine, last_seen={"epoch": 2, "revision": 1}) == ["older_revision"]
    assert problems(engine, last_seen={"epoch": 0, "revision": 99}) == []


def test_of_another_audience(engine):
    assert problems(engine, expected={**EXPECTED, "audience": "staging"}) == ["other_audience"]
    assert "audience_not_configured" in problems(engine, expected={"keys": {"ours": PEM}})
    assert "audience_not_configured" in problems(engine, expected=None)


@pytest.mark.parametrize(
    "freshness",
    [token(THEIRS), token(OpaKey("other", KEY.private)), token(kind="JWT"), token()[:-6] + "AAAAAA", "x.y", ""],
)
def test_vouched_for_by_nobody_known(engine, freshness):
    assert problems(engine, freshness=freshness) == ["freshness_not_signed"]


def test_not_vouched_for_at_all(engine):
    assert problems(engine, freshness=None) == ["freshness_missing"]


@pytest.mark.parametrize("claim", [{"aud": "staging"}, {"epoch": 2}, {"revision": 41}, {"etag": "d2"}])
def test_a_token_for_another_bundle(engine, claim):
    assert problems(engine, freshness=token(**claim)) == ["freshness_of_another"]


def decided(engine, expected=EXPECTED, **given):
    vector = next(one for one in VECTORS if one["file"] == "tiers" and one["bundle"] == "agency")
    bundle = {**document("agency"), "fail_mode": "block"}
    data = {"tokenops": {"bundle": bundle, "digest": "d1", "words": dict(WORDS)}, "tokenops_expected": expected}
    claims = {"epoch": bundle["epoch"], "revision": bundle["revision"], "aud": bundle["audience"], "exp": 2**40}
    call = {**asked(vector["request"], vector["now"], None), "freshness": token(**claims), **given}
    return ENGINES[engine](rego(), data).ask({name: value for name, value in call.items() if value is not None})


def test_without_being_told_the_decision_asks_whether_it_is_fresh(engine):
    ours = {**EXPECTED, "audience": document("agency")["audience"]}

    def codes(**given):
        return [reason["code"] for reason in decided(engine, ours, **given)["reasons"]]

    assert "stale_blocked" not in codes()
    assert codes(freshness="x") == ["stale_blocked"]
    assert "stale_blocked" not in codes(freshness="x", fresh=True)


def test_nothing_is_decided_by_a_bundle_that_is_not_ours(engine):
    assert decided(engine, {**EXPECTED, "audience": "somebody-else"}) is None
