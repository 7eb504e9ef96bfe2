"""The difference of two times in parts: exact, one factor at a time, in any order, the same both ways."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from math import prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.why.cells import Cell, Quad, Rates, Runs, Usage
from reports.why.factors import split
from reports.why.saying import LABELS, PHRASES, causes, headline
from reports.why.shapley import FINE, Factor, in_whole, nearest, split_product

RATES: Rates = (Fraction(1250), Fraction(125), Fraction(1562, 1), Fraction(10_000))
ODD: Rates = (Fraction(15, 100), Fraction(3, 40), Fraction(1, 7), Fraction(6, 10))  # parts of a nano-dollar a token
CALLS = 300


def cell(
    calls: int = CALLS,
    whole: int = 1_000,
    output: int = 100,
    cached: int = 0,
    rates: Rates = RATES,
    layers: Sequence[int] | None = None,
    **more: object,
) -> Cell:
    """Calls of one length each, priced as ingest prices them: every call rounded for itself."""
    each = (whole - cached, cached, 0, output)
    tokens: Quad = tuple(one * calls for one in each)  # type: ignore[assignment]
    costs = tuple(round(one * rate) * calls for one, rate in zip(each, rates, strict=True))
    laid = {"laid": calls, "layers": tuple(one * calls for one in layers)} if layers else {}
    stated = {"model": ("openai", "gpt-5"), "tokens": tokens, "costs": costs, "rates": rates}
    return Cell(1, calls=calls, known=calls, **(stated | laid | more))  # type: ignore[arg-type]


def usage(*cells: Cell, runs: int = 100, channels: int | None = None) -> Usage:
    return Usage(cells, {1: Runs(runs, channels or runs)})


def parts(before: Usage, after: Usage) -> dict[str, int]:
    found = split(before, after)
    assert sum(found.parts.values()) == found.difference == after.total - before.total
    return dict(found.parts)


SYSTEM, HISTORY = (300, 200, 0, 0, 0, 500, 0), (300, 900, 0, 0, 0, 500, 0)
HALF: Rates = tuple(rate / 2 for rate in RATES if rate is not None)  # type: ignore[assignment]
TWICE: Rates = tuple(rate * 2 for rate in RATES if rate is not None)  # type: ignore[assignment]
ALONE = {
    "runs": (usage(cell()), usage(cell(2 * CALLS), runs=200)),
    "channels": (usage(cell()), usage(cell(2 * CALLS), channels=200)),
    "steps": (usage(cell()), usage(cell(4 * CALLS))),
    "steps, one kind of work only": (
        usage(cell(work=("draft",)), cell(whole=5_000, work=("verify",))),
        usage(cell(work=("draft",)), cell(900, whole=5_000, work=("verify",))),
    ),
    "steps, a kind of work that is new": (
        usage(cell(work=("draft",))),
        usage(cell(work=("draft",)), cell(90, whole=4_000, model=("x", "y"), work=("verify",))),
    ),
    "retries": (usage(cell()), usage(cell(), cell(30, output=3, retry=True, failed=True))),
    "context": (usage(cell()), usage(cell(whole=1_700))),
    "context.history": (usage(cell(layers=SYSTEM)), usage(cell(whole=1_700, layers=HISTORY))),
    "output": (usage(cell()), usage(cell(output=900))),
    "cache": (usage(cell(cached=100)), usage(cell(cached=600))),
    "cache, answers": (
        usage(cell()),
        usage(cell(200), cell(100, whole=0, output=0, served=True)),
    ),
    "model": (usage(cell()), usage(cell(100), cell(200, rates=TWICE, model=("openai", "gpt-5-pro")))),
    "model, another altogether": (usage(cell()), usage(cell(rates=TWICE, model=("openai", "gpt-5-pro")))),
    "model, of other lengths": (
        usage(cell(150), cell(150, whole=3_000, model=("a", "b"))),
        usage(cell(300, whole=3_000, model=("a", "b"))),
    ),
    "service_tier": (usage(cell()), usage(cell(100), cell(200, rates=HALF, service_tier="batch"))),
    "prompt_version": (
        usage(cell(prompt_version="v1")),
        usage(cell(100, prompt_version="v1"), cell(200, whole=2_000, prompt_version="v2")),
    ),
    "prompt_version, another altogether": (
        usage(cell(prompt_version="v1")),
        usage(cell(whole=2_000, output=300, prompt_version="v2")),
    ),
    "price": (usage(cell()), usage(cell(rates=TWICE))),
    "terms": (usage(cell()), usage(replace(cell(), costs=tuple(2 * one for one in cell().costs)))),
    "extras": (usage(cell(extras=50)), usage(cell(extras=700))),
    "unknown": (
        usage(cell()),
        usage(
            replace(
                cell(),
                known=100,
                tokens=tuple(one // 3 for one in cell().tokens),
                costs=tuple(one // 3 for one in cell().costs),
            )
        ),
    ),
    "calls": (usage(cell(in_run=False)), usage(cell(900, in_run=False))),
    "workflows": (usage(cell()), usage(cell(), replace(cell(70, whole=9_000), workflow=2, in_run=False))),
    "corrections": (usage(cell()), Usage((cell(),), {1: Runs(100, 100)}, {"corrections": -77})),
    "later": (usage(cell()), Usage((cell(),), {1: Runs(100, 100)}, {"later": 5})),
}


@pytest.mark.parametrize("name", ALONE)
def test_one_factor_alone_leaves_every_other_part_exactly_nothing(name: str) -> None:
    before, after = ALONE[name]
    assert set(parts(before, after)) == {name.split(",", maxsplit=1)[0]}


@pytest.mark.parametrize("name", ["runs", "steps", "context", "output", "cache", "retries"])
def test_it_stays_so_where_a_token_costs_parts_of_a_nano_dollar(name: str) -> None:
    """Each call is rounded, so the mean price of a token differs between the times; the price does not."""

    def odd(one: Usage) -> Usage:
        made = []
        for each in one.cells:
            costs = tuple(
                round(rate * tokens / each.calls) * each.calls for rate, tokens in zip(ODD, each.tokens, strict=True)
            )
            made.append(replace(each, rates=ODD, costs=costs))
        return replace(one, cells=tuple(made))

    before, after = ALONE[name]
    assert set(parts(odd(before), odd(after))) == {name}


def test_a_longer_input_is_told_from_the_dearer_model_that_came_with_it() -> None:
    before, after = usage(cell()), usage(cell(whole=2_000, rates=TWICE, model=("a", "b")))
    # By hand: input goes from 1,000 x 1,250 to 2,000 x 2,500 nano-dollars a call, output from 1 to 2 million. Doubling
    # both the length and the price of the input adds 3.75 million, of which each has half; the output is the model's.
    half = 1_875_000 * CALLS
    assert parts(before, after) == {"context": half, "model": half + 1_000_000 * CALLS}


def test_layers_that_stayed_did_nothing_when_the_model_changed_too() -> None:
    before = usage(cell(layers=SYSTEM))
    after = usage(cell(whole=1_700, layers=HISTORY, rates=TWICE, model=("a", "b")))
    assert set(parts(before, after)) == {"context.history", "model"}
    both = usage(cell(whole=1_700, layers=HISTORY), cell(9, whole=1_700, layers=HISTORY, rates=TWICE, model=("a", "b")))
    assert set(parts(before, both)) == {"context.history", "model", "steps"}


def test_the_example_of_the_documentation() -> None:
    """docs/why-over.md: 100,000 runs of 3 calls become 120,000 of 4; a call's input goes from 1,000 to 1,500 tokens."""
    dollar_a_million: Rates = (Fraction(1_000), *RATES[1:])
    before = usage(cell(300_000, output=0, rates=dollar_a_million), runs=100_000)
    after = usage(cell(480_000, whole=1_500, output=0, rates=dollar_a_million), runs=120_000)
    assert (before.total, after.total) == (300 * 10**9, 720 * 10**9)
    found = parts(before, after)
    assert found == {"runs": 88_333_333_333, "steps": 138_333_333_333, "context": 193_333_333_334}
    documented = Path("docs/why-over.md").read_text()
    assert all(f"{round(part, -7) / 10**9:.2f}" in documented for part in found.values())


