"""The price book in memory: which entry prices a call, found in microseconds.

An override beats a seeded entry. A service tier without a price of its own is **unpriced**: batch or priority traffic
at the standard price would be a wrong figure that looks right, and stays one; unpriced is counted, shown, and mended by
an override and a re-price run. The same holds before the first date an entry is valid from.
"""

import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from django.db import connection

from usage.models import PriceEntry
from usage.prices.names import Meaning, canonical_provider, meaning_of
from usage.prices.price import Price, price_from

__all__ = ["Price", "PriceBook", "current", "forget"]

STANDARD: Final = "standard"
MEMO_SIZE: Final = 20_000  # distinct (provider, model, service tier) as senders write them
ENDLESS: Final = datetime.max.replace(tzinfo=UTC)

# Changes with every insert, update and delete of an entry in force: each writes a row version with a transaction and a
# command of its own.
FINGERPRINT = (
    "SELECT count(*), coalesce(sum(id), 0), coalesce(sum(xmin::text::bigint), 0), "
    "coalesce(sum(cmin::text::bigint), 0) "
    "FROM usage_priceentry WHERE superseded_at IS NULL"
)
COLUMNS = (
    "id", "provider", "model", "service_tier", "valid_from", "valid_to", "origin",
    "input", "cached_input", "cache_write", "output", "units", "steps", "hours",
)  # fmt: skip


class Dated(NamedTuple):
    """An entry's columns with its dates."""

    valid_from: datetime
    valid_to: datetime
    values: dict[str, Any]


class Timeline(NamedTuple):
    """`prices[i]` holds from `starts[i]` to `starts[i + 1]`; None where nothing is priced."""

    starts: list[datetime]
    prices: list[Price | None]


Key = tuple[str, str, str]
UNPRICED: Final = Timeline([datetime.min.replace(tzinfo=UTC)], [None])


class PriceBook:
    """All entries in force, by (provider, model, service tier) in lower case. Only its memo changes."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self._seeded: dict[Key, list[Dated]] = defaultdict(list)
        self._overrides: dict[Key, list[Dated]] = defaultdict(list)
        self.size = 0
        for row in rows:
            entries = self._overrides if row["origin"] == PriceEntry.Origin.OVERRIDE else self._seeded
            key = (row["provider"].casefold(), row["model"].casefold(), row["service_tier"])
            entries[key].append(Dated(row["valid_from"], row["valid_to"] or ENDLESS, row))
            self.size += 1
        self._memo: dict[Key, Timeline] = {}
        self._meanings: dict[tuple[str, str], Meaning | None] = {}

    def find(self, provider: str, model: str, service_tier: str, time: datetime) -> Price | None:
        """The price of a call that ended at `time` (aware); None: unpriced. `provider` may be empty."""
        timeline = self._memo.get((provider, model, service_tier))
        if timeline is None:
            timeline = self._remember(provider, model, service_tier)
        price = timeline.prices[bisect_right(timeline.starts, time) - 1]
        if price is not None and price.windows:
            return price.at(time)
        return price

    def canonical(self, provider: str, model: str) -> tuple[str, str]:
        """(provider, model) in the book's words; as sent (provider in lower case) where nobody knows them."""
        meaning = self.meaning(provider, model)
        if meaning is not None:
            return meaning.provider, meaning.model
        return canonical_provider(provider) if provider else "", model

    def _remember(self, provider: str, model: str, service_tier: str) -> Timeline:
        timeline = self._timeline(provider, model, service_tier or STANDARD)
        if len(self._memo) >= MEMO_SIZE:  # senders that make names up must not fill the memory
            self._memo = {}
        self._memo[(provider, model, service_tier)] = timeline
        return timeline

    def meaning(self, provider: str, model: str) -> Meaning | None:
        """What the names mean to the book, remembered: finding out tries hundreds of rules."""
        key = (provider, model)
        if key not in self._meanings:
            if len(self._meanings) >= MEMO_SIZE:
                self._meanings = {}
            self._meanings[key] = meaning_of(provider, model)
        return self._meanings.get(key)

    def _timeline(self, provider: str, model: str, service_tier: str) -> Timeline:
        """Whose prices apply, the strongest first: overrides as the call names it, then as the book names it; seeds."""
        meaning = self.meaning(provider, model)
        names = [(provider.strip().casefold(), model.strip().casefold())]
        shown = (canonical_provider(provider) if provider else "", model)
        if shown[0] != names[0][0]:
            names.append((shown[0], names[0][1]))
        if meaning is not None:
            shown = (meaning.provider, meaning.model)
            names.append((meaning.provider, names[0][1]))
            names.append((meaning.provider.casefold(), meaning.model.casefold()))
        names = list(dict.fromkeys(names))
        layers = [self._overrides.get((*name, service_tier), []) for name in names]
        layers += [self._seeded.get((*name, service_tier), []) for name in names]
        if meaning is not None and meaning.listed_by != meaning.provider and service_tier == STANDARD:
            # The vendor's list price, not what was negotiated with the vendor; and its batch prices are not the host's.
            layers.append(self._seeded.get((meaning.listed_by, meaning.model.casefold(), service_tier), []))
        return _merged([layer for layer in layers if layer], shown, service_tier)


def _merged(layers: Sequence[Sequence[Dated]], shown: tuple[str, str], service_tier: str) -> Timeline:
    """One timeline from layers of entries, earlier layers first; entries of one layer do not overlap."""
    if not layers:
        return UNPRICED
    edges = {moment for layer in layers for dated in layer for moment in (dated.valid_from, dated.valid_to)}
    made: dict[int, Price] = {}
    starts, prices = list(UNPRICED.starts), list(UNPRICED.prices)
    for start in sorted(edges - {ENDLESS}):
        price = None
        for dated in (dated for layer in layers for dated in layer):
            if dated.valid_from <= start < dated.valid_to:
                entry = dated.values["id"]
                price = made.get(entry) or price_from(entry, *shown, service_tier, dated.values)
                made[entry] = price
                break
        if price is not prices[-1]:
            starts.append(start)
            prices.append(price)
    return Timeline(starts, prices)


class _Held(NamedTuple):
    generation: int
    fingerprint: tuple[int, ...]
    book: PriceBook


_held: _Held | None = None
_loading = threading.Lock()


def current(generation: int) -> PriceBook:
    """The book under `generation`, from this process's memory.

    A new generation costs one small query; the entries are read again only when one of them changed, since the
    generation grows with budgets and workflows too. Not to be called inside `changing_configuration`: a generation
    that is rolled back would be remembered.
    """
    held = _held
    if held is not None and held.generation == generation:
        return held.book
    with _loading:
        return _load(generation)


def _load(generation: int) -> PriceBook:
    global _held
    with connection.cursor() as cursor:
        cursor.execute(FINGERPRINT)
        fingerprint = tuple(int(number) for number in cursor.fetchone())
    held = _held
    if held is not None and held.fingerprint == fingerprint:
        book = held.book
    else:
        book = PriceBook(PriceEntry.objects.filter(superseded_at=None).order_by("id").values(*COLUMNS))
    _held = _Held(generation, fingerprint, book)
    return book


def forget() -> None:
    """Read anew at the next call; for a process that restored a backup, and for tests."""
    global _held
    with _loading:
        _held = None
