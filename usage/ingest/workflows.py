"""The workflows that events name, in memory; unknown ones are discovered."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Case, QuerySet, When
from django.db.models.functions import Coalesce

from budgets.models import Workflow

# A merged workflow's calls are posted to the one it counts under.
POSTED: tuple[str | Coalesce | Case, ...] = (
    "slug",
    Coalesce("merged_into__id", "id"),
    Coalesce("merged_into__slug", "slug"),
    Case(When(merged_into=None, then="team__slug"), default="merged_into__team__slug"),
    Case(When(merged_into=None, then="default_tier"), default="merged_into__default_tier"),
)


@dataclass(frozen=True, slots=True)
class Named:
    """What ingest needs to know of a workflow: of the one that calls are posted to, where it was merged."""

    id: int
    slug: str
    team: str
    default_tier: int


class Workflows:
    """Slug as sent → Named, as of one generation; discovered ones are added as they come."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.by_slug = named(Workflow.objects.all())

    def resolve(self, slugs: Iterable[str]) -> dict[str, Named]:
        """The named workflows; unknown slugs are made as *discovered*, in the caller's transaction.

        A slug that cannot be made because too many were discovered is missing from the answer.
        """
        wanted = set(slugs)
        fresh = self.discover(wanted - self.by_slug.keys())
        return {slug: self.by_slug.get(slug) or fresh[slug] for slug in wanted if slug in self.by_slug or slug in fresh}

    def discover(self, unknown: set[str]) -> dict[str, Named]:
        """Make rows for unknown slugs, in order, so that two senders of the same slugs cannot lock each other.

        What another sender committed meanwhile is read, not made. Nothing is remembered before it is read as
        committed by a later call: this transaction may still roll back.
        """
        if not unknown:
            return {}
        room = settings.INGEST_MAX_DISCOVERED - sum(1 for _ in self.by_slug)
        known = named(Workflow.objects.filter(slug__in=unknown))
        self.by_slug.update(known)
        make = sorted(unknown - known.keys())[: max(0, room)]
        if not make:
            return known
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO budgets_workflow (slug, name, status, value_weight, risk_categories, guardrails,"
                " pause_reason, created_at) SELECT slug, slug, 'discovered', 1, '[]', '{}', '', now()"
                " FROM unnest(%s::text[]) AS slug ORDER BY slug ON CONFLICT (slug) DO NOTHING",
                [make],
            )
            cursor.execute("SELECT id, slug FROM budgets_workflow WHERE slug = ANY(%s)", [make])
            return known | {slug: Named(pk, slug, "", 0) for pk, slug in cursor.fetchall()}


def named(rows: QuerySet[Workflow]) -> dict[str, Named]:
    """Slug as sent → the workflow that its calls are posted to. One statement."""
    posted = rows.values_list(*POSTED)
    return {sent: Named(pk, slug, team or "", tier or 0) for sent, pk, slug, team, tier in posted}


_current: Workflows | None = None
_lock = threading.Lock()


def current(generation: int) -> Workflows:
    """The workflows as of `generation`, read once per process and generation."""
    global _current
    found = _current
    if found is None or found.generation != generation:
        with _lock:
            if _current is None or _current.generation != generation:
                _current = Workflows(generation)
            found = _current
    return found


def forget() -> None:
    """Forget what is in memory; for tests."""
    global _current
    _current = None
