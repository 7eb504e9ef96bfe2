"""The tables of a run of levers, made once for page and CSV, of the workflows that a reader sees. Pure.

Every total is the sum of its rows: what levers save together is summed over workflows, never over levers alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reports.savings.lever import STAGES, Lever
from reports.savings.levers import LEVERS
from reports.savings.result import Found, OfWorkflow, Result

Seen = Collection[str] | None


@dataclass(frozen=True, slots=True)
class Row:
    """One lever in one workflow; money in nano-dollars per thirty days, scaled up where calls were sampled."""

    slug: str
    name: str
    found: Found
    cost: int
    alone: int
    together: int


@dataclass(frozen=True, slots=True)
class LeverRow:
    """One lever over all workflows. `unknown` are those where nothing can be said, which cost `unknown_cost`."""

    lever: Lever
    rows: tuple[Row, ...]
    unknown: tuple[Row, ...]

    @property
    def alone(self) -> int:
        return sum(row.alone for row in self.rows)

    @property
    def together(self) -> int:
        return sum(row.together for row in self.rows)

    @property
    def calls(self) -> int:
        return sum(row.found.calls for row in self.rows)

    @property
    def unpriced(self) -> int:
        return sum(row.found.unpriced for row in self.rows)

    @property
    def unknown_cost(self) -> int:
        return sum(row.cost for row in self.unknown)


@dataclass(frozen=True, slots=True)
class Group:
    """The levers of one stage in their order."""

    words: str
    key: str
    rows: tuple[LeverRow, ...]


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """One workflow with all levers. `best` is the lever that saves most on top of those before it."""

    slug: str
    name: str
    of: OfWorkflow
    best: str

    @property
    def cost(self) -> int:
        return self.of.cost

    @property
    def is_unknown(self) -> bool:
        """Whether the cost of none of its calls is known: never to be shown as nothing."""
        return self.of.unknown == self.of.calls > 0

    @property
    def saved(self) -> int:
        return self.of.saved

    @property
    def after(self) -> int:
        return self.cost - self.saved


@dataclass(frozen=True, slots=True)
class Shown:
    """All of it. Costs are those of calls with a known cost, nano-dollars."""

    groups: tuple[Group, ...]
    workflows: tuple[WorkflowRow, ...]

    @property
    def levers(self) -> list[LeverRow]:
        return [row for group in self.groups for row in group.rows]

    @property
    def cost(self) -> int:
        return sum(row.cost for row in self.workflows)

    @property
    def saved(self) -> int:
        """By all levers together, in their order."""
        return sum(row.saved for row in self.workflows)

    @property
    def after(self) -> int:
        return self.cost - self.saved

    @property
    def calls(self) -> int:
        return sum(row.of.calls for row in self.workflows)

    @property
    def without_cost(self) -> int:
        """Calls whose cost is unknown."""
        return sum(row.of.unknown for row in self.workflows)


def shown(result: Result, names: Mapping[str, str], seen: Seen = None) -> Shown:
    """The tables, of the workflows in `seen` (None: all), by their names."""
    of = {slug: one for slug, one in result.workflows.items() if seen is None or slug in seen}
    rows = [lever_row(lever, of, names) for lever in LEVERS]
    groups = tuple(
        Group(words, key, tuple(row for row in rows if row.lever.stage == key)) for key, words in STAGES.items()
    )
    workflows = [WorkflowRow(slug, names.get(slug, slug), one, best_of(one)) for slug, one in of.items()]
    return Shown(groups, tuple(sorted(workflows, key=lambda row: (-row.saved, -row.cost, row.slug))))


def lever_row(lever: Lever, of: Mapping[str, OfWorkflow], names: Mapping[str, str]) -> LeverRow:
    """One lever's workflows: where it saves most alone first, and the dearest of those where it is unknown."""
    rows = [
        Row(slug, names.get(slug, slug), found, one.cost, one.scaled(found.alone), one.scaled(found.together))
        for slug, one in of.items()
        if (found := one.levers.get(lever.key)) is not None
    ]
    known = sorted((row for row in rows if row.found.terms), key=lambda row: (-row.alone, -row.together, row.slug))
    unknown = sorted((row for row in rows if row.found.unknown), key=lambda row: (-row.cost, row.slug))
    return LeverRow(lever, tuple(known), tuple(unknown))


def best_of(of: OfWorkflow) -> str:
    """The name of the lever that adds most; "" where none saves anything."""
    found = [
        (of.scaled(found.together), -lever.place, lever.name) for lever in LEVERS if (found := of.levers.get(lever.key))
    ]
    most = max(found, default=(0, 0, ""))
    return most[2] if most[0] > 0 else ""
