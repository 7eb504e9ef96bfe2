"""The audit's chart as points of an SVG: cost per approved asset of all days so far, against the baseline. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from budgets.pages.amounts import per_unit
from reports.workflow_audit.values import Figures, Shown

WIDTH, HEIGHT, ROOM = 600, 160, Decimal("1.15")


@dataclass(frozen=True, slots=True)
class Drawn:
    """`points` of the line, `base` the height of the baseline's (None: not known), `words` for who does not see it."""

    points: str
    base: str
    words: str


def per_asset(before: Figures, days: Sequence[Shown], length: int) -> Drawn | None:
    """None before there is anything to draw."""
    costs = [(n, one.so_far.per_asset) for n, one in enumerate(days)]
    known = [(n, cost) for n, cost in costs if cost is not None]
    if not known:
        return None
    top = max([cost for _, cost in known] + [before.per_asset or Decimal(0)]) * ROOM or Decimal(1)
    points = " ".join(f"{_x(n, length)},{_y(cost, top)}" for n, cost in known)
    last = days[known[-1][0]].so_far
    words = f"Cost per approved asset, all days so far: {per_unit(last.in_runs, last.approved)}"
    if before.per_asset is not None:
        words += f"; before, {per_unit(before.in_runs, before.approved)}"
    base = "" if before.per_asset is None else _y(before.per_asset, top)
    return Drawn(points, base, f"{words}. The same numbers are in the table below.")


def _x(n: int, length: int) -> str:
    return f"{Decimal(n) * WIDTH / max(1, length - 1):.1f}"


def _y(cost: Decimal, top: Decimal) -> str:
    return f"{HEIGHT - cost * HEIGHT / top:.1f}"
