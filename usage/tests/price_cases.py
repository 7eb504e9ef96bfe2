"""A price book made from genai-prices without a database, for tests of the arithmetic."""

from dataclasses import asdict
from functools import cache

from usage.prices.book import PriceBook
from usage.prices.seed import Seed, SeedEntry, read_seed


@cache
def the_seed() -> Seed:
    return read_seed()


def rows_of(entries: list[SeedEntry], origin: str = "genai-prices", first_id: int = 1) -> list[dict[str, object]]:
    """As `PriceEntry.objects.values()` gives them."""
    return [{**asdict(entry), "id": first_id + n, "origin": origin} for n, entry in enumerate(entries)]


@cache
def seeded_book() -> PriceBook:
    return PriceBook(rows_of(the_seed().entries))
