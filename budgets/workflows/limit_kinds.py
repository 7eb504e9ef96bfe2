"""What a limit may hold, by kind: a whole number, money, numbers by name, names, or how caches may be used. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MOST_NAMES = 50
NAME = re.compile(r"[^\s,;=:\0](?:[^,;=:\0]{0,126}[^\s,;=:\0])?")
AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
CACHE_KINDS = {
    "prompt": "prompt",
    "semantic": "similar question",
    "response": "same question",
    "retrieval": "looked-up text",
    "embedding": "embedding",
}
LONGEST_FRESH = 366 * 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Kind:
    """`problem_with(value, least, most, unit)` is a sentence or None; the others take only values without one."""

    problem_with: Callable[[object, int, int, str], str | None]
    tidied: Callable[[Any], Any]
    in_words: Callable[[Any, str], str]


def problem_with_name(name: object) -> str | None:
    """Of a task type, a kind of step, an environment, a risk, a model."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return None
    return "A name has 1 to 128 characters, without commas, colons or equals signs."


def _whole(value: object, least: int, most: int, unit: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        return f"Give a whole number of {unit} from {least:,} to {most:,}."
    return None


def counted(number: int, unit: str) -> str:
    """ "1 step", "2,000 tokens"."""
    return f"{number:,} {unit.removesuffix('s') if number == 1 else unit}"


def _money(value: object, least: int, most: int, unit: str) -> str | None:
    if not isinstance(value, str) or not AMOUNT.fullmatch(value) or not least < Decimal(value) <= most:
        return f"Give an amount of {unit} above zero as text, at most {most:,}, for example “2.50”."
    return None


def plain(value: str) -> str:
    """Decimal text without idle zeros."""
    return f"{Decimal(value).normalize():f}"


def _dollars(value: str, unit: str) -> str:
    whole, _, rest = plain(value).partition(".")
    return f"${int(whole):,}.{rest:0<2}" if rest else f"${int(whole):,}"


def _wholes(value: object, least: int, most: int, unit: str) -> str | None:
    if not isinstance(value, Mapping) or len(value) > MOST_NAMES:
        return f"Give an object of at most {MOST_NAMES} names, each with a number."
    for name, number in value.items():
        said = problem_with_name(name) or _whole(number, least, most, unit)
        if said:
            return f"{name}: {said}" if isinstance(name, str) and len(name) < 40 else said
    return None


def _names(value: object, least: int, most: int, unit: str) -> str | None:
    if not isinstance(value, list | tuple) or len(value) > MOST_NAMES:
        return f"Give a list of at most {MOST_NAMES} {unit}."
    return next((said for one in value if (said := problem_with_name(one))), None)


def listed(names: list[str], last: str = "or") -> str:
    """ "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _cache(value: object, least: int, most: int, unit: str) -> str | None:
    """{"kinds": […], "similarity_floor": "0.92", "fresh_seconds": 3600}; an empty list of kinds forbids all caches."""
    if not isinstance(value, Mapping):
        return 'Give an object, for example {"kinds": ["prompt"], "fresh_seconds": 3600}.'
    unknown = sorted(set(map(str, value)) - {"kinds", "similarity_floor", "fresh_seconds"})
    if unknown:
        return f"Caches have no setting “{unknown[0][:40]}”. Choose from: kinds, similarity_floor, fresh_seconds."
    kinds = value.get("kinds", [])
    if not isinstance(kinds, list | tuple) or any(one not in list(CACHE_KINDS) for one in kinds):
        return f"Choose the kinds of cache from: {', '.join(CACHE_KINDS)}."
    floor = value.get("similarity_floor")
    if floor is not None and not (isinstance(floor, str) and AMOUNT.fullmatch(floor) and 0 < Decimal(floor) <= 1):
        return "Say how alike two questions must be as a share above 0, at most 1, for example “0.92”."
    fresh = value.get("fresh_seconds")
    if fresh is not None and _whole(fresh, 1, LONGEST_FRESH, "seconds"):
        return f"Say how old an answer may be in whole seconds, from 1 to {LONGEST_FRESH:,}."
    return None


def _tidy_cache(value: Mapping[str, Any]) -> dict[str, Any] | None:
    kinds = [kind for kind in CACHE_KINDS if kind in value.get("kinds", [])]
    tidy: dict[str, Any] = {"kinds": kinds} if "kinds" in value else {}
    if value.get("similarity_floor"):
        tidy["similarity_floor"] = plain(value["similarity_floor"])
    if value.get("fresh_seconds"):
        tidy["fresh_seconds"] = int(value["fresh_seconds"])
    return tidy or None


def _cache_words(value: Mapping[str, Any], unit: str) -> str:
    kinds = [CACHE_KINDS[kind] for kind in value.get("kinds", [])]
    if "kinds" in value and not kinds:
        return "Nothing comes from a cache"
    said = f"May come from a cache: {listed(kinds)}" if kinds else "May come from any cache"
    if value.get("similarity_floor"):
        said += f"; questions at least {plain(str(Decimal(value['similarity_floor']) * 100))}% alike"
    if value.get("fresh_seconds"):
        said += f"; answers at most {duration(value['fresh_seconds'])} old"
    return said


def duration(seconds: int) -> str:
    """ "2 days", "90 minutes": the largest unit that needs no fraction."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return counted(seconds // size, f"{unit}s")
    return counted(seconds, "seconds")


KINDS: dict[str, Kind] = {
    "whole": Kind(_whole, lambda value: value, counted),
    "money": Kind(_money, plain, _dollars),
    "wholes": Kind(
        _wholes,
        lambda value: dict(sorted(value.items())) or None,
        lambda value, unit: listed([f"{counted(number, unit)} in {name}" for name, number in value.items()], "and"),
    ),
    "names": Kind(
        _names,
        lambda value: sorted({" ".join(one.split()) for one in value}) or None,
        lambda value, unit: listed(list(value)),
    ),
    "cache": Kind(_cache, _tidy_cache, _cache_words),
}
