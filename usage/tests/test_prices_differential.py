"""Every model of genai-prices: its own sum against ours, to the rounding."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot

from usage.prices.cost import cost_of
from usage.prices.names import meaning_of
from usage.prices.price import Price, price_from
from usage.prices.seed import CONTEXTS, LEFT_OUT, PRICE_FIELDS, SeedEntry, read_seed

USAGES = [
    (1_000, 0, 0, 500),
    (12_345, 2_345, 1_000, 678),
    (100_001, 0, 0, 1),
    (199_999, 50_000, 0, 100),
    (200_000, 0, 50_000, 100),
    (200_001, 77_777, 0, 333),
    (272_000, 1, 1, 1),
    (272_001, 200_001, 0, 9_999),
    (1_048_577, 7, 0, 65_536),
]
NOON_SUNDAY = datetime(2026, 11, 22, 12, tzinfo=UTC)


def times_of(entries: list[SeedEntry]) -> Iterator[datetime]:
    """Now, and both sides of every date."""
    yield NOON_SUNDAY
    for entry in entries:
        yield entry.valid_from
        yield entry.valid_from + timedelta(hours=12)
        yield entry.valid_from - timedelta(microseconds=1)


def price_at(entries: list[SeedEntry], service_tier: str, when: datetime) -> Price | None:
    for entry in entries:
        ended = entry.valid_to is not None and entry.valid_to <= when
        if entry.service_tier == service_tier and entry.valid_from <= when and not ended:
            values = {name: getattr(entry, name) for name in PRICE_FIELDS}
            return price_from(1, entry.provider, entry.model, service_tier, values).at(when)
    return None


def finest(price: Any) -> Decimal:
    """What rounding a price to eight decimals may have moved, in dollars per million tokens."""
    numbers = [n for value in price.__dict__.values() for n in [getattr(value, "base", value)] if n is not None]
    return Decimal("0.5e-8") if any(n.as_tuple().exponent < -8 for n in numbers) else Decimal(0)


def test_the_same_sum_for_every_model_date_and_tier() -> None:
    by_model: dict[tuple[str, str], list[SeedEntry]] = {}
    seed = read_seed()
    for entry in seed.entries:
        by_model.setdefault((entry.provider, entry.model), []).append(entry)
    assert seed.not_understood == []
    compared, partly = 0, 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            entries = by_model.get((provider.id, model.id))
            if (provider.id, model.id) in LEFT_OUT or entries is None:
                continue
            for when in set(times_of(entries)):
                for tier, context in [("standard", None), *CONTEXTS.items()]:
                    price = price_at(entries, tier, when)
                    if price is None or (provider.id == "deepseek" and any(entry.hours for entry in entries)):
                        continue
                    theirs = model.get_prices(when, context)
                    for whole, cached, written, output in USAGES:
                        usage = Usage(
                            input_tokens=whole,
                            cache_read_tokens=cached,
                            cache_write_tokens=written,
                            output_tokens=output,
                        )
                        ours = cost_of(price, whole, cached, written, output)
                        if theirs.input_mtok is None or (output and theirs.output_mtok is None):
                            assert ours is None, (provider.id, model.id)  # they leave it out of the sum
                            partly += 1
                            continue
                        expected = theirs.calc_price(usage)["total_price"] * 10**9
                        assert ours is not None, (provider.id, model.id, tier, when)
                        allowed = Decimal("0.5") + finest(theirs) * (whole + output) * 1000
                        assert abs(ours.total - expected) <= allowed, (provider.id, model.id, tier, when, whole)
                        compared += 1
    assert compared > 20_000
    assert partly > 100


def test_deepseek_agrees_where_the_library_says_it_is_exact() -> None:
    """Weekdays that are no holiday, since the last dated price; and off-peak hours at any time."""
    provider = next(one for one in get_snapshot().providers if one.id == "deepseek")
    entries = [entry for entry in read_seed().entries if entry.provider == "deepseek"]
    compared = 0
    for model in provider.models:
        own = [entry for entry in entries if entry.model == model.id]
        for hour in range(24):
            for minute in (0, 29, 30, 59):
                when = datetime(2026, 11, 18, hour, minute, tzinfo=UTC)
                price = price_at(own, "standard", when)
                assert price is not None
                ours = cost_of(price, 12_345, 2_345, 0, 678)
                usage = Usage(input_tokens=12_345, cache_read_tokens=2_345, output_tokens=678)
                expected = model.get_prices(when).calc_price(usage)["total_price"] * 10**9
                assert ours is not None
                assert abs(ours.total - expected) <= Decimal("0.5"), (model.id, when)
                compared += 1
    assert compared == len(provider.models) * 24 * 4


def test_every_model_is_found_as_the_library_finds_it() -> None:
    snapshot = get_snapshot()
    for provider in snapshot.providers:
        for model in provider.models:
            if provider.id.startswith("huggingface"):
                continue
            expected = provider.find_model(model.id, all_providers=snapshot.providers)
            meaning = meaning_of(provider.id, model.id)
            found = meaning and (meaning.provider, meaning.model)
            assert found == (expected and (provider.id, expected.id)), (provider.id, model.id)
