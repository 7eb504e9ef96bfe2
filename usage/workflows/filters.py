"""What the list of workflows is filtered and sorted by, from the address to SQL: page and CSV share it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from budgets.access.roles import EVERYTHING, Reach

IN_USE = "use"
NO_TEAM = "-"
# Key in the address → words, and which workflows `w` those are. A merged one counts under another: not among all.
TABS: dict[str, tuple[str, str]] = {
    IN_USE: ("In use", "w.status IN ('draft', 'production')"),
    "discovered": ("Discovered", "w.status = 'discovered'"),
    "ignored": ("Ignored", "w.status = 'ignored'"),
    "merged": ("Merged", "w.status = 'merged'"),
    "paused": ("Paused", "w.paused_at IS NOT NULL AND w.status <> 'merged'"),
    "all": ("All", "w.status <> 'merged'"),
}
ALL = "true"
# As `budgets.access.reachable` says it: a merged one is the team's that it counts under.
OF_TEAMS = """EXISTS (SELECT 1 FROM budgets_workflow counted_as
    WHERE counted_as.id = coalesce(w.merged_into_id, w.id) AND counted_as.team_id = ANY(%(teams)s))"""
SORTS = {
    "name": "lower(w.name)",
    "team": "lower(team.name)",
    "owner": "lower(coalesce(nullif(concat_ws(' ', person.first_name, person.last_name), ' '), person.username))",
    "tier": "w.default_tier",
    "status": "w.status",
    "spend": "cost",
    "calls": "calls",
}
DEFAULT_SORT = "-spend"
NAMES_SEARCHED = "concat_ws(' ', w.name, w.slug, team.name, person.username, person.first_name, person.last_name)"
WORDS = 10  # of a search that are looked for


@dataclass(frozen=True)
class Filters:
    """As they stand in the address; `note` says what of it was not understood."""

    status: str = IN_USE
    q: str = ""
    team: str = ""
    sort: str = DEFAULT_SORT
    note: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    within: str = ALL  # SQL: which workflows `w` the reader reaches

    @classmethod
    def of(cls, query: Mapping[str, str], reached: Reach = EVERYTHING) -> "Filters":
        """Unknown values are left out and noted. `reached`: of which teams the reader may see workflows."""
        status, sort = query.get("status") or IN_USE, query.get("sort") or DEFAULT_SORT
        said = []
        if status not in TABS:
            said.append(f"“{status[:40]}” is no status that TokenOps knows; those in use are shown.")
            status = IN_USE
        if sort.removeprefix("-") not in SORTS:
            said.append(f"Workflows cannot be sorted by “{sort[:40]}”; the dearest come first.")
            sort = DEFAULT_SORT
        q = " ".join(query.get("q", "").replace("\0", " ").split())[:100]
        team = query.get("team", "").replace("\0", "")[:128]
        values: dict[str, Any] = {f"word_{n}": f"%{_plain(word)}%" for n, word in enumerate(q.split()[:WORDS])} | {
            "team": team
        }
        if not reached.everything:
            values["teams"] = sorted(reached.team_ids)
        return cls(status, q, team, sort, " ".join(said), values, ALL if reached.everything else OF_TEAMS)

    @property
    def narrowing(self) -> str:
        """SQL of search and team, which hold for every tab."""
        said = [f"{NAMES_SEARCHED} ILIKE %({name})s" for name in self.values if name.startswith("word_")]
        if self.within != ALL:
            said.append(self.within)
        if self.team:
            said.append("w.team_id IS NULL" if self.team == NO_TEAM else "team.slug = %(team)s")
        return " AND ".join(said) or "true"

    @property
    def condition(self) -> str:
        return f"{TABS[self.status][1]} AND {self.narrowing}"

    @property
    def order(self) -> str:
        way = "DESC NULLS LAST" if self.sort.startswith("-") else "ASC NULLS LAST"
        return f"{SORTS[self.sort.removeprefix('-')]} {way}, lower(w.name), w.id"

    def address(self, **other: str) -> str:
        """The query string, with what `other` names in place of what is there; nothing that is the default."""
        found = {"status": self.status, "q": self.q, "team": self.team, "sort": self.sort} | other
        default = {"status": IN_USE, "q": "", "team": "", "sort": DEFAULT_SORT}
        return urlencode({name: value for name, value in found.items() if value != default[name]})

    @property
    def rest(self) -> str:
        """All of it, for the CSV's address."""
        return self.address()

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q or self.team)


def _plain(word: str) -> str:
    """A word as LIKE finds it literally."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
