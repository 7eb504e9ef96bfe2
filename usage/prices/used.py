"""What was used of which model, and what of it has no price: read from rollups, never from the ledger."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Sum

from usage.models import QuarterHour
from usage.prices.book import PriceBook
from usage.prices.names import canonical_provider

LOOK_BACK: Final = timedelta(days=30)
SHOWN: Final = 20
SUMS: Final = (
    "calls", "cost", "unpriced", "unmeasured", "input_tokens", "cached_input_tokens", "cache_write_tokens",
    "output_tokens",
)  # fmt: skip


# The condition is that of the index on what has no price, so that nothing else is read. A limit of null is none.
UNPRICED: Final = """
SELECT *, count(*) OVER (), sum(waiting) OVER () FROM (
    SELECT provider, model, service_tier, sum(unpriced) AS waiting,
        coalesce(sum((input_tokens + output_tokens) * unpriced / calls) FILTER (WHERE calls > 0), 0),
        min(bucket) FILTER (WHERE unpriced > 0)
    FROM usage_quarterhour WHERE unpriced <> 0
    GROUP BY provider, model, service_tier HAVING sum(unpriced) > 0
) AS models
ORDER BY waiting DESC, provider, model, service_tier LIMIT %s"""


@dataclass(frozen=True, slots=True)
class Used:
    """What was used of one model, as sent, in one service tier. `cost` in nano-dollars, of priced calls."""

    provider: str
    model: str
    service_tier: str
    calls: int
    cost: int
    unpriced: int
    unmeasured: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Calls without a price. `tokens` is about right: a quarter hour may hold priced calls of the model too."""

    provider: str
    model: str
    service_tier: str
    calls: int
    tokens: int
    since: datetime


def used_between(starts: datetime, ends: datetime) -> list[Used]:
    """All models of [starts, ends). One statement."""
    rows = (
        QuarterHour.objects.filter(bucket__gte=starts, bucket__lt=ends)
        .order_by()
        .values_list("provider", "model", "service_tier")
        .annotate(*(Sum(name) for name in SUMS))
    )
    return [Used(*names, *map(int, sums)) for *names, sums in ((*row[:3], row[3:]) for row in rows)]


def names_since(starts: datetime) -> set[tuple[str, str]]:
    """(provider, model) of everything used since, as sent. One statement."""
    rows = QuarterHour.objects.filter(bucket__gte=starts).order_by()
    return set(rows.values_list("provider", "model").distinct())


def unpriced_models(limit: int | None = SHOWN) -> tuple[list[Unpriced], int, int]:
    """The models with most calls without a price, how many models there are, and how many calls. One statement.

    A correction in another month counts against the call that it corrects, so a model that is priced is none.
    """
    with connection.cursor() as cursor:
        cursor.execute(UNPRICED, [limit])
        rows = cursor.fetchall()
    models, calls = (int(rows[0][6]), int(rows[0][7])) if rows else (0, 0)
    return [Unpriced(row[0], row[1], row[2], int(row[3]), int(row[4]), row[5]) for row in rows], models, calls


def keys_of(used: Collection[tuple[str, str]], prices: PriceBook) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """For each (provider, model) as sent, the entries of the book in lower case that may price it, nearest first."""
    found = {}
    hosts = {provider: canonical_provider(provider) if provider else "" for provider, _ in used}
    for provider, model in used:
        names = [(provider.strip().casefold(), model), (hosts[provider], model)]
        names.append(prices.canonical(provider, model))
        meaning = prices.meaning(provider, model)
        if meaning is not None:
            names.append((meaning.listed_by, meaning.model))
        found[provider, model] = list(dict.fromkeys((one.casefold(), name.casefold()) for one, name in names))
    return found


def meaning_this(
    provider: str, model: str, used: Iterable[Used], prices: PriceBook, tier: str | None = None
) -> list[Used]:
    """Of `used`, what the book calls (provider, model), whatever name it was sent by; one service tier or all."""
    of: Callable[[str, str], tuple[str, str]] = prices.canonical
    wanted = of(provider, model)
    lower = (provider.casefold(), model.casefold())
    return [
        one
        for one in used
        if (tier is None or one.service_tier == tier)
        and ((one.provider.casefold(), one.model.casefold()) == lower or of(one.provider, one.model) == wanted)
    ]
