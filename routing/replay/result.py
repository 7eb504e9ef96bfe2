"""What a replay found, as it is stored with it. Pure."""

from typing import Any

import msgspec

NOT_MADE = "not-made"  # beside the numbers of tiers: calls that would not have been made


class Tally(msgspec.Struct, omit_defaults=True):
    """Calls by what became of them. Money in nano-dollars, of calls whose cost is known.

    Each call is made or is one of `blocked`, `approval` (somebody has to allow it) and `shorten` (its caller has to
    send less). Of those made: `review` somebody looks at, `lowered` get a cheaper tier than they asked for, `cut` put
    out more than they may, `moved` go to another model, `unchanged` go as they went. `spared` is what those not made
    cost. Of what happened only `calls`, `made`, `cost`, `unpriced`, `unmeasured` and `blocked` are known.
    """

    calls: int = 0
    made: int = 0
    cost: int = 0
    unpriced: int = 0
    unmeasured: int = 0
    blocked: int = 0
    approval: int = 0
    shorten: int = 0
    review: int = 0
    lowered: int = 0
    cut: int = 0
    moved: int = 0
    unchanged: int = 0
    spared: int = 0


class Sides(msgspec.Struct, omit_defaults=True):
    """The same calls as they happened, by the policy in force and by the one that was tried.

    `changed`: so many are decided differently by the two. `compared`: of so many the cost is known by both policies,
    in nano-dollars `live_compared` and `draft_compared`; what is known by one only must not look like a saving.
    """

    happened: Tally
    live: Tally
    draft: Tally
    changed: int = 0
    compared: int = 0
    live_compared: int = 0
    draft_compared: int = 0

    @property
    def difference(self) -> int:
        """By how much the draft costs more, of the calls whose cost both know; nano-dollars."""
        return self.draft_compared - self.live_compared

    @classmethod
    def empty(cls) -> "Sides":
        return cls(Tally(), Tally(), Tally())


class Count(msgspec.Struct, omit_defaults=True):
    """In how many calls something is said by the two policies; `name` where people named it."""

    live: int = 0
    draft: int = 0
    name: str = ""


class Basis(msgspec.Struct):
    """What was decided by, so that the calls behind a figure are found again: both documents, the newest ledger row.

    `differs` are the parts of the live policy's document that the tried one has otherwise.
    """

    document: dict[str, Any]
    differs: dict[str, Any]
    newest: int
    share: int


class Result(msgspec.Struct):
    """All of it. `workflows` by short name, `tiers` by number ("0": in none, "not-made"), `reasons` by code.

    `rules` by id. `runs` and `calls` are those that were tried; `share` of 10,000 runs are in the sample.
    """

    live_number: int
    share: int
    runs: int
    total: Sides
    workflows: dict[str, Sides]
    tiers: dict[str, Sides]
    reasons: dict[str, Count]
    rules: dict[str, Count]
    basis: Basis


def read(stored: dict[str, Any]) -> Result:
    """The result of a stored document."""
    return msgspec.convert(stored, Result)


def written(result: Result) -> dict[str, Any]:
    """The document to store."""
    built: dict[str, Any] = msgspec.to_builtins(result)
    return built
