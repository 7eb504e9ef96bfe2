"""What what-if is worked out from: the calls of a window summed by everything that a price or a budget depends on.

Prices are linear in tokens but for two things: steps by the length of the input, so that calls are summed by the class
of length that the price book's steps tell apart; and other metered units, whose calls are summed apart and never move
to another model.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db import connection

from routing.replay.ledger import COST, FIXES, WANTED, Window
from usage.models import PriceEntry


class Group(msgspec.Struct, frozen=True, array_like=True):
    """Calls that are alike, summed; `cost` in nano-dollars of those with a known cost, which alone have tokens here.

    `long` is the class of length of their input: how many of the basis' `steps` it reaches. `metered` calls used units
    other than tokens. `unknown` calls have no known cost.
    """

    workflow: str
    team: str
    environment: str
    tier: int
    provider: str
    model: str
    service_tier: str
    long: int
    metered: bool
    calls: int
    unknown: int
    cost: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int


class Basis(msgspec.Struct, frozen=True):
    """The sums with the lengths of input, ascending, from which on some price has a step."""

    steps: list[int]
    groups: list[Group]

    def length_of(self, group: Group) -> int:
        """An input length of the group's class, which is all that a step asks for."""
        return self.steps[group.long - 1] if group.long else 0


SUMS = f"""
WITH {FIXES}, one AS (
    SELECT w.slug, l.team, l.environment, l.tier, l.provider, l.model, l.service_tier,
        width_bucket(coalesce(l.input_tokens, 0)::bigint, %(steps)s::bigint[]) AS long,
        (l.units IS NOT NULL OR coalesce(l.tags ->> 'imported', '') = 'aggregate') AS metered, {COST} AS known,
        l.input_tokens, l.cached_input_tokens, l.cache_write_tokens, l.output_tokens, l.reasoning_tokens
    {WANTED}
)
SELECT slug, team, environment, tier, provider, model, service_tier, long, metered, count(*), count(*) - count(known),
    coalesce(sum(known), 0)::bigint,
    coalesce(sum(input_tokens) FILTER (WHERE known IS NOT NULL), 0)::bigint,
    coalesce(sum(cached_input_tokens) FILTER (WHERE known IS NOT NULL), 0)::bigint,
    coalesce(sum(cache_write_tokens) FILTER (WHERE known IS NOT NULL), 0)::bigint,
    coalesce(sum(output_tokens) FILTER (WHERE known IS NOT NULL), 0)::bigint,
    coalesce(sum(reasoning_tokens) FILTER (WHERE known IS NOT NULL), 0)::bigint
FROM one GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""


def read_basis(window: Window) -> Basis:
    """From the ledger; two statements."""
    steps = all_steps(PriceEntry.objects.filter(superseded_at=None).exclude(steps=[]).values_list("steps", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(SUMS, {**window.values(), "steps": steps or [2**62]})
        return Basis(steps, [Group(*row) for row in cursor.fetchall()])


def all_steps(stated: Iterable[Sequence[dict[str, Any]]]) -> list[int]:
    """The lengths at which any of these prices has a step, ascending."""
    return sorted({int(one["from_input_tokens"]) for steps in stated for one in steps})


def read(stored: dict[str, Any]) -> Basis:
    """The basis of a stored document."""
    return msgspec.convert(stored, Basis)


def written(basis: Basis) -> dict[str, Any]:
    """The document to store."""
    built: dict[str, Any] = msgspec.to_builtins(basis)
    return built
