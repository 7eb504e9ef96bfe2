"""What the levers found, as it is stored with a run. Pure. Money in nano-dollars, of calls whose cost is known."""

from typing import Any

import msgspec

from reports.savings.call import portion
from reports.savings.lever import Terms


class Found(msgspec.Struct, omit_defaults=True):
    """One lever in one workflow.

    `calls` it would change, which costs `alone` less where nothing else is done, and `together` less on top of the
    levers before it. `unpriced` calls it cannot be priced for. `unknown` says why nothing can be said; then `terms` is
    None. `examples` are the calls it saves most on: (ledger id, cost, cost after).
    """

    calls: int = 0
    alone: int = 0
    together: int = 0
    unpriced: int = 0
    terms: Terms | None = None
    unknown: str = ""
    examples: list[tuple[int, int, int]] = []


class OfWorkflow(msgspec.Struct, omit_defaults=True):
    """One workflow's calls of the window: what they cost, and would with all levers together.

    `unknown` calls have no known cost; they are in no sum. `cost` is that of all calls, `before` that of those that
    were looked at: less only in a sample, from which `after` and what levers found is scaled up (`scaled`).
    """

    calls: int = 0
    unknown: int = 0
    cost: int = 0
    before: int = 0
    after: int = 0
    levers: dict[str, Found] = {}

    def scaled(self, amount: int) -> int:
        """Of the calls looked at, scaled to all calls of the workflow by what they cost; itself without a sample."""
        return amount if self.cost == self.before or not self.before else portion(amount, self.cost, self.before)

    @property
    def saved(self) -> int:
        """By all levers together."""
        return sum(self.scaled(one.together) for one in self.levers.values())


class Result(msgspec.Struct):
    """All of it. `workflows` by short name.

    `spent` is what the ledger says of the same days, with corrections of earlier calls; `newest` the last ledger row
    that was read, `share` so many of 10,000 runs.
    """

    spent: int
    calls: int
    taken: int
    share: int
    newest: int
    workflows: dict[str, OfWorkflow]


def read(stored: dict[str, Any]) -> Result:
    """The result of a stored document."""
    return msgspec.convert(stored, Result)


def written(result: Result) -> dict[str, Any]:
    """The document to store."""
    built: dict[str, Any] = msgspec.to_builtins(result)
    return built
