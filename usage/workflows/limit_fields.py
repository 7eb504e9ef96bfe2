"""Limits as people type them: "2,000", "retrieve 3, troubleshoot 2", "24 hours", and back."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django import forms

from budgets.workflows.guardrails import BY_NAME, LIMITS, Limit
from budgets.workflows.limit_kinds import CACHE_KINDS, duration, plain

SIZES = {"K": 10**3, "M": 10**6, "B": 10**9}
WHOLE = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})\s*([KMBkmb])?")
DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
TIME = re.compile(r"([0-9]{1,9})\s*(s|m|h|d|seconds?|minutes?|hours?|days?)")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
NO_CACHE = "none"
CACHE_PARTS = ("kinds", "floor", "fresh")
CACHE = BY_NAME["cache"]


def limit_fields(prefix: str) -> dict[str, forms.Field]:
    """A form's fields for all limits, named `<prefix><limit>`; a cache has three."""
    found: dict[str, forms.Field] = {}
    for limit in LIMITS:
        if limit is not CACHE:
            says_unit = limit.kind not in {"whole", "money"} or limit.unit.split()[-1] in limit.label
            label = limit.label if says_unit else f"{limit.label}, {limit.unit}"
            widget = forms.TextInput(attrs={"inputmode": _keyboard(limit), "autocomplete": "off"})
            found[f"{prefix}{limit.name}"] = forms.CharField(
                label=label, help_text=limit.hint, required=False, max_length=2000, widget=widget
            )
            continue
        kinds = [(NO_CACHE, "No cache at all"), *((key, words.capitalize()) for key, words in CACHE_KINDS.items())]
        found[f"{prefix}cache_kinds"] = forms.MultipleChoiceField(
            label=CACHE.label,
            choices=kinds,
            required=False,
            widget=forms.CheckboxSelectMultiple,
            help_text=f"None chosen: any cache. {CACHE.hint}",
        )
        found[f"{prefix}cache_floor"] = forms.CharField(
            label="Questions must be alike, percent",
            help_text="For caches of similar questions, for example 92.",
            required=False,
            max_length=20,
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        )
        found[f"{prefix}cache_fresh"] = forms.CharField(
            label="Oldest answer from a cache",
            help_text="For example 24 hours, or 7 days.",
            required=False,
            max_length=40,
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
        )
    return found


def _keyboard(limit: Limit) -> str:
    return {"whole": "numeric", "money": "decimal"}.get(limit.kind, "text")


def field_of(name: str) -> str:
    """The field that shows what is wrong with a limit."""
    return "cache_kinds" if name == "cache" else name


def typed(guardrails: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Stored limits as the fields show them."""
    found: dict[str, Any] = {}
    for name, value in guardrails.items():
        limit = BY_NAME.get(name)
        if limit is None or value is None:
            continue
        if limit is CACHE:
            kinds = value.get("kinds")
            found[f"{prefix}cache_kinds"] = [NO_CACHE] if kinds == [] else list(kinds or [])
            if value.get("similarity_floor"):
                found[f"{prefix}cache_floor"] = plain(str(Decimal(value["similarity_floor"]) * 100))
            if value.get("fresh_seconds"):
                found[f"{prefix}cache_fresh"] = duration(value["fresh_seconds"])
        elif limit.kind == "whole":
            found[f"{prefix}{name}"] = f"{value:,}"
        elif limit.kind == "wholes":
            found[f"{prefix}{name}"] = ", ".join(f"{key} {number}" for key, number in value.items())
        else:
            found[f"{prefix}{name}"] = ", ".join(value) if isinstance(value, list) else str(value)
    return found


def read(cleaned: Mapping[str, Any], prefix: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Limits as they are stored, and field → sentence for what cannot be understood."""
    found: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for limit in LIMITS:
        if limit is CACHE:
            continue
        text = str(cleaned.get(f"{prefix}{limit.name}") or "").strip()
        if not text:
            continue
        try:
            found[limit.name] = READERS[limit.kind](text)
        except ValueError:
            wrong[f"{prefix}{limit.name}"] = (
                limit.hint if limit.kind == "wholes" else limit.problem_with(None) or limit.hint
            )
    cache = dict(_cache(cleaned, prefix, wrong))
    return found | ({"cache": cache} if cache else {}), wrong


def whole(text: str) -> int:
    """ "2,000", "2M". Raises ValueError."""
    match = WHOLE.fullmatch(text)
    if not match:
        raise ValueError(text)
    return int(match[1].replace(",", "")) * SIZES.get((match[2] or "").upper(), 1)


def _money(text: str) -> str:
    bare = text.removeprefix("$").strip().replace(",", "")
    if not DECIMAL.fullmatch(bare):
        raise ValueError(text)
    return bare


def names(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _wholes(text: str) -> dict[str, int]:
    """ "retrieve 3, troubleshoot 2"; an equals sign or a colon may stand between."""
    found = {}
    for part in names(text):
        name, _, number = part.replace("=", " ").replace(":", " ").strip().rpartition(" ")
        if not name.strip():
            raise ValueError(part)
        found[name.strip()] = whole(number)
    return found


READERS = {"whole": whole, "money": _money, "names": names, "wholes": _wholes}


def _cache(cleaned: Mapping[str, Any], prefix: str, wrong: dict[str, str]) -> Iterator[tuple[str, Any]]:
    kinds = cleaned.get(f"{prefix}cache_kinds") or []
    if NO_CACHE in kinds and len(kinds) > 1:
        wrong[f"{prefix}cache_kinds"] = "Choose either kinds of cache or none at all."
    elif kinds:
        yield "kinds", [] if NO_CACHE in kinds else list(kinds)
    floor = str(cleaned.get(f"{prefix}cache_floor") or "").strip().removesuffix("%").strip()
    if floor:
        if DECIMAL.fullmatch(floor) and 0 < Decimal(floor) <= 100:
            yield "similarity_floor", plain(str(Decimal(floor) / 100))
        else:
            wrong[f"{prefix}cache_floor"] = "Give a percent above 0, at most 100."
    fresh = str(cleaned.get(f"{prefix}cache_fresh") or "").strip().lower()
    if fresh:
        match = TIME.fullmatch(fresh)
        if match:
            yield "fresh_seconds", int(match[1]) * SECONDS[match[2][0]]
        else:
            wrong[f"{prefix}cache_fresh"] = "Write a number and a unit, for example 24 hours or 7 days."
