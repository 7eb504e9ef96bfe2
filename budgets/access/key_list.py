"""Keys as rows of a page or a file: one query for both, filtered, searched and counted in the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from budgets.models import ApiKey, Organisation
from budgets.models.access import ApiKeyQuerySet
from budgets.pages.moments import ago, clock, day_year

TONES = {"active": "ok", "expiring": "watch", "rotating": "watch", "expired": "", "revoked": ""}
ICONS = {"active": "check", "expiring": "clock", "rotating": "clock", "expired": "clock", "revoked": "over"}
FILTERS = {"": "All", **dict(ApiKey.State.choices)}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key in words."""

    key: ApiKey
    may: str
    also: tuple[str, ...]
    teams: tuple[str, ...]
    expires: str
    used: str
    made: str
    state: str
    state_words: str
    tone: str
    icon: str

    @property
    def is_in_force(self) -> bool:
        return self.state not in {ApiKey.State.EXPIRED, ApiKey.State.REVOKED}


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """What the address asks for; `note` says what of it was not understood."""

    state: str
    query: str
    note: str

    def fits(self, keys: ApiKeyQuerySet) -> ApiKeyQuerySet:
        """Those keys, of `with_state`."""
        return self.found(keys).in_state(self.state) if self.state else self.found(keys)

    def found(self, keys: ApiKeyQuerySet) -> ApiKeyQuerySet:
        """Those that are searched for, whatever their state."""
        if not self.query:
            return keys
        text = self.query
        return keys.filter(
            Q(name__icontains=text) | Q(prefix__istartswith=text) | Q(source__slug__icontains=text)
            | Q(source__name__icontains=text) | Q(created_by__username__icontains=text)
        )  # fmt: skip


def filter_of(query: Mapping[str, str]) -> KeyFilter:
    """`state` and `q`; an unknown state shows all, with a note."""
    state = query.get("state", "")
    # The key itself may be pasted into the search: what is not its prefix must not go on into links and logs.
    text = query.get("q", "").strip()[:100].replace("\x00", "")
    text = text[:10] if text.startswith("tok_") else text
    note = "" if state in FILTERS else f"“{state[:40]}” is no state that TokenOps knows; all keys are shown."
    return KeyFilter(state if state in FILTERS else "", text, note)


def keys_at(now: datetime) -> ApiKeyQuerySet:
    """All keys with state, source and who made them, newest first."""
    keys = ApiKey.objects.with_state(now).select_related("source", "created_by").prefetch_related("sources", "teams")
    return keys.order_by("-created_at", "-pk")


def counted(found: KeyFilter, now: datetime) -> list[tuple[str, str, int]]:
    """The filters with how many keys each would show: key, words, count. One statement."""
    keys: Any = found.found(ApiKey.objects.with_state(now)).order_by()
    counts: dict[str, int] = dict(keys.values("state").annotate(many=Count("pk")).values_list("state", "many"))
    counts[""] = sum(counts.values())
    return [(key, text, counts.get(key, 0)) for key, text in FILTERS.items()]


def row_of(key: Any, organisation: Organisation, now: datetime) -> KeyRow:
    """A key (of `keys_at`) in words; moments in the organisation's zone."""
    state = ApiKey.State(key.state)
    made = day_year(organisation.local(key.created_at).date())
    return KeyRow(
        key=key,
        may=", ".join(str(ApiKey.Scope(scope).label) for scope in ApiKey.Scope.values if scope in key.scopes),
        also=tuple(sorted(source.slug for source in key.sources.all())),
        teams=tuple(sorted(team.name for team in key.teams.all())),
        expires=when(key.expires_at, organisation) if key.expires_at else "Never",
        used=ago(now - key.last_used_at) if key.last_used_at else "Not yet",
        made=f"{made}, {key.created_by.get_full_name() or key.created_by.get_username()}" if key.created_by else made,
        state=state,
        state_words=str(state.label),
        tone=TONES[state],
        icon=ICONS[state],
    )


def when(moment: datetime, organisation: Organisation) -> str:
    """ "18 Nov 2026, 09:40"."""
    local = organisation.local(moment)
    return f"{day_year(local.date())}, {clock(local)}"
