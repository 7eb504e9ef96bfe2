"""Runaway shapes that a series of quarter hours sees late: rules on what one hour brought, against four weeks. Pure.

Each rule says of one subject whether it has the shape, and what would have been usual, in nano-dollars: a known mean
times what was counted, or None where too little is known. Nothing is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LEAST_STEPS, UNKNOWN_STEPS, TIMES = 15, 100, 3
LEAST_RUNS, LEAST_CALLS, LEAST_DAYS = 20, 100, 5  # fewer of the past say nothing
LEAST_RETRIES, LEAST_SHARE = 20, 0.3
LEAST_TURNS, GROWN, LEAST_INPUT, RISING = 8, 4, 8_000, 0.8
LONG_TIMES, LEAST_OUTPUT, LEAST_LONG = 8, 2_000, 3
LEAST_BURST, STRANGER_TIMES, LEAST_PERSON_DAYS = 50, 10, 20


@dataclass(frozen=True, slots=True)
class Part:
    """One quarter hour (epoch second) of what is looked at: calls, nano-dollars, and what else its statement says."""

    at: int
    calls: int
    cost: int
    more: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Usual:
    """What one workflow did in the four weeks before: sums, and its runs. Money in nano-dollars."""

    calls: int = 0
    measured: int = 0
    retries: int = 0
    cost: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    runs: int = 0
    run_steps: int = 0  # what 99 of 100 runs stayed within
    run_cost: int = 0  # all of them together


@dataclass(frozen=True, slots=True)
class Shape:
    """That it has the shape: what was usual for all of it (None: not known), and a sentence."""

    expected: int | None
    said: str


def loop(parts: Sequence[Part], usual: Usual) -> Shape | None:
    """One run takes three times the steps that 99 of 100 others stay within; without others, a hundred."""
    steps = max(part.more[0] for part in parts) or sum(part.calls for part in parts)  # where none are stated, calls
    if usual.runs < LEAST_RUNS:
        return Shape(None, f"One run took {steps:,} steps.") if steps >= UNKNOWN_STEPS else None
    if steps < max(LEAST_STEPS, TIMES * usual.run_steps):
        return None
    said = f"One run took {steps:,} steps; 99 of 100 runs need {usual.run_steps:,} at most."
    return Shape(usual.run_cost // usual.runs, said)


def retries(parts: Sequence[Part], usual: Usual) -> Shape | None:
    """At least twenty repeats, three of ten calls, and three times the usual share."""
    repeated, calls = sum(part.calls for part in parts), sum(part.more[0] for part in parts)
    if repeated < LEAST_RETRIES or repeated < LEAST_SHARE * calls:
        return None
    said = f"{repeated:,} of {calls:,} calls repeated one that failed"
    if usual.calls < LEAST_CALLS:
        return Shape(None, f"{said}.")
    if repeated * usual.calls < TIMES * usual.retries * calls:
        return None
    cost = sum(part.more[1] for part in parts)
    percent = round(100 * usual.retries / usual.calls)
    return Shape(cost * usual.retries // usual.calls, f"{said}; usually {percent}% are.")


def context(parts: Sequence[Part], usual: Usual) -> Shape | None:
    """Eight turns or more, nearly each with a longer input, the last four times the first and four times the usual."""
    turns, grew = sum(part.calls for part in parts), sum(part.more[2] for part in parts)
    first, last = min(part.more[0] for part in parts), max(part.more[1] for part in parts)
    if turns < LEAST_TURNS or grew < RISING * (turns - 1) or last < max(LEAST_INPUT, GROWN * first):
        return None
    said = f"The input grew with nearly each of {turns:,} turns, from {first:,} to {last:,} tokens."
    if usual.measured < LEAST_CALLS:
        return Shape(None, said)
    if last * usual.measured < GROWN * usual.input_tokens:
        return None
    return Shape(usual.cost * turns // usual.calls, said)


def longest(usual: Usual) -> int | None:
    """From how many tokens on an answer is far longer than usual; None where that is not known."""
    if usual.measured < LEAST_CALLS:
        return None
    return max(LEAST_OUTPUT, LONG_TIMES * usual.output_tokens // usual.measured)


def output(parts: Sequence[Part], usual: Usual) -> Shape | None:
    """Three answers or more that are eight times as long as usual; `parts` are those alone."""
    calls = sum(part.calls for part in parts)
    if calls < LEAST_LONG or usual.measured < LEAST_CALLS:
        return None
    mean, before = sum(part.more[0] for part in parts) // calls, usual.output_tokens // usual.measured
    said = f"{calls:,} answers had {mean:,} tokens on average; usual are {before:,}."
    return Shape(usual.cost * calls // usual.calls, said)


def burst(parts: Sequence[Part], own: tuple[int, int, int] | None, everybody: tuple[int, int, int]) -> Shape | None:
    """In an hour three times what this person usually needs in a day; of a stranger ten times what people do.

    `own` and `everybody` are days of use, calls and nano-dollars on these.
    """
    calls = sum(part.calls for part in parts)
    if calls < LEAST_BURST:
        return None
    if own is not None and own[0] >= LEAST_DAYS:
        days, usual, cost = own
        if calls * days < TIMES * usual:
            return None
        return Shape(cost // days, f"{calls:,} calls within an hour; usual are {usual // days:,} in a whole day.")
    days, usual, cost = everybody
    if days < LEAST_PERSON_DAYS or calls * days < STRANGER_TIMES * usual:
        return None
    said = f"{calls:,} calls within an hour by somebody new; others make {usual // days:,} in a whole day."
    return Shape(cost // days, said)
