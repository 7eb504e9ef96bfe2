"""What only single calls know, asked for beside days and scope: retries, calls outside runs, corrections of others …

A frozen value, and the same as SQL. A choice is of calls; whatever corrected or took back such a call in the same days
comes with it, so that sums are the ledger's. `kind` parts all rows of these days: the calls of these days, and three
kinds of what was posted in them for calls of other days.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from django.http import QueryDict

from reports.asking.layers import LAYER_WORDS
from reports.asking.scope import LONGEST, MOST, Scope, read, written

SINCE = "{t}.posted_at >= %(starts)s AND {t}.posted_at < %(stops)s"
RETRY = "coalesce({c}.attempt, 1) > 1"
# What a workflow counts as, so that a run under two names of it is one.
COUNTED = "coalesce((SELECT merged_into_id FROM budgets_workflow WHERE id = {t}.workflow_id), {t}.workflow_id)"
MANY_CHANNELS = f"""{{c}}.run_id <> '' AND ({COUNTED.format(t="{c}")}, {{c}}.run_id) IN (
    SELECT {COUNTED.format(t="r")}, r.run_id FROM usage_ledger r
    WHERE r.kind = 0 AND r.run_id <> '' AND {SINCE.format(t="r")} AND {{scope_of_r}}
        AND r.id NOT IN (SELECT t.corrects FROM usage_ledger t
            WHERE t.kind = 2 AND t.corrects IS NOT NULL AND {SINCE.format(t="t")})
    GROUP BY 1, 2 HAVING count(DISTINCT nullif(r.channel, '')) > 1)"""
NO_COST = f"""{{c}}.cost IS NULL AND {{c}}.id NOT IN (SELECT k.corrects FROM usage_ledger k
    WHERE k.kind = 1 AND k.corrects IS NOT NULL AND {SINCE.format(t="k")})"""
FROM_CACHE = """(coalesce({c}.cached_input_tokens, 0) > 0 OR coalesce({c}.cache_write_tokens, 0) > 0
    OR {c}.cache IN ('semantic', 'response'))"""

# What the address says → heading of the choice, and its values: words, and the SQL of it for a call {c}.
CHOICES: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]]] = {
    "run": ("Run", {
        "any": ("In a run", "{c}.run_id <> ''"),
        "none": ("Outside runs", "coalesce({c}.run_id, '') = ''"),
        "channels": ("In a run for several channels", MANY_CHANNELS),
    }),
    "attempt": ("Try", {
        "first": ("First tries", f"NOT {RETRY}"),
        "retry": ("Retries", RETRY),
        "trouble": ("Retries and failures", f"({RETRY} OR {{c}}.status <> 'ok')"),
    }),
    "cache": ("Cache", {"any": ("Read from a cache or written to it", FROM_CACHE)}),
    "cost": ("Cost", {
        "unknown": ("Not known", NO_COST),
        "uncounted": ("Tokens not counted", "NOT {c}.measured"),
        "extras": ("For more than tokens", "{c}.cost_units <> 0"),
    }),
    "layer": ("Input with", {
        one: (words, f"({{c}}.context ->> '{one}')::bigint > 0") for one, words in LAYER_WORDS.items()
    }),
}  # fmt: skip
CALLS = "calls"
KINDS: Final = {
    CALLS: ("Calls of these days", ""),
    "priced-later": ("Earlier calls priced now", "l.kind = 1 AND l.unpriced < 0"),
    "corrected": ("Earlier calls priced anew", "l.kind = 1 AND l.unpriced >= 0"),
    "withdrawn": ("Earlier calls taken back", "l.kind = 2"),
}
VERSION, UNTIL, KIND = "prompt_version", "until", "kind"
WORDS: Final = {**{key: words for key, (words, _) in CHOICES.items()}, KIND: "Rows", VERSION: "Prompt version"}
NARROWED_KEYS: Final = frozenset({*CHOICES, KIND, VERSION, UNTIL, "sort"})

OF_DAYS = f"(SELECT l.* FROM usage_ledger l WHERE {SINCE.format(t='l')} AND {{asked}})"
OF_CALLS = f"""(
    SELECT l.* FROM usage_ledger l WHERE {SINCE.format(t="l")} AND {{asked}} AND l.kind = 0 AND {{calls}}
    UNION ALL
    SELECT l.* FROM usage_ledger l JOIN usage_ledger c ON c.id = l.corrects AND c.kind = 0 AND {SINCE.format(t="c")}
    WHERE {SINCE.format(t="l")} AND {{asked}} AND l.corrects IS NOT NULL AND {{corrected}})"""
OF_OTHERS = f"""(
    SELECT l.* FROM usage_ledger l WHERE {SINCE.format(t="l")} AND {{asked}} AND l.corrects IS NOT NULL AND {{kind}}
    AND NOT EXISTS (SELECT FROM usage_ledger c WHERE c.id = l.corrects AND c.kind = 0 AND {SINCE.format(t="c")}))"""


@dataclass(frozen=True)
class Narrowed:
    """What of the calls is asked for. `chosen` are pairs of CHOICES and one of their values, each choice once.

    `kind` is one of KINDS or "" for all rows; `versions` are prompt versions, "" for not stated; rows count before
    `until` (aware), which narrows the window.
    """

    chosen: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    versions: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def is_everything(self) -> bool:
        return self == EVERYTHING

    @property
    def layer(self) -> str:
        return dict(self.chosen).get("layer", "")

    def pairs(self) -> list[tuple[str, str]]:
        """What stands in an address for it."""
        found = [*self.chosen, *([(KIND, self.kind)] if self.kind else [])]
        found += [(VERSION, written(one)) for one in self.versions]
        return [*found, (UNTIL, self.until.isoformat())] if self.until else found

    def without(self, key: str, value: str = "") -> "Narrowed":
        """The same without this choice, or without this one of the prompt versions."""
        return Narrowed(
            tuple(pair for pair in self.chosen if pair[0] != key),
            "" if key == KIND else self.kind,
            tuple(one for one in self.versions if key != VERSION or one != value),
            None if key == UNTIL else self.until,
        )

    def choosing(self, key: str, value: str) -> "Narrowed":
        """The same with this value of the choice."""
        return replace(self, chosen=tuple(sorted([*self.without(key).chosen, (key, value)])))

    def rows_sql(self, scope: Scope, params: dict[str, Any]) -> str:
        """Rows of the ledger as a table expression; `params` has `starts` and `stops`, and gets the rest."""
        if self.until:
            params["stops"] = min(params["stops"], self.until)
        asked = scope.ledger_sql(params, "l")
        if self.kind not in {"", CALLS}:
            return OF_OTHERS.format(asked=asked, kind=KINDS[self.kind][1])
        conditions = [CHOICES[key][1][value][1] for key, value in self.chosen]
        if self.versions:
            params["versions"] = list(self.versions)
            conditions.append("coalesce({c}.prompt_version, '') = ANY(%(versions)s::text[])")
        if not conditions and not self.kind:
            return OF_DAYS.format(asked=asked)
        calls = " AND ".join(conditions) or "TRUE"
        scope_of_r = scope.ledger_sql(params, "r")
        calls, corrected = (calls.format(c=table, scope_of_r=scope_of_r) for table in "lc")
        return OF_CALLS.format(asked=asked, calls=calls, corrected=corrected)


EVERYTHING: Final = Narrowed()


def narrowed_of(query: QueryDict) -> tuple[Narrowed, tuple[str, ...]]:
    """What of the calls the address asks for, and sentences on what of it was not understood."""
    notes = []
    chosen = []
    for key, (words, values) in CHOICES.items():
        if given := query.get(key):
            if given in values:
                chosen.append((key, given))
            else:
                notes.append(f"“{given[:40]}” is no choice of “{words}”; it was left out.")
    kind = query.get(KIND, "")
    if kind and kind not in KINDS:
        notes.append(f"“{kind[:40]}” is no choice of “{WORDS[KIND]}”; it was left out.")
        kind = ""
    given_versions = tuple(dict.fromkeys(read(one) for one in query.getlist(VERSION) if one))
    versions = tuple(one for one in given_versions if len(one) <= LONGEST and "\0" not in one)[:MOST]
    if len(versions) < len(given_versions):
        notes.append("Some of the prompt versions cannot be ones; they were left out.")
    if kind not in {"", CALLS} and (chosen or versions):
        notes.append("What was posted for earlier calls is listed whole; the other choices were left out.")
        chosen, versions = [], ()
    until = None
    if given := query.get(UNTIL):
        until = instant_of(given)
        if until is None:
            notes.append(f"“{given[:40]}” is no time of a day; it was left out.")
    return Narrowed(tuple(sorted(chosen)), kind, versions, until), tuple(notes)


def taken_out(query: QueryDict) -> tuple[tuple[str, str], ...]:
    """What an address says of single calls, taken out of this (mutable) query."""
    return tuple((key, str(value)) for key in sorted(NARROWED_KEYS & query.keys()) for value in query.pop(key))


def instant_of(text: str) -> datetime | None:
    """An instant that every clock can show, in UTC, since PostgreSQL takes fewer offsets; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo and 2000 <= found.year < 9000 else None
