"""The arithmetic against exact fractions, and its refusals."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage.prices.cost import CostParts, cost_of
from usage.prices.price import price_from

rate = st.decimals(min_value=0, max_value=10_000, places=8, allow_nan=False)
each = st.decimals(min_value=0, max_value=100, places=18, allow_nan=False)
tokens = st.integers(min_value=0, max_value=3_000_000)
quantity = st.one_of(
    st.integers(min_value=0, max_value=100_000),
    st.decimals(min_value=0, max_value=100_000, places=9, allow_nan=False),
)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    whole = draw(tokens)
    cached = draw(st.integers(min_value=0, max_value=whole))
    written = draw(st.integers(min_value=0, max_value=whole - cached))
    return whole, cached, written, draw(tokens)


def a_price(**values: Any) -> Any:
    return price_from(1, "acme", "m", "standard", values)


def parts_of(cost: CostParts) -> list[int]:
    return [cost.input, cost.cached, cost.cache_write, cost.output, cost.units]


@given(
    rates=st.tuples(rate, st.none() | rate, st.none() | rate, rate),
    usage=counts(),
    searches=st.none() | quantity,
    search=each,
)
@settings(max_examples=400, deadline=None)
def test_parts_sum_and_the_total_is_exact_to_half_a_nano(rates: Any, usage: Any, searches: Any, search: Any) -> None:
    price = a_price(
        input=rates[0], cached_input=rates[1], cache_write=rates[2], output=rates[3], units={"web_search": str(search)}
    )
    units = None if searches is None else {"web_search": searches}
    cost = cost_of(price, *usage, units)
    assert cost is not None
    whole, cached, written, output = usage
    stated = [
        rates[0],
        rates[0] if rates[1] is None else rates[1],
        rates[0] if rates[2] is None else rates[2],
        rates[3],
    ]
    numbers = [whole - cached - written, cached, written, output]
    exact = [Fraction(number) * Fraction(one) * 1000 for number, one in zip(numbers, stated, strict=True)]
    exact.append(Fraction(search) * Fraction(searches or 0) * 10**9)
    assert cost.total == round(sum(exact))  # Fraction rounds half to even
    assert sum(parts_of(cost)) == cost.total
    for part, one in zip(parts_of(cost), exact, strict=True):
        assert abs(part - one) < 1
        assert part == one if one.denominator == 1 else True


@given(usage=counts(), more=st.integers(min_value=1, max_value=100_000))
@settings(max_examples=200, deadline=None)
def test_more_tokens_never_cost_less(usage: Any, more: int) -> None:
    price = a_price(
        input=Decimal("1.25"),
        cached_input=Decimal("0.13333333"),
        output=Decimal("10"),
        steps=[{"from_input_tokens": 200_001, "input": "2.5", "cached_input": "0.25", "output": "15"}],
    )
    whole, cached, written, output = usage
    before = cost_of(price, whole, cached, written, output)
    longer = cost_of(price, whole + more, cached, written, output)
    wordier = cost_of(price, whole, cached, written, output + more)
    assert before is not None and longer is not None and wordier is not None
    assert longer.total >= before.total
    assert wordier.total > before.total


def test_zero_is_free_and_null_is_unpriced() -> None:
    assert cost_of(a_price(input=0, output=0), 1000, 0, 0, 1000) == CostParts(0, 0, 0, 0, 0, 0)
    embedding = a_price(input=Decimal("0.02"))
    assert cost_of(embedding, 1000, 0, 0, 0) == CostParts(20_000, 0, 0, 0, 0, 20_000)
    assert cost_of(embedding, 1000, 0, 0, 1) is None
    assert cost_of(a_price(output=1), 1, 0, 0, 1) is None
    assert cost_of(a_price(output=1), 0, 0, 0, 1) == CostParts(0, 0, 0, 1000, 0, 1000)


@pytest.mark.parametrize(
    "units",
    [
        {"image": 1},
        {"web_search": -1},
        {"web_search": Decimal("NaN")},
        {"web_search": Decimal("Infinity")},
        {"web_search": Decimal("1e-1000000")},
        {"web_search": Decimal("1e1000000")},
        {"web_search": 10**400},
        {"input_audio_tokens": 11},
        {"input_audio_tokens": Decimal("0.5")},
    ],
)
def test_what_cannot_be_priced_is_unpriced_and_nothing_breaks(units: Any) -> None:
    price = a_price(input=1, output=1, units={"web_search": "0.01", "input_audio_tokens": "0.000032"})
    assert cost_of(price, 10, 0, 0, 0, units) is None


def test_a_unit_that_was_not_used_needs_no_price() -> None:
    assert cost_of(a_price(input=1, output=1), 1, 0, 0, 0, {"image": 0}) == CostParts(1000, 0, 0, 0, 0, 1000)


def test_a_request_is_owed_once_unless_the_sender_counts() -> None:
    price = a_price(input=1, output=1, units={"request": "0.005"})
    assert cost_of(price, 1, 0, 0, 0).units == 5_000_000
    assert cost_of(price, 1, 0, 0, 0, {"requests": 3}).units == 15_000_000


def test_reasoning_is_output_unless_priced_apart() -> None:
    plain = a_price(input=2, output=8)
    apart = a_price(input=2, output=8, units={"reasoning_tokens": "0.000003"})
    assert cost_of(plain, 0, 0, 0, 100, None, 40).output == 800_000
    assert cost_of(apart, 0, 0, 0, 100, None, 40).output == 60 * 8_000 + 40 * 3_000
    assert cost_of(apart, 0, 0, 0, 100, None, 0).output == 800_000


def test_a_cost_beyond_the_ledger_is_unpriced() -> None:
    assert cost_of(a_price(input=10_000_000, output=1), 10**12, 0, 0, 0) is None
    assert cost_of(a_price(input=Decimal("9999999.00000001"), output=1), 10**12, 0, 0, 0) is None


@pytest.mark.parametrize("usage", [(10, 6, 5, 0), (10, -1, 0, 0), (-1, 0, 0, 0), (0, 0, 0, -1), (0, 0, -1, 0)])
def test_impossible_counts_are_the_callers_mistake(usage: Any) -> None:
    with pytest.raises(ValueError, match="Token counts"):
        cost_of(a_price(input=1, output=1), *usage)


def test_a_price_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="Cached input has more decimals"):
        a_price(input=1, cached_input="0.000000001")
    with pytest.raises(ValueError, match="web_search must be a price of 0 or more"):
        a_price(units={"web_search": "-1"})
