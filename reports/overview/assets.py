"""What an approved asset costs, as the figures page defines it."""

from dataclasses import dataclass
from fractions import Fraction

from reports.asking.window import Window, of_days
from reports.figures.arithmetic import compute
from reports.figures.reading import runs_of
from reports.figures.sums import Read, Went, added
from reports.overview.spend import Spend

NAME = "cost_per_approved"


@dataclass(frozen=True, slots=True)
class Assets:
    """`cost` of one in nano-dollars, None where `why` says why; `approved` are how many there are.

    `change` is percent that the cost is more (positive) or less than in the days compared with; None: not known.
    """

    cost: Fraction | None
    approved: int
    why: str
    change: int | None


def assets(window: Window, spend: Spend) -> Assets:
    """Of everything in the window, beside the days that its spend is compared with. At most four statements."""
    went = added(runs_of(window).values(), Went())
    found = compute(Read(spend.used, went={0: went}))
    cost = found.value(NAME)
    before = _before(window) if cost is not None else None
    change = round((cost - before) * 100 / before) if cost is not None and before else None
    return Assets(cost, went.approved, found.why.get(NAME, ""), change)


def _before(window: Window) -> Fraction | None:
    if window.before_last < window.before:
        return None
    days = of_days(window.before, window.before_last, window.today, window.zone)
    return compute(Read(None, went=runs_of(days))).value(NAME)