def test_layers_share_the_length_of_the_input_and_may_make_up_for_each_other() -> None:
    swapped = (300, 700, 0, 0, 0, 0, 0)
    found = parts(usage(cell(layers=SYSTEM)), usage(cell(layers=swapped)))
    assert found == {"context.history": 500 * 1250 * CALLS, "context.user": -500 * 1250 * CALLS}


def test_layers_are_left_alone_where_some_calls_do_not_state_them() -> None:
    assert set(parts(usage(cell(layers=SYSTEM)), usage(cell(whole=1_700)))) == {"context"}


def test_nothing_before_and_nothing_at_all() -> None:
    assert parts(Usage(), Usage()) == {}
    assert set(parts(Usage(), usage(cell()))) == {"workflows"}


def test_a_rounding_without_any_other_change_is_called_rounding() -> None:
    assert parts(usage(cell()), usage(replace(cell(), costs=(375_000_002, 0, 0, 300_000_000)))) == {"rounding": 2}


NUMBERS = st.integers(0, 40)
KINDS = st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
CELLS = st.builds(
    lambda workflow, model, tier, prompt, work, flags, calls, known, tokens, more: Cell(
        workflow,
        ("p", model),
        in_run=flags[0],
        work=(work,),
        retry=flags[1],
        failed=flags[2],
        served=flags[3],
        service_tier=tier,
        prompt_version=prompt,
        calls=calls,
        known=min(calls, known),
        tokens=tokens,
        costs=more[0],
        extras=more[1],
        rates=more[2],
    ),
    st.integers(1, 2),
    st.sampled_from("ab"),
    st.sampled_from("st"),
    st.sampled_from("vw"),
    st.sampled_from("dr"),
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    st.integers(1, 9),
    st.integers(1, 9),
    KINDS,
    st.tuples(KINDS, NUMBERS, st.tuples(*[st.one_of(st.none(), st.fractions(0, 5, max_denominator=7))] * 4)),
)
USAGES = st.builds(
    lambda cells, runs, apart: Usage(tuple(cells), {n: Runs(a, a + b) for n, (a, b) in runs.items()}, apart),
    st.lists(CELLS, max_size=6),
    st.fixed_dictionaries({1: st.tuples(st.integers(1, 9), NUMBERS), 2: st.tuples(st.integers(1, 9), NUMBERS)}),
    st.dictionaries(st.sampled_from(["later", "corrections", "withdrawn"]), st.integers(-50, 50)),
)


