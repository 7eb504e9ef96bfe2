"""Which grant a call uses: all that run in memory, as for budgets."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from budgets.models import Grant

REMEMBERED = timedelta(days=90)  # how long after its end a grant is still charged with what names it: senders are late


@dataclass(frozen=True, slots=True)
class GrantRef:
    """A grant as ingest needs it. `run_id` and `user` are "" where it is for all of the workflow's."""

    id: int
    key: str
    workflow: str
    run_id: str
    user: str
    tier: int
    starts_at: datetime
    ends_at: datetime

    def covers(self, run_id: str, user: str, tier: int, time: datetime) -> bool:
        """Whether a call of its workflow that names no grant is what was granted: its tier, in its scope and time."""
        return (
            tier == self.tier
            and self.starts_at <= time < self.ends_at
            and (not self.run_id or self.run_id == run_id)
            and (not self.user or self.user == user)
        )


class GrantBook:
    """The grants that count under one generation. The narrower comes first, then the one that ends sooner."""

    def __init__(self, generation: int, grants: Iterable[GrantRef]) -> None:
        self.generation = generation
        self.by_key: dict[str, GrantRef] = {}
        self.by_workflow: dict[str, list[GrantRef]] = defaultdict(list)
        narrow_first = sorted(grants, key=lambda one: (not one.run_id, not one.user, one.ends_at, one.id))
        for one in narrow_first:
            self.by_key[one.key] = one
            self.by_workflow[one.workflow].append(one)

    def __bool__(self) -> bool:
        return bool(self.by_key)

    def match(
        self, grant_id: str | None, workflow: str, run_id: str, user: str, tier: int, time: datetime
    ) -> GrantRef | None:
        """The grant that a call uses: the one it names, else the first that covers it; None for most calls.

        `workflow` is the slug that the call counts under. A name that is not known, or is another workflow's, is
        treated as none: nobody spends somebody else's allowance.
        """
        if grant_id:
            named = self.by_key.get(grant_id)
            if named is not None and named.workflow == workflow:
                return named
        for one in self.by_workflow.get(workflow, ()):
            if one.covers(run_id, user, tier, time):
                return one
        return None


_lock = threading.Lock()
_newest: GrantBook | None = None


def current(generation: int) -> GrantBook:
    """The book of `generation`, read once per process and generation; exact under the configuration lock."""
    global _newest
    book = _newest
    if book is not None and book.generation == generation:
        return book
    with _lock:
        if _newest is None or _newest.generation != generation:
            _newest = load(generation)
        return _newest


def load(generation: int) -> GrantBook:
    """A book from one query, not remembered."""
    recent = Q(ended_at=None) | Q(ended_at__gt=timezone.now() - REMEMBERED)
    rows = Grant.objects.filter(recent).select_related("workflow__merged_into")
    return GrantBook(generation, [ref_of(row) for row in rows])


def ref_of(grant: Grant) -> GrantRef:
    """A merged workflow's grant goes on as that of the workflow its calls count as."""
    workflow = grant.workflow.merged_into or grant.workflow
    scope: Mapping[str, str] = grant.scope
    return GrantRef(
        grant.pk,
        grant.key,
        workflow.slug,
        scope.get("run", ""),
        scope.get("user", ""),
        grant.tier,
        grant.starts_at,
        min(grant.expires_at, grant.ended_at or grant.expires_at),
    )


def forget() -> None:
    """Read anew at the next call: for a process that restored a backup, and for tests that roll back."""
    global _newest
    with _lock:
        _newest = None
