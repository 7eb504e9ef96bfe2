"""Which workflows one would pause until a plan fits: those that show least for their money first. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from reports.what_if.suppose import OfWorkflow

NANO = 10**9


@dataclass(frozen=True, slots=True)
class Worth:
    """What is known of a workflow's value: its weight, and its approved runs of the window; None: nobody judged one.

    `volume` times the runs are supposed, of which as large a part would be approved.
    """

    weight: Decimal = Decimal(1)
    approved: int | None = None
    volume: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Choice:
    """A workflow in the order of pausing. `per_dollar`: weight x approved runs for each dollar; None: unknown.

    `left` is what is spent in all once it and those before it are paused, `suggested` whether the plan needs it.
    """

    row: OfWorkflow
    worth: Worth
    per_dollar: Decimal | None
    left: int
    suggested: bool


def choices(rows: Iterable[OfWorkflow], worths: Mapping[str, Worth], total: int, plan: int | None) -> list[Choice]:
    """Those that cost something: of unknown value first, the lightest and dearest; then least value for a dollar."""
    costly = [(row, worths.get(row.slug, Worth())) for row in rows if row.after > 0]

    def order(of: tuple[OfWorkflow, Worth]) -> tuple[bool, Decimal, int, str]:
        row, worth = of
        value = per_dollar(row, worth)
        return value is not None, worth.weight if value is None else value, -row.after, row.slug

    found, left = [], total
    for row, worth in sorted(costly, key=order):
        suggested = plan is not None and left > plan
        left -= row.after
        found.append(Choice(row, worth, per_dollar(row, worth), left, suggested))
    return found


def per_dollar(row: OfWorkflow, worth: Worth) -> Decimal | None:
    """Value-weighted approved runs for each dollar that it would cost."""
    if worth.approved is None or row.after <= 0:
        return None
    found = worth.volume * worth.approved * NANO / row.after
    return (worth.weight * found.numerator / found.denominator).quantize(Decimal("0.01"))
