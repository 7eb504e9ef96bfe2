"""Decide past calls by two policies, one after the other, and sum what would have become of them.

Pure: the ledger's rows come in, prices are asked of whatever has `find` and `canonical` of the price book. Rows come
run by run, in the order of their time, so that only one run's totals are kept.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import msgspec
from tokenops_sdk.asking import Decision
from tokenops_sdk.decide import decide_prepared
from tokenops_sdk.prepared import Prepared

from routing.replay.past import NO_RUN, PastCall, RunTotals, request_of
from routing.replay.result import NOT_MADE, Count, Sides, Tally
from usage.prices.cost import cost_of, length_of_one
from usage.prices.price import Price

REFUSED = "blocked"  # the status of a call that a gateway did not let through
MOST_REASONS = 2_000  # codes and rules that are told apart; policies have fewer


class Prices(Protocol):
    """What of the price book is used."""

    def find(self, provider: str, model: str, service_tier: str, time: datetime) -> Price | None: ...

    def canonical(self, provider: str, model: str) -> tuple[str, str]: ...


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What would have become of a call. `tier` 0: in none; `same`: by the model that served it.

    `cost` in nano-dollars: 0 where it is not made, None where it is unknown.
    """

    action: str
    made: bool
    tier: int
    provider: str
    model: str
    same: bool
    cost: int | None
    measured: bool
    review: bool
    lowered: bool
    cut: bool
    cap: int | None


def is_changed(live: Outcome, draft: Outcome) -> bool:
    """Whether two policies do something different with a call."""
    if live.made != draft.made:
        return True
    if not live.made:
        return live.action != draft.action
    return (live.provider, live.model, live.review, live.cap) != (draft.provider, draft.model, draft.review, draft.cap)


# What a figure counts, of calls by one policy.
FIGURES: Mapping[str, Callable[[Outcome], bool]] = {
    "calls": lambda one: True,
    "made": lambda one: one.made,
    "blocked": lambda one: one.action == "block",
    "approval": lambda one: one.action == "require_approval",
    "shorten": lambda one: one.action == "summarize",
    "review": lambda one: one.made and one.review,
    "lowered": lambda one: one.made and one.lowered,
    "cut": lambda one: one.made and one.cut,
    "moved": lambda one: one.made and not one.same,
    "unpriced": lambda one: one.made and one.measured and one.cost is None,
    "unmeasured": lambda one: one.made and not one.measured,
    "unchanged": lambda one: one.made and one.same and not one.review and not one.cut,
}


class Names:
    """The name that a policy's tiers have for a model: `gpt-4o-2024-08-06` was asked for as `gpt-4o`."""

    def __init__(self, document: Mapping[str, Any], prices: Prices) -> None:
        self._prices = prices
        self._listed = {(one["provider"], one["model"]) for tier in document["tiers"] for one in tier["models"]}
        self._means = {prices.canonical(*named): named for named in sorted(self._listed)}
        self._known: dict[tuple[str, str], tuple[str, str]] = {}
        self._asked: dict[tuple[str, str, str | None], tuple[str, str]] = {}

    def of(self, provider: str, model: str) -> tuple[str, str]:
        """(provider, model) as the tiers name it; as it is where none does."""
        named = (provider, model)
        if named in self._listed:
            return named
        found = self._known.get(named)
        if found is None:
            found = self._known[named] = self._means.get(self._prices.canonical(provider, model), named)
        return found

    def asked(self, call: PastCall) -> tuple[str, str]:
        """What the caller asked for: what it says where that is a model that anybody knows, else what served it."""
        wanted = call.requested_model
        if not wanted or wanted == call.model:
            return self.of(call.provider, call.model)
        key = (call.provider, call.model, wanted)
        found = self._asked.get(key)
        if found is None:
            found = self.of(call.provider, wanted)
            known = found in self._listed or self._prices.find(call.provider, wanted, "standard", call.time) is not None
            if not known or self._prices.canonical(call.provider, wanted) == self._prices.canonical(*key[:2]):
                found = self.of(call.provider, call.model)
            self._asked[key] = found
        return found


class Side:
    """One policy on its way through the calls."""

    def __init__(self, document: Mapping[str, Any], prices: Prices) -> None:
        self._prepared = Prepared(document)
        self._prices = prices
        self._names = Names(document, prices)
        self._run: tuple[str, str] | None = None
        self._totals = RunTotals()

    def decide(self, call: PastCall) -> tuple[Outcome, Decision]:
        """What it says of the next call."""
        asked = self._names.asked(call)
        run = NO_RUN
        if call.run_id:
            if self._run != (call.workflow, call.run_id):
                self._run, self._totals = (call.workflow, call.run_id), RunTotals()
            run = self._totals.so_far()
        decision = decide_prepared(self._prepared, request_of(call, *asked, run), call.time, fresh=True)
        outcome = self._outcome(call, decision, asked)
        if call.run_id and outcome.made:
            self._totals.add(call, outcome.cost)
        return outcome, decision

    def _outcome(self, call: PastCall, decision: Decision, asked: tuple[str, str]) -> Outcome:
        made = decision.allowed
        provider, model = decision.provider or "", decision.model or ""
        if made and not model:
            provider, model = asked
        same = made and self._is_same(call, provider, model)
        cost: int | None = 0
        measured = call.measured and not was_refused(call)
        if made:
            cost = call.cost if same else price_of(call, provider, model, self._prices)
            cost = cost if measured else None
        cap = decision.max_output_tokens
        return Outcome(
            action=decision.action,
            made=made,
            tier=(decision.tier or 0) if made else 0,
            provider=provider if made else "",
            model=model if made else "",
            same=same,
            cost=cost,
            measured=measured,
            review=decision.review,
            lowered=made and any(reason.action == "downgrade" for reason in decision.reasons),
            cut=made and cap is not None and (call.output_tokens or 0) > cap,
            cap=cap,
        )

    def _is_same(self, call: PastCall, provider: str, model: str) -> bool:
        served = self._names.of(call.provider, call.model)
        return model == served[1] and (provider == served[0] or not provider)


