"""What sharing a pool out anew would give each of its budgets, and why; sealed, so that what is confirmed was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.core import signing

from budgets.models import NANO, Budget, BudgetState, Organisation
from budgets.pools.membership import live_children
from budgets.pools.reallocate import Previewed, StalePreview
from budgets.pools.share import Given, Part, TooSmall, by_share, by_weight
from budgets.pools.words import percent, weight
from usage.sharing.demand import DAYS, Demand, demand_of

SALT = "tokenops.pools.preview"
VALID_SECONDS = 3_600
CENT = NANO // 100


@dataclass(frozen=True, slots=True)
class Line:
    """One budget of the pool: what it has, what it would have, and the reason in words."""

    budget: Budget
    demand: Demand
    spent: int
    before: int
    after: int
    why: str

    @property
    def change(self) -> int:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Proposal:
    """`problem` says why nothing can be proposed; `short`: by how much what was spent exceeds the pool."""

    pool: Budget
    lines: tuple[Line, ...]
    short: int = 0
    problem: str = ""

    @property
    def is_change(self) -> bool:
        return any(line.change for line in self.lines)

    @property
    def before(self) -> int:
        return sum(line.before for line in self.lines)

    @property
    def after(self) -> int:
        return sum(line.after for line in self.lines)

    @property
    def left(self) -> int:
        """What would be given to nobody."""
        return self.pool.amount - self.after

    def previewed(self) -> Previewed:
        return Previewed(
            self.pool.edit_version,
            {line.budget.pk: line.after for line in self.lines},
            {line.budget.pk: line.budget.edit_version for line in self.lines},
        )

    def sealed(self) -> str:
        """The same as text that only this installation can make."""
        lines = [[line.budget.pk, line.budget.edit_version, line.after] for line in self.lines]
        return signing.dumps([self.pool.pk, self.pool.edit_version, lines], salt=SALT, compress=True)


def opened(seal: str, pool: Budget) -> Previewed:
    """What a preview of this pool had shown. Raises StalePreview for another's, an hour-old or an invented one."""
    try:
        pool_id, version, lines = signing.loads(seal, salt=SALT, max_age=VALID_SECONDS)
    except signing.BadSignature:
        raise StalePreview from None
    if pool_id != pool.pk:
        raise StalePreview
    return Previewed(version, {pk: after for pk, _, after in lines}, {pk: seen for pk, seen, _ in lines})


def propose(pool: Budget, organisation: Organisation, now: datetime) -> Proposal:
    """What the pool's way of sharing gives now. At most seven statements."""
    children: Sequence[Budget] = list(live_children(pool).order_by("name", "pk"))
    if not children:
        return Proposal(pool, (), problem="No budget shares this pool yet.")
    demand = demand_of(children, organisation, now)
    states = BudgetState.objects.filter(budget__in=[one.pk for one in children], starts_at__lte=now, ends_at__gt=now)
    spent: dict[int, int] = {pk: max(0, used) for pk, used in states.values_list("budget_id", "spent")}
    unit = CENT if pool.metric == Budget.Metric.MONEY else 1
    try:
        given = _given(pool, children, demand, spent, unit)
    except TooSmall:
        return Proposal(pool, (), problem="The pool is too small to give each of its budgets anything.")
    lines = (
        Line(
            one,
            demand[one.pk],
            spent.get(one.pk, 0),
            one.amount,
            given.amounts[one.pk],
            why(pool, one, demand[one.pk], spent.get(one.pk, 0), given),
        )
        for one in children
    )
    return Proposal(pool, tuple(lines), given.short)


def _given(
    pool: Budget, children: Sequence[Budget], demand: dict[int, Demand], spent: dict[int, int], unit: int
) -> Given:
    if pool.sharing == Budget.Sharing.FIXED:
        # Without a share a budget has no claim; it keeps what it has.
        parts = [
            Part(
                one.pk,
                Fraction(one.pool_share or 0),
                max(spent.get(one.pk, 0), one.amount if one.pool_share is None else 0),
            )
            for one in children
        ]
        return by_share(pool.amount, parts, unit)
    return by_weight(
        pool.amount,
        [Part(one.pk, demand[one.pk].claim, max(spent.get(one.pk, 0), _least(pool, one))) for one in children],
        unit,
    )


def _least(pool: Budget, child: Budget) -> int:
    return int(pool.amount * Fraction(child.pool_share or 0))


def why(pool: Budget, child: Budget, demand: Demand, spent: int, given: Given) -> str:
    """The reason of one line, as a sentence."""
    if given.short:
        return "Together they have already spent more than the pool has; each gets its part of what is spent."
    if child.pk in given.held:
        return _why_held(pool, child, spent)
    if pool.sharing == Budget.Sharing.FIXED:
        return f"Its share, {percent(child.pool_share)} of the pool."
    if not demand.claim:
        return "None of them was used lately, so it is shared evenly."
    known = "" if demand.days >= DAYS else f", known for {demand.days} day{'' if demand.days == 1 else 's'} only"
    return f"Value weight {weight(demand.weight)} times recent use{known}."


def _why_held(pool: Budget, child: Budget, spent: int) -> str:
    if pool.sharing == Budget.Sharing.FIXED and child.pool_share is None and spent <= child.amount:
        return "No share is set, so it keeps what it has."
    if spent >= max(_least(pool, child), 1):
        return "It has already spent this much."
    if child.pool_share:
        return f"Its minimum, {percent(child.pool_share)} of the pool."
    return "Hardly any recent use, so it gets the smallest amount there is."
