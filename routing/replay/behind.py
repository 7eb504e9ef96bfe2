"""The calls behind a figure of a replay, found again by deciding them again as they were then decided."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tokenops_sdk.asking import Decision

from budgets.organisation.configuration import current_generation
from routing.models import PolicyReplay
from routing.replay import ledger
from routing.replay.past import PastCall
from routing.replay.result import NOT_MADE, Result, read
from routing.replay.run import FIGURES, REFUSED, Outcome, Side, is_changed
from routing.replay.words import CHANGED, HAPPENED, SIDES
from usage.prices import book

LOOKED_AT = 20_000  # calls for one page of a list; the CSV has no such end


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls: those that count in `figure` by `side`, of a workflow, in a tier, with a reason or by a rule."""

    figure: str = "calls"
    side: str = "draft"
    workflow: str = ""
    tier: str = ""
    code: str = ""
    rule: str = ""

    @classmethod
    def asked(cls, given: Mapping[str, str]) -> "Wanted":
        """Of a query string; what is unknown there is ignored."""
        side = given.get("side", "")
        side = side if side in SIDES else "draft"
        figure = given.get("figure", "")
        figures = HAPPENED if side == "happened" else (*FIGURES, CHANGED)
        texts = {name: given.get(name, "").replace("\0", "")[:128] for name in ("workflow", "tier", "code", "rule")}
        return cls(figure if figure in figures else "calls", side, **texts)

    def of(self, result: Result) -> int | None:
        """How many calls the replay counted there; None where it did not count just that."""
        if self.code or self.rule:
            counts = result.reasons if self.code else result.rules
            found = counts.get(self.code or self.rule)
            plain = self.figure == "calls" and not self.workflow and not self.tier and not (self.code and self.rule)
            return getattr(found, self.side, 0) if plain and found else None
        if self.tier and self.workflow:
            return None
        sides = result.workflows.get(self.workflow) if self.workflow else result.total
        if self.tier:
            sides = result.tiers.get(self.tier)
        if sides is None:
            return 0
        if self.figure == CHANGED:
            return None if self.tier else sides.changed
        return int(getattr(getattr(sides, self.side), self.figure))


@dataclass(frozen=True, slots=True)
class Found:
    """One call with what the two policies say of it."""

    call: PastCall
    live: Outcome
    draft: Outcome
    said_live: Decision
    said_draft: Decision


def find_calls(replay: PolicyReplay, wanted: Wanted, most: int | None = None) -> Iterator[Found | None]:
    """The calls, in the order of the replay; None after `most` were looked at, as a sign that there may be more."""
    result = read(replay.result or {})
    prices = book.current(current_generation())
    document: dict[str, Any] = result.basis.document
    live, draft = Side({**document, **result.basis.differs}, prices), Side(document, prices)
    window = ledger.Window(replay.starts_at, replay.ends_at, replay.workflow, result.basis.newest, result.basis.share)
    if wanted.workflow:
        if replay.workflow not in ("", wanted.workflow):
            return
        window = replace(window, workflow=wanted.workflow)
    seen = 0
    for calls in ledger.read_calls(window):
        for call in calls:
            if most is not None and seen >= most:
                yield None
                return
            seen += 1
            found = Found(call, *_both(live, draft, call))
            if fits(found, wanted):
                yield found


def _both(live: Side, draft: Side, call: PastCall) -> tuple[Outcome, Outcome, Decision, Decision]:
    by_live, said_live = live.decide(call)
    by_draft, said_draft = draft.decide(call)
    return by_live, by_draft, said_live, said_draft


def fits(found: Found, wanted: Wanted) -> bool:
    """Whether a call counts in the figure."""
    if wanted.side == "happened":
        return of_happened(found.call, wanted)
    outcome, decision = (found.live, found.said_live) if wanted.side == "live" else (found.draft, found.said_draft)
    if wanted.figure == CHANGED:
        if not is_changed(found.live, found.draft):
            return False
    elif not FIGURES[wanted.figure](outcome):
        return False
    if wanted.tier and wanted.tier != (str(outcome.tier) if outcome.made else NOT_MADE):
        return False
    if wanted.code and all(reason.code != wanted.code for reason in decision.reasons):
        return False
    return not wanted.rule or any(
        reason.code == "rule" and reason.values["rule"] == wanted.rule for reason in decision.reasons
    )


def of_happened(call: PastCall, wanted: Wanted) -> bool:
    """The same of what really happened."""
    if wanted.tier and wanted.tier != str(call.tier):
        return False
    return {
        "calls": True,
        "made": call.status != REFUSED,
        "blocked": call.status == REFUSED,
        "unpriced": call.measured and call.cost is None,
        "unmeasured": not call.measured and call.status != REFUSED,
    }[wanted.figure]
