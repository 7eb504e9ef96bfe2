"""What of the spend the address asks for: which teams, workflows, models … A frozen value, and the same as SQL.

Values are as the ledger states them, `tier` as a number in text; "" and tier "0" stand for not stated, which an address
writes as a dash. Several values of one dimension mean any of them, several dimensions all of them. A merged workflow
counts as the one it was merged into.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from budgets.access.reachable import reachable
from budgets.access.roles import VIEW, reach
from budgets.models import Workflow

CORE = (
    "team",
    "workflow",
    "provider",
    "model",
    "tier",
    "environment",
    "service_tier",
    "stage",
    "task_type",
    "status",
)
WIDE = ("user", "customer", "application", "campaign", "channel", "tag")
DIMENSIONS = CORE + WIDE
# What rollups of a wide dimension hold beside it.
BESIDE_WIDE = frozenset({"workflow", "provider", "model"})
NAMES = {
    "team": "Team",
    "workflow": "Workflow",
    "provider": "Provider",
    "model": "Model",
    "tier": "Tier",
    "environment": "Environment",
    "service_tier": "Service tier",
    "stage": "Stage",
    "task_type": "Kind of task",
    "status": "Result",
    "user": "User",
    "customer": "Customer",
    "application": "Application",
    "campaign": "Campaign",
    "channel": "Channel",
    "tag": "Tag",
}
STATUSES = ("ok", "error", "timeout", "cancelled", "blocked")
SERVICE_TIERS = ("standard", "batch", "flex", "priority")
TIERS = tuple(str(number) for number in range(100))
LONGEST = 300  # characters of a value; tags have a key and a value
MOST = 50  # values of one dimension
NOT_STATED = "-"

# The ids under which usage of these workflows stands: their own and their aliases'.
WORKFLOW_IDS = """ARRAY(SELECT one.id FROM budgets_workflow one
    LEFT JOIN budgets_workflow target ON target.id = one.merged_into_id
    WHERE coalesce(target.slug, one.slug) = ANY(%(scope_workflow)s::text[]))"""
COLUMNS = {"user": "user_name"}


@dataclass(frozen=True)
class Scope:
    """What is asked for; an empty tuple is all. `within`: the ids of the workflows that the asker sees, None for all.

    `teams` are the ids of the teams whose names the asker may read, None for all; it narrows nothing.

    The SQL of it is a condition that may follow WHERE, "TRUE" where nothing is narrowed; its values are put into the
    `params` given. `core_sql` fits tables with the core dimensions (`usage_coreday`, `usage_quarterhour`), `wide_sql`
    `usage_wide_day`, `ledger_sql` the ledger, `run_sql` whatever has a `workflow_id`.
    """

    team: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    tier: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    service_tier: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    task_type: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    customer: tuple[str, ...] = ()
    application: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    within: frozenset[int] | None = None
    teams: frozenset[int] | None = None

    def values(self, dimension: str) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self, dimension)
        return found

    @property
    def narrowed(self) -> tuple[str, ...]:
        """The dimensions that are narrowed, in their order."""
        return tuple(one for one in DIMENSIONS if self.values(one))

    @property
    def wides(self) -> tuple[str, ...]:
        """The wide ones of them."""
        return tuple(one for one in WIDE if self.values(one))

    @property
    def only_core(self) -> bool:
        """Whether tables of the core dimensions know all that is asked."""
        return not self.wides

    def only(self, dimension: str, *values: str) -> "Scope":
        """The same, with these values of the dimension instead of what was asked."""
        changed: dict[str, Any] = {dimension: values}
        return replace(self, **changed)

    def without(self, dimension: str, value: str | None = None) -> "Scope":
        """The same without this value of the dimension, or without all."""
        kept = () if value is None else tuple(one for one in self.values(dimension) if one != value)
        return self.only(dimension, *kept)

    def pairs(self) -> list[tuple[str, str]]:
        """What stands in an address for it."""
        return [(one, written(value)) for one in self.narrowed for value in self.values(one)]

    def query(self) -> str:
        """The same as a query string, without a question mark; "" for everything."""
        return urlencode(self.pairs())

    def core_sql(self, params: dict[str, Any], table: str = "") -> str:
        """For tables with the core dimensions. Wide ones are left out: see `only_core`."""
        return _all(self._core(params, table, CORE))

    def run_sql(self, params: dict[str, Any], table: str = "") -> str:
        """For tables that know the workflow and nothing else of it."""
        return _all(self._core(params, table, ("workflow",)))

    def wide_sql(self, params: dict[str, Any], dimension: str, table: str = "") -> str:
        """For `usage_wide_day`, of this wide dimension, and what is beside it: workflow, provider and model."""
        params["scope_dimension"] = dimension
        found = [f"{_dot(table)}dimension = %(scope_dimension)s", *self._core(params, table, BESIDE_WIDE)]
        if self.values(dimension):
            found.append(f"{_dot(table)}value = ANY(%(scope_{dimension})s::text[])")
            params[f"scope_{dimension}"] = list(self.values(dimension))
        return _all(found)

    def ledger_sql(self, params: dict[str, Any], table: str = "") -> str:
        """For the ledger, which knows everything."""
        found = self._core(params, table, CORE)
        for one in self.wides:
            params[f"scope_{one}"] = list(self.values(one))
            found.append(_tagged(table) if one == "tag" else f"coalesce({_dot(table)}{COLUMNS.get(one, one)}, '') "
                         f"= ANY(%(scope_{one})s::text[])")  # fmt: skip
        return _all(found)

    def _core(self, params: dict[str, Any], table: str, dimensions: Iterable[str]) -> list[str]:
        found, dot = [], _dot(table)
        for one in CORE:
            if one not in dimensions or not self.values(one):
                continue
            params[f"scope_{one}"] = [int(v) for v in self.tier] if one == "tier" else list(self.values(one))
            if one == "workflow":
                found.append(f"{dot}workflow_id = ANY({WORKFLOW_IDS})")
            else:
                found.append(f"{dot}{one} = ANY(%(scope_{one})s::{'int' if one == 'tier' else 'text'}[])")
        if self.within is not None:
            params["scope_within"] = sorted(self.within)
            found.append(f"{dot}workflow_id = ANY(%(scope_within)s::int[])")
        return found


SCOPE_KEYS = frozenset(DIMENSIONS)
assert {one.name for one in fields(Scope)} == SCOPE_KEYS | {"within", "teams"}


def scope_of(query: QueryDict | Mapping[str, str], user: Any) -> tuple[Scope, tuple[str, ...]]:
    """What the address asks for, narrowed to what `user` (a person or a key) sees; and sentences on what it left out.

    A workflow that was merged is the one it was merged into. At most two statements.
    """
    asked, notes = _asked(query)
    reached = reach(user, VIEW)
    within = None if reached.everything else frozenset(reachable(Workflow, user).values_list("pk", flat=True))
    teams = None if reached.everything else reached.team_ids
    if slugs := asked.get("workflow"):
        rows = Workflow.objects.filter(slug__in=slugs).values_list("slug", "merged_into__slug", "pk")
        known = {slug: target or slug for slug, target, pk in rows if within is None or pk in within}
        missing = [slug for slug in slugs if slug not in known]
        notes += [f"No workflow is called “{slug[:40]}”; that filter was left out." for slug in missing]
        asked["workflow"] = tuple(dict.fromkeys(known[slug] for slug in slugs if slug in known))
    return Scope(**asked, within=within, teams=teams), tuple(notes)


def _asked(query: QueryDict | Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values for each dimension that can be values of it."""
    asked: dict[str, Any] = {}
    notes: list[str] = []
    for one in DIMENSIONS:
        given = query.getlist(one) if isinstance(query, QueryDict) else [query[one]] if one in query else []
        values = tuple(dict.fromkeys(read(value) for value in given if value))
        wrong = [value for value in values if not can_be(one, value)]
        notes += [f"“{value[:40]}” cannot be a {NAMES[one].lower()}; it was left out." for value in wrong[:3]]
        kept = tuple(value for value in values if value not in wrong)
        if len(kept) > MOST:
            notes.append(f"At most {MOST} values of {NAMES[one].lower()} can be chosen; the rest were left out.")
        if kept:
            asked[one] = kept[:MOST]
    if "tier" in asked:
        asked["tier"] = tuple(value or "0" for value in asked["tier"])
    return asked, notes


