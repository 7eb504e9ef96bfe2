"""Change currency rates together with what is converted by them: rates are the floor below's, other costs ours."""

from budgets.audit.record import Actor
from budgets.currency import rates
from budgets.currency.rates import RateValues, changing_rates
from budgets.models import AuditEntry, CurrencyRate
from usage.costs.convert import convert_costs


def set_rate(
    actor: Actor, values: RateValues, rate: CurrencyRate | None = None, reason: str = ""
) -> tuple[CurrencyRate, int]:
    """The saved rate, and how many other costs were converted anew. Raises InvalidRate, RefusedRate."""
    with changing_rates():
        concerned = {rate.currency} if rate else set()
        row = rates.set_rate(actor, values, rate, reason)
        return row, convert_costs(actor, concerned | {row.currency})


def remove_rate(actor: Actor, rate: CurrencyRate, reason: str = "") -> int:
    """How many other costs were converted anew, by the rate before. Raises RefusedRate."""
    with changing_rates():
        rates.remove_rate(actor, rate, reason)
        return convert_costs(actor, {rate.currency})


def undo_rate(actor: Actor, entry: AuditEntry) -> int:
    """How many other costs were converted anew. Raises RefusedRate, InvalidRate."""
    with changing_rates():
        return convert_costs(actor, rates.undo_rate(actor, entry))
