"""The Rego answers as the SDK does: on every vector, and on calls that nobody thought of."""

import json
import random
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import tokenops_sdk
from tokenops_sdk import Prepared, decide_prepared
from tokenops_sdk.decide import WORDS
from tokenops_sdk.wire import read_request, write_decision

from routing.opa.serve import rego
from routing.tests.made_up import NOW, Dice
from routing.tests.rego_engines import ENGINES, asked, compiled

pytestmark = pytest.mark.site

FOLDER = Path(tokenops_sdk.__file__).parent / "vectors"
VECTORS = [
    {"file": path.stem, **one} for path in sorted(FOLDER.glob("*.json")) for one in json.loads(path.read_text("utf-8"))
]
MADE_UP = {"regopy": 8, "opa": 60}  # bundles, with eight calls each: rego-cpp takes its time
the_engine = cache(compiled)


def merged(target, patch):
    """JSON Merge Patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    kept = {name: value for name, value in target.items() if patch.get(name, 0) is not None}
    return kept | {name: merged(target.get(name), value) for name, value in patch.items() if value is not None}


def document(said):
    if isinstance(said, str):
        return json.loads((FOLDER / "bundles" / f"{said}.json").read_text("utf-8"))
    return merged(document(said["base"]), said["patch"])


def test_there_are_vectors():
    assert len(VECTORS) >= 80


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: f"{one['file']}: {one['name']}")
def test_vector(vector, engine):
    given = asked(vector["request"], vector["now"], vector["fresh"], document(vector["bundle"]))
    assert the_engine(engine).ask(given) == vector["decision"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("place", range(4))
def test_calls_that_nobody_thought_of(engine, place):
    told = the_engine(engine)
    for seed in range(place, MADE_UP[engine], 4):
        dice = Dice(random.Random(seed))
        bundle = dice.document()
        prepared = Prepared(bundle)
        for _ in range(8):
            request, fresh = dice.call(), dice.chance(0.95)
            now = NOW + timedelta(seconds=dice.whole(0, 3 * 86400))
            wanted = write_decision(decide_prepared(prepared, read_request(request), now, fresh=fresh))
            assert told.ask(asked(request, now, fresh, bundle)) == json.loads(json.dumps(wanted)), (seed, request)


@pytest.mark.parametrize("engine", ENGINES)
def test_with_the_bundle_where_the_archive_has_it(engine):
    vector = next(one for one in VECTORS if one["file"] == "budgets")
    data = {"tokenops": {"bundle": document(vector["bundle"]), "words": dict(WORDS), "digest": "x"}}
    told = ENGINES[engine](rego(), data)
    assert told.ask(asked(vector["request"], vector["now"], vector["fresh"])) == vector["decision"]
