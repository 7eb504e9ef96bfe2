"""What an audit keeps: what was before, what was proposed, and each day since. Pure. Money in nano-dollars."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec


class Figures(msgspec.Struct, frozen=True):
    """What a workflow did on some days.

    `cost` is that of all its calls with a known cost, `in_runs` of those in runs: over `approved` runs it is the cost
    per approved asset, failures and rework included. `without_cost` calls have no known cost.
    """

    days: int = 0
    cost: int = 0
    calls: int = 0
    without_cost: int = 0
    retries: int = 0
    tokens: int = 0
    in_runs: int = 0
    runs: int = 0
    reviewed: int = 0
    reworked: int = 0
    approved: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Figures(*(a + b for a, b in zip(mine, theirs, strict=True)))

    @property
    def per_asset(self) -> Decimal | None:
        """Cost per approved asset, nano-dollars; None where none was approved."""
        return Decimal(self.in_runs) / self.approved if self.approved > 0 else None

    @property
    def per_day(self) -> int:
        return self.cost // self.days if self.days else 0


class Day(msgspec.Struct, frozen=True):
    """One complete day of the audit."""

    day: date
    figures: Figures


class Baseline(msgspec.Struct, frozen=True):
    """The days before the audit began, frozen."""

    first: date
    last: date
    figures: Figures


class Proposal(msgspec.Struct, frozen=True):
    """One change that was proposed at the start, and why. `kind`: "budget", "tier", "limits" or "lever".

    `amount` for a budget of a month, after `cost` in thirty days; `tier`; `limits` as the workflow has them; or the
    `lever` of the savings that is looked at there.
    """

    kind: str
    words: str
    why: str
    amount: int = 0
    cost: int = 0
    tier: int = 0
    limits: dict[str, int] = {}
    lever: str = ""


class Shown(msgspec.Struct, frozen=True):
    """A day with what it makes of all days so far."""

    day: date
    figures: Figures
    so_far: Figures


def run_up(days: Sequence[Day]) -> list[Shown]:
    """Each day with the sums up to it."""
    found, sums = [], Figures()
    for one in days:
        sums += one.figures
        found.append(Shown(one.day, one.figures, sums))
    return found


def change(before: Decimal | int | None, after: Decimal | int | None) -> int | None:
    """By how many percent it changed; None where one of them is not known or nothing."""
    if before is None or after is None or not before:
        return None
    return round((Decimal(after) - Decimal(before)) * 100 / Decimal(before))


def read_days(stored: Any) -> list[Day]:
    """The days as they are stored."""
    return msgspec.convert(stored, list[Day])


def read_baseline(stored: Any) -> Baseline:
    """The baseline as it is stored."""
    return msgspec.convert(stored, Baseline)


def read_proposals(stored: Any) -> list[Proposal]:
    """The proposals as they are stored."""
    return msgspec.convert(stored, list[Proposal])


def written(value: Any) -> Any:
    """What to store."""
    return msgspec.to_builtins(value)
