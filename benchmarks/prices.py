"""Pricing a call: genai-prices' `calc_price` against the book's look-up and integer arithmetic.

    python -m benchmarks.prices

Needs no database: the book is made from the installed genai-prices. Prints microseconds a call (best of five rounds,
the ways in turn, so that a busy machine weighs on all alike), the ratio, and what the book takes in memory.
"""

import json
import os
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import django

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
# provider, model, input, cached, cache write, output
CALLS = [
    ("openai", "gpt-4o-2024-08-06", 12_345, 2_345, 0, 678),
    ("openai", "gpt-5.4", 272_001, 72_000, 0, 1_000),
    ("anthropic", "claude-sonnet-4-5-20250929", 11_000, 8_000, 2_000, 500),
    ("google", "gemini-2.5-pro", 1_000, 0, 0, 100),
    ("deepseek", "deepseek-v4-flash", 10_000, 4_000, 0, 1_000),
    ("mistral", "mistral-large-2512", 10_001, 1, 0, 333),
]
ROUNDS = 5


def timed(work: Callable[[], None], times: int) -> float:
    """Microseconds a call."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times / len(CALLS) * 1e6


def ways(book: Any) -> dict[str, tuple[Callable[[], None], int]]:
    """What is compared, and how often each runs in a round."""
    from genai_prices import Usage, calc_price

    from usage.prices.cost import cost_of

    priced = [(book.find(provider, model, "standard", NOW), counts) for provider, model, *counts in CALLS]

    def library() -> None:
        for provider, model, whole, cached, written, output in CALLS:
            usage = Usage(
                input_tokens=whole, cache_read_tokens=cached, cache_write_tokens=written, output_tokens=output
            )
            calc_price(usage, model, provider_id=provider, genai_request_timestamp=NOW)

    def both() -> None:
        for provider, model, whole, cached, written, output in CALLS:
            cost_of(book.find(provider, model, "standard", NOW), whole, cached, written, output)

    def look_up() -> None:
        for provider, model, *_ in CALLS:
            book.find(provider, model, "standard", NOW)

    def cost() -> None:
        for price, counts in priced:
            cost_of(price, *counts)

    return {"calc_price": (library, 200), "both": (both, 10_000), "look_up": (look_up, 10_000), "cost": (cost, 10_000)}


def memory_of(make: Callable[[], object]) -> float:
    """Megabytes that the result keeps."""
    tracemalloc.start()
    kept = make()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return held / 2**20


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
    os.environ.setdefault("SECRET_KEY", "benchmark")
    os.environ.setdefault("DATABASE_URL", "postgresql://unused.invalid/none")
    django.setup()
    from usage.prices.book import PriceBook
    from usage.prices.seed import read_seed
    from usage.tests.price_cases import rows_of

    entries = read_seed().entries
    started = time.perf_counter()
    book = PriceBook(rows_of(entries))
    made = (time.perf_counter() - started) * 1e3
    started = time.perf_counter()
    book.find("openai", CALLS[0][1], "standard", NOW)
    first = (time.perf_counter() - started) * 1e6
    measured: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, (work, times) in ways(book).items():
            measured.setdefault(name, []).append(timed(work, times))
    best = {name: min(values) for name, values in measured.items()}
    figures = {
        "calc_price_us": round(best["calc_price"], 1),
        "look_up_and_cost_us": round(best["both"], 2),
        "look_up_us": round(best["look_up"], 2),
        "cost_us": round(best["cost"], 2),
        "ratio": round(best["calc_price"] / best["both"]),
        "first_look_up_of_a_name_us": round(first),
        "entries": book.size,
        "book_made_in_ms": round(made, 1),
        "book_memory_mb": round(memory_of(lambda: PriceBook(rows_of(entries))), 1),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
