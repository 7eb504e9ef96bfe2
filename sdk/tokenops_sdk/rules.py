"""Rules of the policy: the first that fits a call gives what it says. Pure; docs/decision.md has what they mean."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

# In the order in which rules are looked up by them: what fewest calls share comes first.
LISTS = (
    "user", "workflow", "application", "task_type", "stage", "domain", "team", "user_tier", "risk_category",
    "environment",
)  # fmt: skip
SPANS = ("business_value", "complexity", "input_tokens", "estimated_cost_nano")


def share(text: str | None) -> Decimal | None:
    """Decimal text as a number; None for nothing and for what is no number."""
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule gives; None: as it would be without it."""

    tier: int | None = None
    provider: str | None = None
    model: str | None = None
    latency_ms: int | None = None
    quality: Decimal | None = None
    max_cost_nano: int | None = None
    max_output_tokens: int | None = None
    cache: frozenset[str] | None = None
    batch: bool | None = None
    review: bool | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Outcome":
        """A `then` of the document."""
        cache = said.get("cache")
        known = {name: value for name, value in said.items() if name in cls.__slots__}
        known |= {"quality": share(said.get("quality")), "cache": None if cache is None else frozenset(cache)}
        return cls(**known)


class Facts:
    """What rules ask of a call. `attributes` by dimension; the two last are asked only where a rule needs them."""

    __slots__ = ("attributes", "estimate", "local", "numbers", "risks")

    def __init__(
        self,
        attributes: Mapping[str, str],
        risks: frozenset[str],
        weight: Decimal,
        complexity: str | None,
        input_tokens: int | None,
        estimate: Callable[[], int | None],
        local: Callable[[], tuple[int, int]],
    ) -> None:
        """`estimate` in nano-dollars; `local` is the day of the week, Monday 1, and the minute of the day."""
        self.attributes, self.risks, self.estimate, self.local = attributes, risks, estimate, local
        self.numbers: dict[str, Decimal | int | None] = {
            "business_value": weight, "complexity": share(complexity), "input_tokens": input_tokens,
        }  # fmt: skip

    def number(self, name: str) -> Decimal | int | None:
        """What a span is of; None where it is not known."""
        if name not in self.numbers:
            self.numbers[name] = self.estimate()
        return self.numbers[name]


class Hours:
    """From a minute of the day to another; over midnight it belongs to the day on which it begins."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.start, self.end = _minute(said["from"]), _minute(said["to"])
        self.days = frozenset(said.get("days") or range(1, 8))

    def hold(self, day: int, minute: int) -> bool:
        """Whether they hold at that minute; `day` from Monday, 1."""
        if self.start == self.end:
            return day in self.days
        if self.start < self.end:
            return self.start <= minute < self.end and day in self.days
        before = (day - 2) % 7 + 1
        return (minute >= self.start and day in self.days) or (minute < self.end and before in self.days)


class Rule:
    """One rule; everything that it names must hold."""

    __slots__ = ("hours", "id", "lists", "name", "risks", "spans", "then")

    def __init__(self, said: Mapping[str, Any]) -> None:
        when: Mapping[str, Any] = said.get("when") or {}
        self.id: str = said["id"]
        self.name: str = said["name"]
        self.then = Outcome.of(said.get("then") or {})
        self.lists = tuple((name, frozenset(when[name])) for name in LISTS if name in when and name != "risk_category")
        self.risks = frozenset(when["risk_category"]) if "risk_category" in when else None
        self.spans = tuple(
            (name, share(_text(when[name].get("at_least"))), share(_text(when[name].get("below"))))
            for name in SPANS
            if name in when
        )
        self.hours = Hours(when["time_of_day"]) if "time_of_day" in when else None
        unknown = when.keys() - {*LISTS, *SPANS, "time_of_day"}
        if unknown:  # of a later version: to leave a condition out would widen the rule
            self.lists = ((next(iter(unknown)), frozenset()), *self.lists)

    def fits(self, facts: Facts) -> bool:
        """Whether every condition holds."""
        attributes = facts.attributes
        for name, values in self.lists:
            if attributes.get(name) not in values:
                return False
        if self.risks is not None and self.risks.isdisjoint(facts.risks):
            return False
        for name, at_least, below in self.spans:
            number = facts.number(name)
            if (
                number is None
                or (at_least is not None and number < at_least)
                or (below is not None and number >= below)
            ):
                return False
        return self.hours is None or self.hours.hold(*facts.local())


class Rules:
    """Rules by a value that they need, so that a call looks only at those which may fit."""

    def __init__(self, rules: Iterable[Mapping[str, Any]]) -> None:
        self.rules = tuple(Rule(said) for said in rules)
        self.anywhere: list[int] = []
        by_value: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for place, rule in enumerate(self.rules):
            needed = next(((name, values) for name, values in rule.lists if values), None)
            if needed is None:
                self.anywhere.append(place)
            else:
                for value in needed[1]:
                    by_value[needed[0]][value].append(place)
        self.by_value = tuple((name, dict(places)) for name, places in by_value.items())

    def first(self, facts: Facts) -> Rule | None:
        """The first that fits."""
        places = self.anywhere
        for name, by_value in self.by_value:
            found = by_value.get(facts.attributes.get(name, ""))
            if found:
                places = places + found
        if places is not self.anywhere:
            places.sort()
        for place in places:
            if self.rules[place].fits(facts):
                return self.rules[place]
        return None


def _text(value: int | str | None) -> str | None:
    return None if value is None else str(value)


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)
