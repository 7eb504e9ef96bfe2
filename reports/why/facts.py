"""What was counted on each side, as a sentence for each part. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction

from reports.asking.layers import LAYER_WORDS
from reports.why.cells import LAYERS, OUTPUT, Cell, Number, Usage


class Facts:
    """Plain sums of one side."""

    def __init__(self, usage: Usage) -> None:
        cells = usage.cells
        self.cells = cells
        self.calls = sum(one.calls for one in cells)
        self.known = sum(one.known for one in cells)
        self.first = sum(one.calls for one in cells if not one.retry and one.in_run)
        self.lone = sum(one.calls for one in cells if not one.in_run)
        self.trouble = sum(one.calls for one in cells if one.retry or one.failed)
        self.served = sum(one.calls for one in cells if one.served)
        self.input = sum(sum(one.tokens[:OUTPUT]) for one in cells)
        self.cached = sum(one.tokens[1] for one in cells)
        self.output = sum(one.tokens[OUTPUT] for one in cells)
        self.runs = sum(one.runs for one in usage.runs.values())
        self.channels = sum(one.channels for one in usage.runs.values())

    def shares(self, of: Callable[[Cell], str]) -> dict[str, Fraction]:
        found: dict[str, Number] = defaultdict(int)
        for one in self.cells:
            found[of(one)] += one.calls
        return {name: Fraction(calls, self.calls) for name, calls in found.items()} if self.calls else {}

    def of_workflows(self) -> set[int]:
        return {one.workflow for one in self.cells}


def sentences(keys: Iterable[str], before: Usage, after: Usage) -> dict[str, str]:
    """What stands beside each part's amount, by key: the two figures that differ. "" where there is nothing to add."""
    low, high = Facts(before), Facts(after)
    return {key: _said(key, low, high) for key in keys}


def _said(key: str, low: Facts, high: Facts) -> str:
    if key.startswith("context."):
        return _layer(key.removeprefix("context."), low, high)
    if made := FIGURES.get(key):
        return made(low, high)
    return FIXED.get(key, "")


def _counts(what: str, low: Number, high: Number) -> str:
    return f"{round(high):,} {what}, before {round(low):,}."


def _each(what: str, per: str, low: tuple[Number, Number], high: tuple[Number, Number], digits: int = 0) -> str:
    said = [f"{float(Fraction(a) / Fraction(b)):,.{digits}f}" if b else "none" for a, b in (high, low)]
    return f"{said[0]} {what} {per}, before {said[1]}."


def _percents(what: str, low: tuple[Number, Number], high: tuple[Number, Number]) -> str:
    said = [f"{_percent(Fraction(a) / Fraction(b))}" if b else "none" for a, b in (high, low)]
    return f"{said[0]} {what}, before {said[1]}."


def _percent(share: Fraction) -> str:
    if share and share < Fraction(1, 200):
        return "under 1%"
    return f"{round(share * 100)}%"


def _shifted(low: dict[str, Fraction], high: dict[str, Fraction], said: str) -> str:
    """What gained most of the calls, and what lost most."""
    names = low.keys() | high.keys()
    grown = {name: high.get(name, Fraction(0)) - low.get(name, Fraction(0)) for name in names}
    if not any(grown.values()):
        return "The same ones, shared out otherwise between the workflows and their steps."
    parts = []
    for name in (
        max(names, key=lambda one: (grown[one], one)),
        min(names, key=lambda one: (grown[one], one)),
    ):
        share, before = high.get(name, Fraction(0)), low.get(name, Fraction(0))
        parts.append(f"{name or 'not stated'}: {_percent(share)} of calls, before {_percent(before)}")
    return f"{said}{'; '.join(parts)}."


def _layer(layer: str, low: Facts, high: Facts) -> str:
    at = LAYERS.index(layer)
    sums = [(sum(one.layers[at] for one in side.cells), sum(one.laid for one in side.cells)) for side in (low, high)]
    return _each(f"tokens of {LAYER_WORDS[layer]}", "per call", sums[0], sums[1])


FIGURES: dict[str, Callable[[Facts, Facts], str]] = {
    "runs": lambda a, b: _counts("runs", a.runs, b.runs),
    "workflows": lambda a, b: (
        f"{len(b.of_workflows() - a.of_workflows()):,} began to be used, "
        f"{len(a.of_workflows() - b.of_workflows()):,} no longer are."
    ),
    "calls": lambda a, b: _counts("calls outside runs", a.lone, b.lone),
    "channels": lambda a, b: _each("channels", "per run", (a.channels, a.runs), (b.channels, b.runs), 2),
    "steps": lambda a, b: _each("steps", "per run", (a.first, a.runs), (b.first, b.runs), 2),
    "retries": lambda a, b: _percents("of calls were retries or failed", (a.trouble, a.calls), (b.trouble, b.calls)),
    "cache": lambda a, b: (
        _percents("of the input came from a cache", (a.cached, a.input), (b.cached, b.input))
        + (
            " " + _percents("of calls were answered by a cache", (a.served, a.calls), (b.served, b.calls))
            if a.served or b.served
            else ""
        )
    ),
    "model": lambda a, b: _shifted(a.shares(lambda one: one.model[1]), b.shares(lambda one: one.model[1]), ""),
    "service_tier": lambda a, b: _shifted(
        a.shares(lambda one: one.service_tier), b.shares(lambda one: one.service_tier), ""
    ),
    "prompt_version": lambda a, b: _shifted(
        a.shares(lambda one: one.prompt_version), b.shares(lambda one: one.prompt_version), "Prompt version "
    ),
    "unknown": lambda a, b: _percents(
        "of calls have no known cost", (a.calls - a.known, a.calls), (b.calls - b.known, b.calls)
    ),
    "context": lambda a, b: _each("tokens of input", "per call", (a.input, a.known), (b.input, b.known)),
    "output": lambda a, b: _each("tokens of output", "per call", (a.output, a.known), (b.output, b.known)),
}
FIXED = {
    "price": "The same calls at the prices of both times.",
    "terms": "What was charged beside the usual prices: for long inputs, at some hours, for kinds priced apart.",
    "extras": "What is metered beside tokens: searches, images, seconds.",
    "later": "Calls of earlier days that got their price now.",
    "corrections": "Calls of earlier days that were priced anew now.",
    "withdrawn": "Calls of earlier days that were taken back now.",
    "untold": "Daily sums do not tell these calls apart.",
    "rounding": "Every call is rounded to a whole nano-dollar.",
}
