"""The parts in words: what each is called, and the one sentence that comes first. No queries."""

from collections.abc import Mapping
from typing import Final

from budgets.pages.amounts import MINUS, amount
from reports.asking.layers import LAYER_WORDS

LABELS: Final = {
    "runs": "Runs",
    "workflows": "New and ended workflows",
    "calls": "Calls outside runs",
    "channels": "Channels per run",
    "steps": "Steps per run",
    "retries": "Retries and failures",
    "context": "Length of input",
    **{f"context.{layer}": f"Length of input: {words}" for layer, words in LAYER_WORDS.items()},
    "output": "Length of answers",
    "cache": "Caching",
    "model": "Choice of model",
    "service_tier": "Service tier",
    "prompt_version": "Prompt version",
    "price": "Prices",
    "terms": "Long-input and hourly prices",
    "extras": "Searches, images and other extras",
    "unknown": "Calls without a known cost",
    "later": "Calls priced later",
    "corrections": "Corrections of earlier calls",
    "withdrawn": "Calls taken back",
    "plan": "The plan itself",
    "pending": "Not counted yet",
    "untold": "Not told apart",
    "rounding": "Rounding",
}
ORDER: Final = {key: place for place, key in enumerate(LABELS)}
# When it costs more, and when it costs less.
PHRASES: Final = {
    "runs": ("more runs", "fewer runs"),
    "workflows": ("newly used workflows", "workflows no longer used"),
    "calls": ("more calls outside runs", "fewer calls outside runs"),
    "channels": ("more channels per run", "fewer channels per run"),
    "steps": ("more steps per run", "fewer steps per run"),
    "retries": ("more retries", "fewer retries"),
    "context": ("longer inputs", "shorter inputs"),
    "output": ("longer answers", "shorter answers"),
    "cache": ("less caching", "more caching"),
    "model": ("dearer models", "cheaper models"),
    "service_tier": ("a dearer service tier", "a cheaper service tier"),
    "prompt_version": ("another prompt version", "another prompt version"),
    "price": ("higher prices", "lower prices"),
    "terms": ("long-input and hourly prices", "lower long-input and hourly prices"),
    "extras": ("more extras", "fewer extras"),
    "unknown": ("fewer calls without a known cost", "more calls without a known cost"),
    "later": ("calls priced later", "fewer calls priced later"),
    "corrections": ("corrections of earlier calls", "corrections of earlier calls"),
    "withdrawn": ("fewer calls taken back", "calls taken back"),
    "plan": ("a plan below what was used before", "the plan's room for growth"),
    "pending": ("calls that are not counted yet", "calls that are not counted yet"),
    "untold": ("what cannot be told apart", "what cannot be told apart"),
    "rounding": ("rounding", "rounding"),
}
NAMED: Final = 3  # parts in the sentence
WORTH: Final = 20  # a part under one in so many of the largest is not named


def whole_of(key: str) -> str:
    """ "context" for "context.history": the part that a layer is of."""
    return key.partition(".")[0]


def phrase(key: str, part: int) -> str:
    """ "longer inputs" for a part of it that costs more."""
    more, less = PHRASES[whole_of(key)]
    return more if part >= 0 else less


def gathered(parts: Mapping[str, int]) -> dict[str, int]:
    """With the layers of the input as one part, the largest amounts first."""
    found: dict[str, int] = {}
    for key, part in parts.items():
        name = whole_of(key)
        found[name] = found.get(name, 0) + part
    return dict(sorted(found.items(), key=lambda pair: (-abs(pair[1]), ORDER[pair[0]])))


def headline(difference: int, parts: Mapping[str, int], than: str, measure: str = "money") -> str:
    """ "$420 more than 1–31 Oct: mostly longer inputs (+$250) and more runs (+$120); more caching took back $30."

    `than` says what is compared with: "1–31 Oct", "the plan".
    """
    found = {key: part for key, part in gathered(parts).items() if part}
    side = 1 if difference >= 0 else -1
    largest = max((abs(part) for part in found.values()), default=0)
    named = {key: part for key, part in found.items() if abs(part) * WORTH >= largest}
    along = [(key, part) for key, part in named.items() if part * side > 0][:NAMED]
    against = [(key, part) for key, part in named.items() if part * side < 0][: NAMED - 1]
    if not difference:
        if not found:
            return f"Exactly as much as {than}."
        said = _listed([f"{phrase(key, part)} ({signed(part, measure)})" for key, part in list(named.items())[:NAMED]])
        return f"Exactly as much as {than}: {said} make up for each other."
    first = f"{amount(abs(difference), measure)} {'more' if side > 0 else 'less'} than {than}"
    if not along:
        return f"{first}."
    all_along = sum(part * side for part in found.values() if part * side > 0)
    mostly = "mostly " if sum(part * side for _, part in along) < all_along else ""
    said = f"{first}: {mostly}{_listed([f'{phrase(key, part)} ({signed(part, measure)})' for key, part in along])}"
    if against:
        back = "took back" if side > 0 else "added"
        said += "; " + _listed([f"{phrase(key, part)} {back} {amount(abs(part), measure)}" for key, part in against])
    return f"{said}."


def causes(parts: Mapping[str, int], most: int = 2) -> str:
    """ "longer inputs and more runs": the parts that added most, for what stands beside unusual spend; "" for none."""
    found = {key: part for key, part in gathered(parts).items() if part > 0}
    largest = max(found.values(), default=0)
    named = [key for key, part in found.items() if part * 4 >= largest][:most]
    return _listed([_detailed(key, parts) for key in named])


def _detailed(key: str, parts: Mapping[str, int]) -> str:
    """With the layer that most of a longer input is."""
    layers = {name: part for name, part in parts.items() if name.startswith(f"{key}.") and part > 0}
    if layers:
        name = max(layers, key=lambda one: (layers[one], one))
        if layers[name] * 2 >= sum(part for one, part in parts.items() if whole_of(one) == key):
            return f"{phrase(key, 1)} ({LAYER_WORDS[name.partition('.')[2]]})"
    return phrase(key, 1)


def signed(part: int, measure: str = "money") -> str:
    """ "+$250", "−$30"."""
    return f"{'+' if part >= 0 else MINUS}{amount(abs(part), measure)}"


def _listed(many: list[str]) -> str:
    return many[0] if len(many) == 1 else f"{', '.join(many[:-1])} and {many[-1]}" if many else ""
