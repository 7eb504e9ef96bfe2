"""A bundle's document laid out for deciding: made once per bundle, then only read. Pure.

Money is nano-dollars, instants are seconds since 1970, so that a decision compares whole numbers only.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any

from tokenops_sdk.models import TierModel, tier_of
from tokenops_sdk.rules import Outcome, Rules
from tokenops_sdk.switches import Switches

NANO = 1_000_000_000
SLACK = 5  # percent: remaining amounts are told rounded down to this step
SENSITIVE = "sensitive"
PLACE = attrgetter("place")
METRICS = ("money", "tokens", "calls")
DIMENSIONS = ("team", "workflow", "environment", "user", "application", "customer", "model", "provider", "tier")


class Workflow:
    """The workflow that a call counts as. `limits` by task type; "" holds those without one of their own."""

    __slots__ = ("default_tier", "limits", "risks", "slug", "team", "weight")

    def __init__(self, slug: str, said: Mapping[str, Any]) -> None:
        self.slug = slug
        self.team: str = said.get("team") or ""
        self.default_tier: int | None = said.get("default_tier")
        self.weight = Decimal(said.get("value_weight") or "1")
        self.risks = frozenset(said.get("risk_categories") or ())
        own = dict(said.get("guardrails") or {})
        by_type = own.pop("by_task_type", {})
        self.limits: dict[str, Mapping[str, Any]] = {"": own, **{one: {**own, **its} for one, its in by_type.items()}}

    def limits_of(self, task_type: str) -> Mapping[str, Any]:
        """The limits that hold for calls of a task type, as docs/limits.md names them."""
        return self.limits.get(task_type) or self.limits[""]


class Budget:
    """`room`: what can be left at most, in hundredths of nano-dollars, tokens or calls."""

    __slots__ = (
        "action", "ends", "ends_at", "exhausted", "hard", "metric", "name", "per_minute", "place", "resets", "room",
        "slug", "starts", "tier",
    )  # fmt: skip

    def __init__(self, place: int, said: Mapping[str, Any]) -> None:
        self.place = place
        self.slug: str = said["slug"]
        self.name: str = said["name"]
        self.metric: str = said["metric"]
        self.starts, self.ends = seconds(said["starts_at"]), seconds(said["ends_at"])
        self.ends_at: str = said["ends_at"]
        self.resets = said["period"] != "fixed"
        limit = int(Decimal(said["limit"]) * NANO) if self.metric == "money" else int(said["limit"])
        self.room = limit * min(100, said["remaining_percent"] + SLACK)
        self.exhausted: bool = said["status"] == "exhausted"
        self.action: str = said["on_exhausted"]
        self.tier: int | None = said["settings"].get("tier")
        self.per_minute: int | None = said["settings"].get("per_minute")
        self.hard: bool = said["hard"]


class Grant:
    """An allowance; `run` and `user` are "" where it is for all of the workflow's."""

    __slots__ = ("ends", "holds_scope", "id", "run", "runs", "starts", "takes_new_runs", "tier", "used_up", "user")

    def __init__(self, said: Mapping[str, Any]) -> None:
        scope: Mapping[str, str] = said["scope"]
        self.id: str = said["id"]
        self.tier: int = said["tier"]
        self.run, self.user = scope.get("run", ""), scope.get("user", "")
        # What this version does not know of must not widen an allowance.
        self.holds_scope = scope.keys() <= {"workflow", "run", "user"}
        self.starts, self.ends = seconds(said["starts_at"]), seconds(said["expires_at"])
        self.used_up: bool = said["remaining_percent"] == 0
        self.takes_new_runs: bool = said["takes_new_runs"]
        self.runs = frozenset(said["runs"])

    def covers(self, tier: int, run_id: str, user: str, at: float) -> bool:
        """Whether a call of its workflow may be served by that tier because of it."""
        return (
            self.tier >= tier
            and self.starts <= at < self.ends
            and not self.used_up
            and self.holds_scope
            and (not self.run or self.run == run_id)
            and (not self.user or self.user == user)
            and (self.takes_new_runs or (bool(run_id) and run_id in self.runs))
        )


class Alike:
    """Budgets of one scope. Most calls are met by none that is not used up: one comparison says so for all of them."""

    __slots__ = ("all", "begun", "ends", "hard", "least_room", "open", "used_up")

    def __init__(self, budgets: list[Budget]) -> None:
        self.all = budgets
        self.used_up = [one for one in budgets if one.exhausted]
        self.open = [one for one in budgets if not one.exhausted]
        self.hard = [one for one in budgets if one.hard]
        self.begun, self.ends = max(one.starts for one in budgets), min(one.ends for one in budgets)
        self.least_room = {metric: min(rooms) for metric in METRICS if (rooms := self.rooms(metric))}

    def rooms(self, metric: str) -> list[int]:
        """What is left at most under those that count so."""
        return [one.room for one in self.open if one.metric == metric]

    def running(self, at: float) -> "Alike | None":
        """Those whose period runs."""
        if self.begun <= at < self.ends:
            return self
        left = [one for one in self.all if one.starts <= at < one.ends]
        return Alike(left) if left else None

    def met(self, needs: Mapping[str, int]) -> list[Budget]:
        """Those that are used up or have less left than one call needs; `needs` by metric, in hundredths."""
        for metric, room in self.least_room.items():
            if needs.get(metric, 0) > room:
                return self.used_up + [one for one in self.open if needs.get(one.metric, 0) > one.room]
        return self.used_up