@settings(max_examples=80, deadline=None)
@given(USAGES, USAGES)
def test_whatever_happened_the_parts_sum_exactly_and_turn_their_sign(before: Usage, after: Usage) -> None:
    there, back = split(before, after), split(after, before)
    assert sum(there.parts.values()) == after.total - before.total
    assert back.parts == {name: -part for name, part in there.parts.items()}
    assert 0 not in there.parts.values()
    assert there.parts.keys() <= LABELS.keys()


@settings(max_examples=30, deadline=None)
@given(USAGES, USAGES, st.randoms(use_true_random=False))
def test_the_order_of_what_was_read_does_not_matter(before: Usage, after: Usage, chance) -> None:
    mixed = [replace(one, cells=tuple(chance.sample(one.cells, len(one.cells)))) for one in (before, after)]
    assert split(*mixed).parts == split(before, after).parts


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.fractions(-3, 3, max_denominator=9), st.fractions(-3, 3, max_denominator=9)), max_size=5))
def test_it_is_the_mean_over_all_orders(values: list[tuple[Fraction, Fraction]]) -> None:
    factors = [Factor(str(i), *pair) for i, pair in enumerate(values)]
    found = split_product(factors)
    sums = dict.fromkeys([one.name for one in factors], Fraction(0))
    orders = list(permutations(range(len(factors))))
    for order in orders:
        now = [one.before for one in factors]
        for i in order:
            was, now[i] = prod(now), factors[i].after
            sums[factors[i].name] += Fraction(prod(now) - was, len(orders))
    for name, part in sums.items():
        assert found.get(name, 0) == nearest(part.numerator * FINE, part.denominator)


def test_factors_of_one_name_change_together() -> None:
    one = Factor("cache", Fraction(2), Fraction(3))
    assert split_product([one, one]) == {"cache": 5 * FINE}


def test_what_rounding_leaves_goes_to_the_largest_and_never_to_nothing() -> None:
    assert in_whole({"a": FINE // 3, "b": -2 * FINE, "c": 0}, -1, "rounding") == {"b": -1}
    assert in_whole({"c": 0}, 3, "rounding") == {"rounding": 3}
    assert in_whole({"a": 5 * FINE // 2, "b": -5 * FINE // 2}, 0, "rounding") == {"a": 2, "b": -2}


def test_every_part_has_words() -> None:
    assert {key.partition(".")[0] for key in LABELS} == PHRASES.keys()


@pytest.mark.parametrize(
    ("difference", "found", "said"),
    [
        (
            420,
            {"context.history": 200, "context.system": 50, "runs": 120, "cache": -30, "price": 80},
            "$420 more than 1–31 Oct: longer inputs (+$250), more runs (+$120) and higher prices (+$80); "
            "more caching took back $30.",
        ),
        (
            -100,
            {"runs": -40, "steps": -35, "output": -20, "model": -15, "price": 10},
            "$100 less than 1–31 Oct: mostly fewer runs (−\u2060$40), fewer steps per run (−\u2060$35) "
            "and shorter answers (−\u2060$20); higher prices added $10.",
        ),
        (0, {"runs": 50, "price": -50}, "Exactly as much as 1–31 Oct: more runs (+$50) and lower prices (−\u2060$50) "
         "make up for each other."),
        (0, {}, "Exactly as much as 1–31 Oct."),
    ],
)  # fmt: skip
def test_the_sentence(difference: int, found: dict[str, int], said: str) -> None:
    nano = 10**9
    assert headline(difference * nano, {key: part * nano for key, part in found.items()}, "1–31 Oct") == said


def test_the_likely_cause() -> None:
    assert causes({"context.history": 80, "context.user": 20, "runs": 50, "price": 3, "output": -70}) == (
        "longer inputs (conversation history) and more runs"
    )
    assert causes({"runs": -5}) == ""
