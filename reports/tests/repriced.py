"""A price that comes after its calls, and the run that corrects them."""

from datetime import UTC, datetime
from decimal import Decimal

from budgets.audit.record import Actor
from usage.prices import reprice
from usage.prices.overrides import create_override
from usage.rollups.fold import fold_all

ME = Actor.command("test")


def price_later(model: str) -> None:
    """$2 and $10 a million from 2020 on, for the calls of October and November 2026 as well. The clock stands still."""
    values = {"provider": "acme", "model": model, "service_tier": "standard", "input": Decimal(2)}
    more = {"output": Decimal(10), "valid_from": datetime(2020, 1, 1, tzinfo=UTC), "valid_to": None}
    create_override(ME, values | more)
    run = reprice.preview(ME, datetime(2026, 9, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    reprice.confirm(run.pk, ME)
    reprice.carry_out(run.pk, ME)
    fold_all()
