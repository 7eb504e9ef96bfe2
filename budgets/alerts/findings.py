"""What a trigger found, as values. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any

LONGEST_CAUSE = 300
LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule tells of.

    `cause` (at most 300 letters) makes it the same thing however often and by however many it is found: scope, period
    and threshold, never a time of looking. `title` is one sentence that leads with the amount; `facts` are label →
    value as text. `amount` in nano-dollars where it is about money. `happened_at` aware. `team_id` decides who sees it
    and which rules with a team it falls under; `path` is the page that shows more. `subject` is what its trigger needs
    to see later whether it is over: ids and bounds, as JSON has them.
    """

    cause: str
    title: str
    happened_at: datetime
    path: str = ""
    amount: int | None = None
    team_id: int | None = None
    facts: dict[str, str] = field(default_factory=dict)
    subject: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For `Alert.facts`."""
        stated = {name: getattr(self, name) for name in self.__slots__}
        return stated | {"happened_at": self.happened_at.isoformat()}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Finding":
        """Back from `Alert.facts`."""
        stated = {name: kept[name] for name in cls.__slots__ if name in kept}
        return cls(**(stated | {"happened_at": datetime.fromisoformat(kept["happened_at"])}))


@dataclass(frozen=True, slots=True)
class Over:
    """That what was told under `cause` is over, in a sentence."""

    cause: str
    said: str


def cause_of(*parts: object) -> str:
    """The cause made of these parts; no others make the same. What would be too long ends in a digest of it."""
    text = ":".join(str(part).replace("%", "%25").replace(":", "%3A") for part in parts)
    if len(text) <= LONGEST_CAUSE:
        return text
    mark = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: LONGEST_CAUSE - len(mark) - 1]}~{mark}"


def title_of(text: str) -> str:
    """The sentence on one line, cut where it is too long to store."""
    line = " ".join(text.replace("\0", "").split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """One of each cause, the first to happen first."""
    by_cause: dict[str, Finding] = {}
    for one in findings:
        known = by_cause.get(one.cause)
        if known is None or one.happened_at < known.happened_at:
            by_cause[one.cause] = one
    return sorted(by_cause.values(), key=lambda one: (one.happened_at, one.cause))