def can_be(dimension: str, value: str) -> bool:
    """Whether there could be such a value at all."""
    if dimension == "tier":
        return value == "" or value in TIERS
    if dimension == "status":
        return value == "" or value in STATUSES
    if dimension == "service_tier":
        return value == "" or value in SERVICE_TIERS
    if dimension == "tag" and value and "=" not in value:
        return False
    return len(value) <= LONGEST and "\0" not in value


def written(value: str) -> str:
    """A value as an address has it: a dash for not stated, so that a value of dashes gets one more."""
    return value + NOT_STATED if not value.strip(NOT_STATED) else value


def read(text: str) -> str:
    """Undo `written`."""
    return text[:-1] if text and not text.strip(NOT_STATED) else text


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


def _dot(table: str) -> str:
    return f"{table}." if table else ""


def _tagged(table: str) -> str:
    """Any of the tags; "" for calls without one."""
    tags = f"{_dot(table)}tags"
    return (
        f"(EXISTS (SELECT FROM jsonb_each_text({tags}) AS pair "
        f"WHERE pair.key || '=' || pair.value = ANY(%(scope_tag)s::text[])) "
        f"OR ('' = ANY(%(scope_tag)s::text[]) AND coalesce({tags}, '{{}}'::jsonb) = '{{}}'::jsonb))"
    )
