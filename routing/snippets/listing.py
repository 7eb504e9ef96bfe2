"""What the pages of approved texts show of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from budgets.access.reachable import reachable
from budgets.access.roles import Reach
from budgets.models import Organisation, Workflow
from budgets.pages.moments import moment
from budgets.people.names import shown_name
from routing.models import Snippet, SnippetVersion
from routing.snippets.saving import Saving, savings

STATES: Mapping[str, str] = {"": "In use", "archived": "Archived"}


@dataclass(frozen=True, slots=True)
class Line:
    """A text in the list. `when` its newest version was written, in the organisation's zone."""

    snippet: Snippet
    version: int
    tokens: int
    digest: str
    when: str
    written_at: datetime
    owner: str
    workflows: Sequence[str]
    saving: Saving
    may_change: bool

    @property
    def is_known(self) -> bool:
        """Whether there is anything to say of what caching saves."""
        return bool(self.saving.calls) and self.saving.unpriced < self.saving.calls


def asked(given: Mapping[str, str]) -> dict[str, str]:
    """What of the query string was understood."""
    kind, state = given.get("kind", ""), given.get("state", "")
    return {
        "kind": kind if kind in Snippet.Kind.values else "",
        "state": state if state in STATES else "",
        "team": given.get("team", "").replace("\0", "")[:128],
        "q": given.get("q", "").replace("\0", "").strip()[:100],
    }


def found(who: Any, chosen: Mapping[str, str]) -> QuerySet[Snippet]:
    """The texts that are asked for and in reach, by kind and name."""
    rows = reachable(Snippet, who).filter(archived_at__isnull=chosen["state"] != "archived")
    if chosen["kind"]:
        rows = rows.filter(kind=chosen["kind"])
    if chosen["team"]:
        rows = rows.filter(team__slug=chosen["team"])
    if chosen["q"]:
        text = chosen["q"]
        used = Snippet.workflows.through.objects.filter(workflow__name__icontains=text).values("snippet_id")
        rows = rows.filter(Q(name__icontains=text) | Q(slug__icontains=text) | Q(pk__in=used))
    return with_newest(rows).order_by("kind", "name", "pk")


def with_newest(rows: QuerySet[Snippet]) -> QuerySet[Snippet]:
    """Each with what is said of its newest version, but for the text."""
    newest = SnippetVersion.objects.filter(snippet=OuterRef("pk")).order_by("-number")
    columns = {
        f"newest_{name}": Subquery(newest.values(name)[:1]) for name in ("number", "tokens", "digest", "created_at")
    }
    return rows.annotate(**columns).select_related("team", "owner")


def lines(rows: Iterable[Any], reached: Reach, who: Any, now: datetime) -> list[Line]:
    """Texts of `with_newest` with their workflows, as far as `who` reaches these, and what caching them saves."""
    organisation, rows = Organisation.get(), list(rows)
    saved = savings([(row, row.newest_tokens) for row in rows], now)
    names: dict[int, list[str]] = {row.pk: [] for row in rows}
    links = Snippet.workflows.through.objects.filter(
        snippet_id__in=names, workflow_id__in=reachable(Workflow, who).values("pk")
    )
    for snippet, name in links.order_by("workflow__name").values_list("snippet_id", "workflow__name"):
        names[snippet].append(name)
    local = organisation.local
    return [
        Line(
            snippet=row,
            version=row.newest_number,
            tokens=row.newest_tokens,
            digest=row.newest_digest,
            when=moment(local(row.newest_created_at), local(now)),
            written_at=row.newest_created_at,
            owner=shown_name(row.owner) if row.owner else "",
            workflows=names[row.pk],
            saving=saved[row.pk],
            may_change=reached.has({row.team_id} if row.team_id else ()),
        )
        for row in rows
    ]
