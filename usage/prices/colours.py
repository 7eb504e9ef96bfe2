"""The colour that a model keeps on all pages.

There are five, and Other. A model gets one at first sight, in the order of its use; it is never changed, so the sixth
model shares one with an earlier model. Where two such models meet in one chart, the one known longer keeps its own and
the other borrows a free one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import connection, transaction
from django.db.models import Count

from usage.models import ModelColour

COLOURS: Final = 5
COLOUR_LOCK: Final = 7_061_012  # advisory lock number, ours by choice: one page gives colours at a time


def colours_of(ranked: Sequence[str]) -> dict[str, int]:
    """A colour (1 to 5) for each of the first five models, no two alike. `ranked`: names, the most used first.

    One statement; a few more at the first sight of a model.
    """
    names = list(dict.fromkeys(ranked))[:COLOURS]
    kept = _kept(names)
    if len(kept) < len(names):
        kept = _give(names)
    return apart(names, kept)


def apart(names: Sequence[str], kept: Mapping[str, int]) -> dict[str, int]:
    """Pure: each name's kept colour, and the lowest free one where an earlier name in `kept` has the same."""
    given: dict[str, int] = {}
    waiting = [name for name in names if name not in kept]
    for name, slot in kept.items():
        if name not in names:
            continue
        if slot in given.values():
            waiting.append(name)
        else:
            given[name] = slot
    free = [slot for slot in range(1, COLOURS + 1) if slot not in given.values()]
    return {**given, **dict(zip(waiting, free, strict=False))}


def _kept(names: Sequence[str]) -> dict[str, int]:
    """Name → colour, the model known longest first."""
    return dict(ModelColour.objects.filter(model__in=names).order_by("pk").values_list("model", "slot"))


def _give(names: Sequence[str]) -> dict[str, int]:
    """Keep a colour for those that have none: one that nobody here has, and that the fewest models have."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [COLOUR_LOCK])
        kept = _kept(names)
        counts = dict.fromkeys(range(1, COLOURS + 1), 0)
        counts |= dict(ModelColour.objects.values_list("slot").annotate(Count("pk")))
        for name in names:
            if name in kept:
                continue
            slot = min(counts, key=lambda one: (one in kept.values(), counts[one], one))
            kept[name] = slot
            counts[slot] += 1
            ModelColour.objects.create(model=name, slot=slot)
    return kept