def was_refused(call: PastCall) -> bool:
    """A call that a gateway did not let through used nothing, and nobody knows what it would have used."""
    return call.status == REFUSED and not (call.input_tokens or call.output_tokens or call.units)


def price_of(call: PastCall, provider: str, model: str, prices: Prices) -> int | None:
    """What the call's tokens cost by another model at that time, nano-dollars; None: unmeasured, or no such price."""
    if not call.measured:
        return None
    price = prices.find(provider, model, call.service_tier or "standard", call.time)
    if price is None:
        return None
    units = {name: Decimal(str(amount)) for name, amount in call.units.items()} if call.units else None
    parts = cost_of(
        price,
        call.input_tokens or 0,
        call.cached_input_tokens or 0,
        call.cache_write_tokens or 0,
        call.output_tokens or 0,
        units,
        call.reasoning_tokens or 0,
        length_of_one(call.input_tokens or 0, call.tags),
    )
    return None if parts is None else parts.total


class Replay:
    """Both policies on the same calls, and the sums."""

    def __init__(self, live: Mapping[str, Any], draft: Mapping[str, Any], prices: Prices) -> None:
        self.live, self.draft = Side(live, prices), Side(draft, prices)
        self.total = Sides.empty()
        self.workflows: dict[str, Sides] = {}
        self.tiers: dict[str, Sides] = {}
        self.reasons: dict[str, Count] = {}
        self.rules: dict[str, Count] = {}
        self.runs = 0
        self._run: tuple[str, str] | None = None

    def add(self, call: PastCall) -> None:
        """Decide the next call, and count it."""
        if call.run_id and self._run != (call.workflow, call.run_id):
            self._run = (call.workflow, call.run_id)
            self.runs += 1
        live, said_live = self.live.decide(call)
        draft, said_draft = self.draft.decide(call)
        changed = is_changed(live, draft)
        workflow = self.workflows.get(call.workflow)
        if workflow is None:
            workflow = self.workflows[call.workflow] = Sides.empty()
        for sides in (self.total, workflow):
            happened(sides.happened, call)
            count(sides.live, live, call)
            count(sides.draft, draft, call)
            sides.changed += changed
            if live.cost is not None and draft.cost is not None:
                sides.compared += 1
                sides.live_compared += live.cost
                sides.draft_compared += draft.cost
        happened(self._tier(str(call.tier)).happened, call)
        count(self._tier(str(live.tier) if live.made else NOT_MADE).live, live, call)
        count(self._tier(str(draft.tier) if draft.made else NOT_MADE).draft, draft, call)
        self._reasons("live", said_live)
        self._reasons("draft", said_draft)

    def _tier(self, number: str) -> Sides:
        found = self.tiers.get(number)
        if found is None:
            found = self.tiers[number] = Sides.empty()
        return found

    def _reasons(self, side: str, decision: Decision) -> None:
        for code in {reason.code for reason in decision.reasons}:
            more(self.reasons, code, side)
        for reason in decision.reasons:
            if reason.code == "rule":
                more(self.rules, str(reason.values["rule"]), side, str(reason.values["name"]))


def more(counts: dict[str, Count], key: str, side: str, name: str = "") -> None:
    """One more call of which a policy says `key`."""
    found = counts.get(key)
    if found is None:
        if len(counts) >= MOST_REASONS:
            return
        found = counts[key] = Count(name=name)
    setattr(found, side, getattr(found, side) + 1)
    found.name = name or found.name


def happened(tally: Tally, call: PastCall) -> None:
    """Count a call as it was."""
    tally.calls += 1
    refused = call.status == REFUSED
    tally.made += not refused
    tally.blocked += refused
    if call.cost is not None:
        tally.cost += call.cost
    elif call.measured:
        tally.unpriced += 1
    elif not refused:
        tally.unmeasured += 1


def count(tally: Tally, outcome: Outcome, call: PastCall) -> None:
    """Count a call by what would have become of it."""
    tally.calls += 1
    if not outcome.made:
        tally.spared += call.cost or 0
        if outcome.action == "block":
            tally.blocked += 1
        elif outcome.action == "require_approval":
            tally.approval += 1
        else:
            tally.shorten += 1
        return
    tally.made += 1
    if outcome.cost is not None:
        tally.cost += outcome.cost
    elif outcome.measured:
        tally.unpriced += 1
    else:
        tally.unmeasured += 1
    tally.review += outcome.review
    tally.lowered += outcome.lowered
    tally.cut += outcome.cut
    tally.moved += not outcome.same
    tally.unchanged += outcome.same and not outcome.review and not outcome.cut
