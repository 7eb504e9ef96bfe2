"""The calls that are under way in a proxy: what was asked for, decided and recorded of each."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tokenops_sdk.asking import Decision, Model, Request
from tokenops_sdk.events import lease_ids, revision_number
from tokenops_sdk.litellm.streams import Stream
from tokenops_sdk.models import least
from tokenops_sdk.prepared import Prepared

MARK = "tokenops_call"  # where a call's name stands among what LiteLLM keeps of it
MOST = 20_000
NANO = 1_000_000_000
PER_MILLION = 1_000_000


@dataclass(slots=True)
class Call:
    """One request of a client, through retries and fallbacks. `requested` is the model group that was asked for."""

    said: Mapping[str, Any]
    request: Request
    decision: Decision
    requested: str
    call_id: str
    tries: int = 0
    refused: bool = False
    recorded: bool = False  # what was served of it
    settled: bool = False
    served: Model | None = None
    stream: Stream | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def decided_fields(self) -> dict[str, Any]:
        """What an event states of the decision."""
        one = self.decision
        found = {
            "requested_model": self.requested,
            "tier": one.tier,
            "default_tier": one.default_tier,
            "grant_id": one.grant_id,
            "lease_id": lease_ids(one),
            "bundle_revision": revision_number(one.revision),
        }
        return {name: value for name, value in found.items() if value not in (None, "")}


class Calls:
    """Calls by name. The longest untouched are forgotten, should there be very many. Safe for threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, threading.Lock()
        self._calls: OrderedDict[str, Call] = OrderedDict()

    def keep(self, logging: Any, call: Call) -> None:
        """Note the call's name at LiteLLM's logging object, which goes along to every hook."""
        name = secrets.token_hex(16)
        logging.model_call_details[MARK] = name
        with self._lock:
            self._calls[name] = call
            while len(self._calls) > self._most:
                self._calls.popitem(last=False)

    def of(self, holder: Mapping[str, Any]) -> Call | None:
        """The call of a request's data; None for one that was not asked about."""
        logging = holder.get("litellm_logging_obj")
        return self.named(getattr(logging, "model_call_details", None))

    def named(self, details: object) -> Call | None:
        """The call of what LiteLLM's callbacks get."""
        name = details.get(MARK) if isinstance(details, Mapping) else None
        with self._lock:
            return self._calls.get(name) if isinstance(name, str) else None

    def __len__(self) -> int:
        return len(self._calls)


def output_cap(call: Call, prepared: Prepared | None) -> int | None:
    """Tokens that the answer may have by the decision, and by the money that the call and its run may cost."""
    return least(call.decision.max_output_tokens, money_cap(call, prepared))


def money_cap(call: Call, prepared: Prepared | None) -> int | None:
    """The same by money alone: the caller's own ceiling, and what is left of its run's. None without price or cap."""
    request, decision = call.request, call.decision
    if prepared is None:
        return None
    limits = prepared.workflow(request.workflow).limits_of(request.task_type)
    most_money = limits.get("max_run_money")
    left = None if most_money is None else int(Decimal(str(most_money)) * NANO) - request.run.cost_nano
    nano = least(request.max_cost_nano, left)
    tier = prepared.tiers.get(decision.tier) if decision.tier is not None else None
    if nano is None or tier is None:
        return None
    named = Model(decision.provider or "", decision.model or "")
    model = next((one for one in tier.models if one.named == named), None)
    whole = None if model is None else model.cost(request.input_tokens or 0, 0)
    million = None if model is None else model.cost(request.input_tokens or 0, PER_MILLION)
    if whole is None or million is None or million <= whole:
        return None
    return max(1, (nano - whole) * PER_MILLION // (million - whole))


def cost_of(prepared: Prepared | None, served: Model, input_tokens: int, output_tokens: int) -> int | None:
    """Nano-dollars by the bundle's prices; None where it lists none."""
    place = prepared.place_of(served.provider, served.model) if prepared is not None else None
    if prepared is None or place is None:
        return None
    model = next((one for one in prepared.tiers[place[0]].models if one.named == served), None)
    return None if model is None else model.cost(input_tokens, output_tokens)
