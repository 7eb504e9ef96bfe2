"""Make, change and remove other AI costs, and undo that: each in one transaction with its rows of history."""

from collections.abc import Iterable, Sequence
from datetime import date

from django.utils import timezone

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.currency.rates import NoRate, holding_rates, in_dollars
from budgets.models import AuditEntry, Organisation
from budgets.pages.amounts import MOST
from budgets.pages.moments import day_year
from usage.costs.spread import following
from usage.costs.values import CostValues, validate
from usage.models import OtherCost

MOST_MONTHS = 60


class InvalidCost(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedCost(Exception):
    """What the cost's state does not allow; the message says why, for a reader."""


def create_costs(actor: Actor, many: Sequence[CostValues], reason: str = "") -> list[OtherCost]:
    """Make all of them or none. Raises InvalidCost."""
    many = [checked(values) for values in many]
    with holding_rates():
        closed = Organisation.get().closed_before
        made = []
        for values in many:
            _refuse_closed(closed, values.first_day)
            row = OtherCost()
            _state(row, values)
            row.save(force_insert=True)
            record(actor, "created", row, None, values.as_json(), reason)
            made.append(row)
    return made


def change_cost(actor: Actor, cost: OtherCost, values: CostValues, reason: str = "") -> OtherCost:
    """Save new values. Raises InvalidCost, or RefusedCost for one that is removed."""
    values = checked(values)
    with holding_rates():
        row = _lock(cost)
        before, closed = CostValues.of_row(row), Organisation.get().closed_before
        if before == values:
            return row
        _refuse_closed(closed, min(before.first_day, values.first_day))
        _state(row, values)
        row.save()
        record(actor, "changed", row, before.as_json(), values.as_json(), reason)
    return row


def remove_cost(actor: Actor, cost: OtherCost, reason: str = "") -> OtherCost:
    """Take it out of every figure; its row stays for the history. Raises InvalidCost, RefusedCost."""
    with holding_rates():
        row = _lock(cost)
        _refuse_closed(Organisation.get().closed_before, row.first_day)
        row.removed_at = timezone.now()
        row.save(update_fields=["removed_at"])
        record(actor, "removed", row, CostValues.of_row(row).as_json(), None, reason)
    return row


def undo(actor: Actor, entries: Iterable[AuditEntry]) -> list[OtherCost]:
    """Take back changes, all or none. Raises InvalidCost, RefusedCost where something happened since."""
    with holding_rates():
        return [_undo(actor, entry) for entry in sorted(entries, key=lambda one: -one.pk)]


def _undo(actor: Actor, entry: AuditEntry) -> OtherCost:
    row = OtherCost.objects.select_for_update(no_key=True).filter(pk=entry.object_id).first()
    newest = newest_entry(OtherCost, entry.object_id)
    if row is None or newest is None or newest.pk != entry.pk:
        raise RefusedCost("Somebody changed this cost since. Nothing was undone.")
    if entry.act == "converted":
        raise RefusedCost("This followed a change of a rate. Change the rate back instead.")
    reason = f"Undo of “{entry.act}” by {entry.who_text}"
    if entry.before is None:
        return remove_cost(actor, row, reason)
    if row.removed_at is None:
        return change_cost(actor, row, CostValues.of_json(entry.before), reason)
    _refuse_closed(Organisation.get().closed_before, row.first_day)
    row.removed_at = None
    row.cost = cost_of(CostValues.of_row(row))  # rates may have changed since
    row.save(update_fields=["removed_at", "cost"])
    record(actor, "restored", row, None, CostValues.of_row(row).as_json(), reason)
    return row


def repeated(values: CostValues, months: int) -> list[CostValues]:
    """The same cost for so many months, from its own on. Raises InvalidCost. Pure but for the checks."""
    values = checked(values)
    if not 1 <= months <= MOST_MONTHS:
        raise InvalidCost({"months": f"Choose 1 to {MOST_MONTHS} months."})
    if months > 1 and following(values.first_day, values.first_day, 1)[0] <= values.last_day:
        raise InvalidCost({"months": "What repeats every month must fit into one: shorten its days, or enter it once."})
    days = [following(values.first_day, values.last_day, i) for i in range(months)]
    known = values.as_json()
    return [
        checked(CostValues.of_json(known | {"first_day": first.isoformat(), "last_day": last.isoformat()}))
        for first, last in days
    ]


def checked(values: CostValues) -> CostValues:
    """Tidied. Raises InvalidCost."""
    values = values.tidied()
    if problems := validate(values):
        raise InvalidCost(problems)
    return values


def cost_of(values: CostValues) -> int:
    """Nano-dollars at the rate of the first day. Raises InvalidCost where there is none."""
    try:
        cost = in_dollars(values.amount, values.currency, values.first_day)
    except NoRate as error:
        raise InvalidCost({"currency": str(error)}) from error
    if abs(cost) > MOST:
        raise InvalidCost({"amount": "In dollars that is more than TokenOps can count. Enter a smaller amount."})
    return cost


def _state(row: OtherCost, values: CostValues) -> None:
    for name in values.__slots__:
        setattr(row, name, getattr(values, name))
    row.cost = cost_of(values)


def _lock(cost: OtherCost) -> OtherCost:
    row = OtherCost.objects.select_for_update(no_key=True).get(pk=cost.pk)
    if row.removed_at is not None:
        raise RefusedCost("This cost is removed. Undo that first, from the history, or enter it again.")
    return row


def _refuse_closed(closed_before: date | None, first_day: date) -> None:
    if closed_before is not None and first_day < closed_before:
        raise InvalidCost(
            {
                "first_day": f"Days before {day_year(closed_before)} are closed, so their costs no longer change. "
                "Enter it, or a credit against it, from that day on."
            }
        )
