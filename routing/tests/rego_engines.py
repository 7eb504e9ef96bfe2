"""Two engines for our Rego: rego-cpp (regopy), always there, and OPA itself (opa_bindings), where it is installed."""

import json
from datetime import datetime

import pytest
from regopy import Interpreter
from tokenops_sdk.decide import WORDS

from routing.opa.serve import rego

NO_OPA = (
    "OPA itself is not installed here: `make setup-dev` gets it where the registry has it. Rego is run by regopy only."
)


def with_bundle_in_input():
    """The modules' texts, reading the bundle from the input: so that they are compiled once for many bundles."""
    return {path: text.replace("data.tokenops.bundle", "input.bundle") for path, text in rego().items()}


def written(value):
    return json.dumps(value, ensure_ascii=False)


class Regopy:
    """rego-cpp. It compares texts as they are written, so none may be escaped in one place and not in the other."""

    def __init__(self, modules, data, asked="tokenops.decision"):
        self.interpreter = Interpreter()
        for path, text in modules.items():
            self.interpreter.add_module(path, text)
        self.interpreter.add_data_json(written(data))
        self.built = self.interpreter.build(f"answer = data.{asked}")

    def ask(self, given):
        """What is asked for, for that input; None where it is not defined."""
        self.interpreter.set_input_term(written(given))
        output = self.interpreter.query_bundle(self.built)
        assert output.ok(), str(output)
        told = str(output)
        return None if told == "undefined" else json.loads(told).get("bindings", {}).get("answer")


class Opa:
    """Open Policy Agent's own library."""

    def __init__(self, modules, data, asked="tokenops.decision"):
        bindings = pytest.importorskip("opa_bindings", reason=NO_OPA)
        self.undefined = bindings.engine.OpaUndefinedError
        self.engine, self.asked = bindings.OpaEngine(), asked
        for path, text in modules.items():
            self.engine.add_policy(path, text)
        self.engine.add_data(data)

    def ask(self, given):
        """What is asked for, for that input; None where it is not defined."""
        try:
            return self.engine.eval_document(self.asked, given)
        except self.undefined:
            return None


ENGINES = {"regopy": Regopy, "opa": Opa}


def compiled(engine):
    """An engine that takes the bundle as `bundle` in its input."""
    return ENGINES[engine](with_bundle_in_input(), {"tokenops": {"words": dict(WORDS), "digest": "x"}})


def asked(request, now, fresh, bundle=None):
    """The input for a call; `now` is text or aware."""
    when = datetime.fromisoformat(now) if isinstance(now, str) else now
    told = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {"request": request, "now": told, "now_unix": int(when.timestamp()), "fresh": fresh}
    return given if bundle is None else {**given, "bundle": bundle}