class BudgetIndex:
    """Budgets by which dimensions they name: a few look-ups find those that a call falls under."""

    def __init__(self, budgets: Iterable[Mapping[str, Any]]) -> None:
        everywhere: list[Budget] = []
        by_shape: dict[tuple[str, ...], dict[Any, list[Budget]]] = defaultdict(lambda: defaultdict(list))
        tag_keys: set[str] = set()
        for place, said in enumerate(budgets):
            wanted = {name: value for name, value in said["scope"].items() if name != "tag"}
            if "tag" in said["scope"]:
                key, _, value = said["scope"]["tag"].partition("=")
                tag_keys.add(key)
                wanted[f"tag:{key}"] = value
            budget = Budget(place, said)
            if not wanted:
                everywhere.append(budget)
            # A dimension of a later version never holds: nobody can say that the call falls under it.
            elif all(name in DIMENSIONS or name.startswith("tag:") for name in wanted):
                shape = tuple(sorted(wanted))
                values = tuple(wanted[name] for name in shape)
                by_shape[shape][values if len(values) > 1 else values[0]].append(budget)
        self.everywhere = [Alike(everywhere)] if everywhere else []
        self.shapes = tuple(
            (itemgetter(*shape), {values: Alike(alike) for values, alike in found.items()})
            for shape, found in by_shape.items()
        )
        self.tag_keys = tuple(sorted(tag_keys))

    def matching(
        self, facts: Mapping[str, str], at: float, cost: int | None, tokens: int | None
    ) -> tuple[list[Budget], list[Budget]]:
        """Of those whose whole scope holds and whose period runs, in the bundle's order: the ones that are used up or
        have less left than one call of that cost (nano-dollars) and size, None: not known; and the hard ones.

        `facts` has every dimension, "" where nothing is stated, and `tag:KEY` for each of `tag_keys`.
        """
        found = list(self.everywhere)
        for values_of, alike in self.shapes:
            named = alike.get(values_of(facts))
            if named is not None:
                found.append(named)
        needs = {"money": (cost or 0) * 100, "tokens": (tokens or 0) * 100, "calls": 100}
        met: list[Budget] = []
        hard: list[Budget] = []
        for one in found:
            running = one.running(at)
            if running is not None:
                met += running.met(needs)
                hard += running.hard
        met.sort(key=PLACE)
        hard.sort(key=PLACE)
        return met, hard


class Prepared:
    """What a decision reads. Made from a verified document; what the schema demands must be there."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.revision = f"{document['epoch']}:{document['revision']}"
        self.policy_version: int = document["policy_version"]
        self.fail_mode: str = document["fail_mode"]
        self.tiers = {said["number"]: tier_of(said) for said in document["tiers"]}
        self.first_tier: int | None = document["default_tier"]
        self.in_tier: dict[str, list[tuple[int, TierModel]]] = defaultdict(list)
        for number in sorted(self.tiers):
            for model in self.tiers[number].models:
                self.in_tier[model.named.model].append((number, model))
        self.workflows = {
            slug: Workflow(said.get("merged_into") or slug, said) for slug, said in document["workflows"].items()
        }
        self.switches = Switches(document["blocked"])
        policy: Mapping[str, Any] = document["policy"]
        self.unlisted: str = policy["unlisted_models"]
        self.rules = Rules(policy["rules"])
        self.otherwise = Outcome.of(policy["otherwise"])
        self.daily_tokens: Mapping[str, int] = policy["daily_tokens"]
        self.budgets = BudgetIndex(document["budgets"])
        self.grants: dict[str, list[Grant]] = defaultdict(list)
        for said in document["grants"]:
            self.grants[said["scope"].get("workflow", "")].append(Grant(said))
        self.offsets = [
            (seconds(said["since"]), int(said["minutes"])) for said in document["organisation"]["utc_offsets"]
        ]

    def workflow(self, slug: str) -> Workflow:
        """What is configured for it; a workflow that the bundle does not list has nothing."""
        return self.workflows.get(slug) or Workflow(slug, {})

    def place_of(self, provider: str, model: str) -> tuple[int, TierModel] | None:
        """The model in the lowest tier that has it, of any provider where none is stated."""
        for number, found in self.in_tier.get(model, ()):
            if not provider or provider == found.named.provider:
                return number, found
        return None

    def known_tier(self, *numbers: int | None) -> int | None:
        """The first of them that there is."""
        for number in numbers:
            if number in self.tiers:
                return number
        return None

    def local(self, at: float) -> tuple[int, int]:
        """Day of the week, Monday 1, and minute of the day in the organisation's zone."""
        days, minute = divmod(int(at // 60) + self.offset(at), 24 * 60)
        return (days + 3) % 7 + 1, minute  # 1 January 1970 was a Thursday

    def use_below(self, highest: int | None) -> tuple[dict[str, Any], ...]:
        """The best tier, up to that one, which needs no approval, as a change; nothing where there is none."""
        free = [one.number for one in self.tiers.values() if not one.needs_approval]
        usable = max((number for number in free if highest is not None and number <= highest), default=None)
        return () if usable is None else ({"kind": "use", "tier": usable},)

    def named_tier(self, number: int) -> dict[str, Any]:
        """A tier as a reason's values."""
        return {"tier": number, "tier_name": self.tiers[number].name}

    def offset(self, at: float) -> int:
        """Minutes that the organisation's clocks are before UTC; the first known before that."""
        minutes = self.offsets[0][1] if self.offsets else 0
        for since, later in self.offsets:
            if at < since:
                break
            minutes = later
        return minutes


def seconds(instant: str) -> float:
    """RFC 3339 as seconds since 1970."""
    return datetime.fromisoformat(instant).timestamp()
