"""What a price that is being typed would have meant for past calls of its model. From rollups; nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from budgets.limits.calendar import day_of, day_starts_at
from budgets.models import Organisation
from budgets.organisation.configuration import current_generation
from usage.prices import book as price_book
from usage.prices.cost import cost_of
from usage.prices.price import REQUEST, Price, price_from
from usage.prices.used import LOOK_BACK, Used, meaning_this, used_between


@dataclass(frozen=True)
class Span:
    """Calls of one span. `before` is what is counted for those with a price, `after` what the new price says of all.

    `after` None: the new price does not cover them. Nano-dollars.
    """

    calls: int
    priced: int
    before: int
    after: int | None

    @property
    def has_before(self) -> bool:
        """Some of them have a price; else what they cost is unknown, which is not $0."""
        return self.priced > 0


@dataclass(frozen=True)
class PriceMeaning:
    """The last 30 days and this month of the organisation; `left_out` says what sums cannot tell."""

    lately: Span
    month: Span
    month_starts: datetime
    left_out: tuple[str, ...]


def meaning_of_price(values: Mapping[str, Any], organisation: Organisation, now: datetime) -> PriceMeaning:
    """`values` are checked columns of a PriceEntry. Two statements on rollups."""
    price = price_from(0, values["provider"], values["model"], values["service_tier"], values)
    zone = organisation.zone
    month_starts = day_starts_at(day_of(now, zone).replace(day=1), zone)
    left_out = [
        words
        for words, there in (
            ("long context", values.get("steps")),
            ("prices by the hour", values.get("hours")),
            ("per-unit prices", [name for name in values.get("units") or {} if name != REQUEST]),
        )
        if there
    ]
    return PriceMeaning(
        lately=_span(price, used_between(now - LOOK_BACK, now)),
        month=_span(price, used_between(month_starts, now)),
        month_starts=month_starts,
        left_out=tuple(left_out),
    )


def _span(price: Price, used: list[Used]) -> Span:
    """What of `used` this price is for, priced by its sums: rates are the same for every call without those parts."""
    prices = price_book.current(current_generation())
    mine = meaning_this(price.provider, price.model, used, prices, price.service_tier)
    flat = msgspec.structs.replace(price, steps=(), windows=())
    measured = sum(one.calls - one.unmeasured for one in mine)
    tokens_in, cached, written, tokens_out = (
        sum(getattr(one, name) for one in mine)
        for name in ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens")
    )
    owed = {REQUEST: measured} if REQUEST in flat.rates.units else None
    try:
        cost = cost_of(flat, tokens_in, cached, written, tokens_out, owed)
    except ValueError:  # a correction without its call, in sums that a retention has cut
        cost = None
    return Span(
        calls=measured,
        priced=measured - sum(one.unpriced for one in mine),
        before=sum(one.cost for one in mine),
        after=cost.total if cost else None,
    )
