"""Finding the price of a call: who it is from, when it was, what was negotiated."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from usage.models import ModelTier, PriceEntry
from usage.prices import book as book_module
from usage.prices import tiers
from usage.prices.book import PriceBook, current
from usage.prices.seed import FAR_PAST, SeedEntry
from usage.tests.price_cases import rows_of, seeded_book

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(model: str = "m", provider: str = "acme", **values: Any) -> SeedEntry:
    values = {"service_tier": "standard", "valid_from": FAR_PAST, "valid_to": None, "input": Decimal(1), **values}
    return SeedEntry(provider=provider, model=model, **values)


def book_of(seeds: list[SeedEntry], overrides: list[SeedEntry] = ()) -> PriceBook:  # type: ignore[assignment]
    return PriceBook(rows_of(seeds) + rows_of(list(overrides), "override", 1000))


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o", ("openai", "gpt-4o")),
        ("OpenAI", "GPT-4o-2024-08-06", ("openai", "gpt-4o")),
        ("", "gpt-4o-mini-2024-07-18", ("openai", "gpt-4o-mini")),
        ("", "openai/gpt-4o", ("openai", "gpt-4o")),
        ("litellm", "anthropic/claude-sonnet-4-5-20250929", ("anthropic", "claude-sonnet-4-5")),
        ("azure_openai", "gpt-4o", ("azure", "gpt-4o")),
        ("azure.ai.openai", "azure/gpt-4o", ("azure", "gpt-4o")),
        ("vertex_ai", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("vertex_ai-anthropic_models", "claude-sonnet-4-5@20250929", ("google", "claude-sonnet-4-5")),
        ("gemini", "gemini/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("bedrock", "amazon.nova-pro-v1:0", ("aws", "amazon.nova-pro-v1:0")),
        ("xai", "grok-4.3", ("x-ai", "grok-4.3")),
        ("openrouter", "openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        ("mistral_ai", "mistral-large-2512", ("mistral", "mistral-large-2512")),
    ],
)
def test_spellings(provider: str, model: str, expected: tuple[str, str]) -> None:
    price = seeded_book().find(provider, model, "standard", NOW)
    assert price is not None
    assert (price.provider, price.model) == expected
    assert seeded_book().canonical(provider, model) == expected


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-nonsense"), ("nobody", "gpt-4o"), ("", ""), ("", "bedrock/us-east-1/anthropic.claude-v2")],
)
def test_unknown_is_unpriced(provider: str, model: str) -> None:
    assert seeded_book().find(provider, model, "standard", NOW) is None


def test_a_tier_without_its_own_price_is_unpriced_never_standard() -> None:
    assert seeded_book().find("openai", "gpt-4o", "flex", NOW) is None
    assert seeded_book().find("azure", "gpt-4o", "batch", NOW) is None
    batch = seeded_book().find("openai", "gpt-4o", "batch", NOW)
    assert batch is not None and batch.rates.input == 125_000_000


def test_dates_decide_to_the_instant() -> None:
    book = book_of(
        [
            entry(valid_from=NOW, valid_to=NOW + DAY, input=Decimal(1)),
            entry(valid_from=NOW + DAY, valid_to=NOW + 2 * DAY, input=Decimal(2)),
            entry(valid_from=NOW + 3 * DAY, input=Decimal(3)),
        ]
    )
    tick = timedelta(microseconds=1)

    def at(when: datetime) -> int | None:
        price = book.find("acme", "m", "standard", when)
        return price and price.price_id

    assert [at(NOW - tick), at(NOW), at(NOW + DAY - tick), at(NOW + DAY)] == [None, 1, 1, 2]
    assert [at(NOW + 2 * DAY), at(NOW + 3 * DAY - tick), at(NOW + 3 * DAY), at(NOW + 999 * DAY)] == [None, None, 3, 3]


def test_an_override_beats_the_seed_only_while_it_holds() -> None:
    book = book_of(
        [entry("gpt-4o", "openai", input=Decimal(5))],
        [entry("gpt-4o", "openai", valid_from=NOW, valid_to=NOW + DAY, input=Decimal(4))],
    )
    for name in ("gpt-4o", "gpt-4o-2024-08-06"):
        ids = [book.find("openai", name, "standard", when).price_id for when in (NOW - DAY, NOW, NOW + DAY)]  # type: ignore[union-attr]
        assert ids == [1, 1000, 1]


def test_an_override_for_a_name_as_sent_beats_the_one_for_its_model() -> None:
    book = book_of([], [entry("gpt-4o", "openai"), entry("gpt-4o-2024-08-06", "openai")])
    assert book.find("openai", "gpt-4o-2024-08-06", "standard", NOW).price_id == 1001  # type: ignore[union-attr]
    assert book.find("openai", "gpt-4o-2024-11-20", "standard", NOW).price_id == 1000  # type: ignore[union-attr]


def test_what_was_negotiated_with_the_vendor_does_not_hold_at_a_host() -> None:
    book = book_of([entry("gpt-4o", "openai")], [entry("gpt-4o", "openai")])
    assert book.find("openai", "gpt-4o", "standard", NOW).price_id == 1000  # type: ignore[union-attr]
    hosted = book.find("azure", "gpt-4o", "standard", NOW)
    assert hosted is not None
    assert (hosted.price_id, hosted.provider) == (1, "azure")


def test_a_model_of_ones_own_is_priced_by_an_override_whatever_the_case() -> None:
    book = book_of([], [entry("house-llama", "in-house")])
    assert book.find("In-House", "House-Llama", "standard", NOW).price_id == 1000  # type: ignore[union-attr]
    assert book.find("", "house-llama", "standard", NOW) is None


def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MEMO_SIZE", 50)
    book = book_of([entry()])
    for number in range(500):
        assert book.find("", f"made-up-{number}", "standard", NOW) is None
    assert len(book._memo) <= 50
    assert len(book._meanings) <= 50
    assert book.find("acme", "m", "standard", NOW) is not None


@pytest.mark.django_db
def test_a_generation_reads_the_entries_only_when_one_changed(django_assert_num_queries: Any) -> None:
    book_module.forget()
    first = current(101)
    with django_assert_num_queries(0):
        assert current(101) is first
    with django_assert_num_queries(1):
        assert current(102) is first
    made = PriceEntry.objects.create(
        provider="acme", model="m", valid_from=FAR_PAST, input=1, output=2, origin=PriceEntry.Origin.OVERRIDE
    )
    second = current(103)
    assert second is not first
    assert second.find("acme", "m", "standard", NOW).price_id == made.id  # type: ignore[union-attr]
    PriceEntry.objects.filter(id=made.id).update(valid_to=NOW)
    assert current(104).find("acme", "m", "standard", NOW) is None
    book_module.forget()


@pytest.mark.django_db
def test_tiers_are_dated_and_known_by_the_books_names() -> None:
    book_module.forget()
    tiers.forget()
    ModelTier.objects.filter(model="gpt-4o").delete()
    ModelTier.objects.create(provider="openai", model="gpt-4o", tier=2, valid_from=NOW)
    ModelTier.objects.create(provider="openai", model="gpt-4o", tier=3, valid_from=NOW + DAY)
    assert [tiers.tier_of(7, "openai", "gpt-4o", NOW + n * DAY) for n in (-1, 0, 1)] == [0, 2, 3]
    assert tiers.tier_of(7, "", "gpt-4o-2024-08-06", NOW) == 2
    assert tiers.tier_of(7, "openai", "no-such-model", NOW) == 0
    tiers.forget()
    book_module.forget()
