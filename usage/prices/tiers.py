"""Which tier a model belonged to at a time, from the dated catalogue that publishing a policy writes."""

import threading
from bisect import bisect_right
from datetime import datetime
from typing import NamedTuple

from usage.models import ModelTier
from usage.prices import book

UNKNOWN = 0


class _Held(NamedTuple):
    generation: int
    dated: dict[tuple[str, str], tuple[list[datetime], list[int]]]


_held: _Held | None = None
_loading = threading.Lock()


def tier_of(generation: int, provider: str, model: str, time: datetime) -> int:
    """The tier at `time` (aware), 0 for unknown; from memory.

    Names are matched as sent, then in the price book's words, so that a dated name counts as its model. A catalogue
    row without a provider holds for that model at every provider.
    """
    held = _held
    if held is None or held.generation != generation:
        held = _load(generation)
    if not held.dated:
        return UNKNOWN
    dated = held.dated
    found = dated.get((provider, model)) or dated.get(("", model))
    if found is None:
        canonical = book.current(generation).canonical(provider, model)
        found = dated.get(canonical) or dated.get((canonical[0], model)) or dated.get(("", canonical[1]))
        if found is None:
            return UNKNOWN
    index = bisect_right(found[0], time) - 1
    return found[1][index] if index >= 0 else UNKNOWN


def _load(generation: int) -> _Held:
    global _held
    with _loading:
        if _held is not None and _held.generation == generation:
            return _held
        dated: dict[tuple[str, str], tuple[list[datetime], list[int]]] = {}
        for row in ModelTier.objects.order_by("valid_from"):
            starts, tiers = dated.setdefault((row.provider, row.model), ([], []))
            starts.append(row.valid_from)
            tiers.append(row.tier)
        _held = _Held(generation, dated)
        return _held


def forget() -> None:
    """Read anew at the next call; for a process that restored a backup, and for tests."""
    global _held
    with _loading:
        _held = None
