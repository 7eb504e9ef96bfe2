"""The tables of a replay, made once for page, CSV and API. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from routing.replay.result import NOT_MADE, Count, Result, Sides
from routing.replay.words import FIGURE_WORDS, HAPPENED, reason_words, tier_words


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of all calls; `happened` None where only a policy can say it."""

    key: str
    words: str
    happened: int | None
    live: int
    draft: int


@dataclass(frozen=True, slots=True)
class Row:
    """A workflow or a tier; `key` its short name or number, `name` for readers."""

    key: str
    name: str
    sides: Sides


@dataclass(frozen=True, slots=True)
class Said:
    """How often a reason was given, or a rule fitted."""

    key: str
    words: str
    live: int
    draft: int


def lines(result: Result) -> list[Line]:
    """What became of all calls, figure by figure."""
    total = result.total
    return [
        Line(
            key,
            words,
            getattr(total.happened, key) if key in HAPPENED else None,
            getattr(total.live, key),
            getattr(total.draft, key),
        )
        for key, words in FIGURE_WORDS.items()
    ]


def by_workflow(result: Result, names: Mapping[str, str]) -> list[Row]:
    """Where the draft changes most money first; then by short name."""
    rows = [Row(slug, names.get(slug, slug), sides) for slug, sides in result.workflows.items()]
    return sorted(rows, key=lambda row: (-abs(row.sides.difference), -row.sides.changed, row.key))


def by_tier(result: Result) -> list[Row]:
    """By number; what is in none, and what is not made, last."""
    names = {str(tier["number"]): str(tier["name"]) for tier in result.basis.document["tiers"]}
    live = result.basis.differs.get("tiers", [])
    names = {str(tier["number"]): str(tier["name"]) for tier in live} | names
    last = {"0": 10**6, NOT_MADE: 10**6 + 1}
    rows = [Row(key, tier_words(key, names), sides) for key, sides in result.tiers.items()]
    return sorted(rows, key=lambda row: last.get(row.key) or int(row.key))


def by_reason(result: Result) -> list[Said]:
    """The most frequent by the draft first."""
    said = [Said(code, reason_words(code), count.live, count.draft) for code, count in result.reasons.items()]
    return sorted(said, key=lambda one: (-one.draft, -one.live, one.key))


def by_rule(result: Result) -> list[Said]:
    """In the order in which the draft has its rules, the live policy's others after them; unused ones too."""
    ordered: dict[str, str] = {}
    parts = [result.basis.document["policy"], result.basis.differs.get("policy") or {}]
    for policy in parts:
        for rule in policy.get("rules", []):
            ordered.setdefault(str(rule["id"]), str(rule.get("name") or rule["id"]))
    for key, count in result.rules.items():
        ordered.setdefault(key, count.name or key)
    found = {key: result.rules.get(key, Count()) for key in ordered}
    return [Said(key, words, found[key].live, found[key].draft) for key, words in ordered.items()]
