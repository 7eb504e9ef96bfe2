"""Which budgets a call counts against: all of them in memory, one dictionary look-up for a combination seen before."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from budgets.limits.scope import split_tag
from budgets.models import Budget

MAX_REMEMBERED = 16_384  # combinations; at ten texts of 128 characters each some 20 MB at the very most


@dataclass(frozen=True, slots=True)
class BudgetRef:
    """A budget that a call counts against, and in what: money, tokens or calls."""

    id: int
    metric: str


_Scope: TypeAlias = tuple[int, str, Mapping[str, str]]
_Key: TypeAlias = tuple[str | None, ...]


class BudgetBook:
    """Every budget that counts under one generation. Paused ones count too; archived ones do not.

    `dimensions` are those that any budget uses, tags apart; `tag_keys` the tag names that any uses. Only these decide,
    so their values are the key under which an answer is remembered.
    """

    def __init__(self, generation: int, budgets: Iterable[_Scope]) -> None:
        """`budgets` are (id, metric, scope)."""
        self.generation = generation
        by_shape: dict[tuple[str, ...], dict[_Key, list[BudgetRef]]] = defaultdict(lambda: defaultdict(list))
        dimensions: set[str] = set()
        tag_keys: set[str] = set()
        for budget_id, metric, scope in budgets:
            wanted = {dimension: value for dimension, value in scope.items() if dimension != "tag"}
            dimensions.update(wanted)
            if "tag" in scope:
                tag_key, tag_value = split_tag(scope["tag"])
                tag_keys.add(tag_key)
                wanted[f"tag:{tag_key}"] = tag_value
            shape = tuple(sorted(wanted))
            by_shape[shape][tuple(wanted[name] for name in shape)].append(BudgetRef(budget_id, metric))
        self.dimensions: tuple[str, ...] = tuple(sorted(dimensions))
        self.tag_keys: tuple[str, ...] = tuple(sorted(tag_keys))
        position = {name: n for n, name in enumerate((*self.dimensions, *(f"tag:{key}" for key in self.tag_keys)))}
        self._shapes = [
            (tuple(position[name] for name in shape), {values: tuple(refs) for values, refs in wanted.items()})
            for shape, wanted in by_shape.items()
        ]
        self._remembered: dict[_Key, tuple[BudgetRef, ...]] = {}

    def match(self, attributes: Mapping[str, str], tags: Mapping[str, str] | None = None) -> tuple[BudgetRef, ...]:
        """The budgets whose whole scope holds. A dimension that is missing or empty matches only budgets without it."""
        key: _Key = tuple(map(attributes.get, self.dimensions))
        if self.tag_keys:
            key += tuple(map(tags.get, self.tag_keys)) if tags else (None,) * len(self.tag_keys)
        found = self._remembered.get(key)
        if found is None:
            found = self._find(key)
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def _find(self, key: _Key) -> tuple[BudgetRef, ...]:
        found: list[BudgetRef] = []
        for positions, wanted in self._shapes:
            found += wanted.get(tuple(key[n] for n in positions), ())
        return tuple(sorted(found, key=lambda ref: ref.id))


_lock = threading.Lock()
_newest: BudgetBook | None = None


def current(generation: int) -> BudgetBook:
    """The book of `generation`, read from the database once per process and generation.

    Exact for a caller that holds the configuration lock, shared or exclusive, under which it read `generation`.
    """
    global _newest
    book = _newest
    if book is not None and book.generation == generation:
        return book
    with _lock:
        if _newest is None or _newest.generation != generation:
            _newest = load(generation)
        return _newest


def load(generation: int) -> BudgetBook:
    """A book from one query, not remembered."""
    budgets = Budget.objects.exclude(status=Budget.Status.ARCHIVED).order_by("id").values_list("id", "metric", "scope")
    return BudgetBook(generation, budgets.iterator(chunk_size=5_000))


def forget() -> None:
    """Read anew at the next call: for a process that restored a backup, and for tests that roll back."""
    global _newest
    with _lock:
        _newest = None
