"""Obey the policy of a TokenOps server, and report what was used. No Django.

`PolicyClient`, `Run` and `UsageReporter` do all of it; docs/sdk.md shows how. The rest is for those who write a client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tokenops_sdk.asking import Decision, Model, Reason, Request, RunSoFar
from tokenops_sdk.bundle import SCHEMA, Bundle, renew, verify
from tokenops_sdk.decide import decide, decide_prepared
from tokenops_sdk.prepared import Prepared
from tokenops_sdk.refusals import (
    BundleRefused,
    NotFresh,
    OlderRevision,
    UnknownKey,
    UnknownSchema,
    WrongAudience,
    WrongSignature,
)

if TYPE_CHECKING:
    from tokenops_sdk.aio import AsyncPolicyClient, AsyncRun
    from tokenops_sdk.client import PolicyClient
    from tokenops_sdk.following import State
    from tokenops_sdk.leasing import Leases
    from tokenops_sdk.outcomes import OutcomeNotSent, OutcomeRefused
    from tokenops_sdk.reporter import ReporterState, UsageReporter
    from tokenops_sdk.run import Run

# Who only decides or verifies, as the server does, need not load an HTTP client.
_WITH_NETWORK = {
    "AsyncPolicyClient": "aio",
    "AsyncRun": "aio",
    "Leases": "leasing",
    "OutcomeNotSent": "outcomes",
    "OutcomeRefused": "outcomes",
    "PolicyClient": "client",
    "ReporterState": "reporter",
    "Run": "run",
    "State": "following",
    "UsageReporter": "reporter",
}

__all__ = [
    "SCHEMA",
    "AsyncPolicyClient",
    "AsyncRun",
    "Bundle",
    "BundleRefused",
    "Decision",
    "Leases",
    "Model",
    "NotFresh",
    "OlderRevision",
    "OutcomeNotSent",
    "OutcomeRefused",
    "PolicyClient",
    "Prepared",
    "Reason",
    "ReporterState",
    "Request",
    "Run",
    "RunSoFar",
    "State",
    "UnknownKey",
    "UnknownSchema",
    "UsageReporter",
    "WrongAudience",
    "WrongSignature",
    "decide",
    "decide_prepared",
    "renew",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _WITH_NETWORK:
        return getattr(import_module(f"tokenops_sdk.{_WITH_NETWORK[name]}"), name)
    raise AttributeError(f"module 'tokenops_sdk' has no attribute {name!r}")
