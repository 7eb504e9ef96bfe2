"""What the values of dimensions are called on pages: one statement each for workflows and teams that are shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from budgets.models import Team, Workflow
from reports.asking.scope import Scope
from routing.tiers.names import tier_names

STATUSES = {
    "ok": "Answered",
    "error": "Failed",
    "timeout": "Timed out",
    "cancelled": "Cancelled",
    "blocked": "Blocked",
}
SERVICE_TIERS = {"standard": "Standard", "batch": "Batch", "flex": "Flex", "priority": "Priority"}
OTHERS = "Everything else"
NOT_STATED = "Not stated"


@dataclass(frozen=True)
class Names:
    """The words for values of some dimensions."""

    known: Mapping[str, Mapping[str, str]]

    def of(self, dimension: str, value: str | None) -> str:
        """ "Ad copy" for "ad-copy"; None is all others, "" (tier "0") what was not stated."""
        if value is None:
            return OTHERS
        if value == "" or (dimension == "tier" and value == "0"):
            return NOT_STATED
        return self.known.get(dimension, {}).get(value) or (f"Tier {value}" if dimension == "tier" else value)


def names_of(scope: Scope, values: Mapping[str, Iterable[str | None]] | None = None) -> Names:
    """The names of these values of each dimension, or else of what the scope asks for, as its asker may read them.

    The short name of any team may stand in an address or a call; what it is called is said to those who see the team.
    At most three statements, for what needs one.
    """
    values = {one: scope.values(one) for one in scope.narrowed} | dict(values or {})
    known: dict[str, Mapping[str, str]] = {"status": STATUSES, "service_tier": SERVICE_TIERS}
    for dimension, found in values.items():
        slugs = {one for one in found if one}
        if dimension == "workflow" and slugs:
            known[dimension] = dict(Workflow.objects.filter(slug__in=slugs).order_by().values_list("slug", "name"))
        elif dimension == "team" and slugs:
            seen = Team.objects.filter(slug__in=slugs, **({} if scope.teams is None else {"pk__in": scope.teams}))
            known[dimension] = dict(seen.order_by().values_list("slug", "name"))
        elif dimension == "tier" and slugs - {"0"}:
            known[dimension] = {str(number): name for number, name in tier_names().items()}
    return Names(known)
