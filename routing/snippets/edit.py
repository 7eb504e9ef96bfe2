"""Make, change and archive approved texts, and undo that: each in one transaction with its row of history."""

from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from budgets.access.reachable import outside
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.models import AuditEntry, Team, Workflow
from routing.models import Snippet, SnippetVersion
from routing.snippets.reaching import CHANGE
from routing.snippets.values import LONGEST_NOTE, SnippetValues, checked, digest_of, tokens_of


class InvalidSnippet(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedSnippet(Exception):
    """What the text's state does not allow; the message says why, for a reader."""


class StaleSnippet(RefusedSnippet):
    """Somebody saved it meanwhile; `snippet` is how it is now."""

    def __init__(self, snippet: Snippet) -> None:
        super().__init__("Somebody changed this text meanwhile. Nothing was saved; look at it again, then save.")
        self.snippet = snippet


@transaction.atomic
def make_snippet(actor: Actor, values: SnippetValues, note: str = "", reason: str = "") -> Snippet:
    """With its first version. Raises InvalidSnippet."""
    values = _fit(actor, values)
    if Snippet.objects.filter(slug=values.slug).exists():
        raise InvalidSnippet({"slug": "There is already a text with this short name, maybe among the archived ones."})
    row = Snippet(slug=values.slug, name=values.name, kind=values.kind, team_id=values.team_id)
    row.owner_id = values.owner_id
    _refuse_outside(actor, row, values, frozenset())
    row.save(force_insert=True)
    row.workflows.set(values.workflows)
    _write(actor, row, 1, values.text, note)
    record(actor, "created", row, None, as_json(row), reason)
    return row


@transaction.atomic
def save_snippet(
    actor: Actor, snippet: Snippet, values: SnippetValues, seen: int | None = None, note: str = "", reason: str = ""
) -> Snippet:
    """A new version where the text is another; its short id stays. `seen` is the `edit_version` that was looked at.

    Raises InvalidSnippet, StaleSnippet, or RefusedSnippet for one that is archived or another team's.
    """
    row = _lock(actor, snippet.pk)
    if seen is not None and seen != row.edit_version:
        raise StaleSnippet(row)
    if row.archived_at:
        raise RefusedSnippet("This text is archived. Take it back before you change it.")
    values = _fit(actor, replace(values, slug=row.slug))
    before, was = as_json(row), newest_of(row)
    allowed = frozenset(row.workflows.values_list("pk", flat=True))
    row.name, row.kind, row.team_id, row.owner_id = values.name, values.kind, values.team_id, values.owner_id
    _refuse_outside(actor, row, values, allowed)
    if was.text != values.text:
        _write(actor, row, was.number + 1, values.text, note)
    row.workflows.set(values.workflows)
    after = as_json(row)
    if after == before:
        return row
    row.edit_version += 1
    row.save()
    record(actor, "changed", row, before, after, reason or note)
    return row


@transaction.atomic
def archive_snippet(actor: Actor, snippet: Snippet, reason: str = "") -> Snippet:
    """Out of the bundle and the list; its versions stay. Raises RefusedSnippet."""
    row = _lock(actor, snippet.pk)
    if row.archived_at:
        raise RefusedSnippet("This text is archived already.")
    return _mark(actor, row, "archived", timezone.now(), reason)


@transaction.atomic
def restore_snippet(actor: Actor, snippet: Snippet, reason: str = "") -> Snippet:
    """Back from the archive. Raises RefusedSnippet."""
    row = _lock(actor, snippet.pk)
    if not row.archived_at:
        raise RefusedSnippet("This text is in use already.")
    return _mark(actor, row, "restored", None, reason)


@transaction.atomic
def undo_snippet(actor: Actor, snippet: Snippet, entry: AuditEntry) -> Snippet:
    """How it was before `entry`, which must be its newest; an older text comes back as a new version.

    Raises RefusedSnippet, InvalidSnippet.
    """
    row = _lock(actor, snippet.pk)
    newest = newest_entry(Snippet, row.pk)
    if newest is None or newest.pk != entry.pk:
        raise RefusedSnippet("Somebody changed this since. Nothing was undone.")
    reason = f"Undo of “{entry.act}” by {entry.who_text}"
    if entry.act == "archived":
        return restore_snippet(actor, row, reason)
    if entry.before is None or entry.act == "restored":
        return archive_snippet(actor, row, reason)
    return save_snippet(actor, row, _known(row, entry.before), note="As it was before", reason=reason)


def newest_of(snippet: Snippet) -> SnippetVersion:
    """The version that is served."""
    return snippet.versions.order_by("-number")[:1].get()


def values_of(snippet: Snippet) -> SnippetValues:
    """As it stands now."""
    return SnippetValues(
        snippet.slug,
        snippet.name,
        snippet.kind,
        newest_of(snippet).text,
        snippet.team_id,
        snippet.owner_id,
        tuple(snippet.workflows.order_by("pk").values_list("pk", flat=True)),
    )


def as_json(row: Snippet) -> dict[str, Any]:
    """For the history, which names the version and leaves the text to it."""
    return {
        "name": row.name,
        "kind": row.kind,
        "team_id": row.team_id,
        "owner_id": row.owner_id,
        "workflows": list(row.workflows.order_by("slug").values_list("slug", flat=True)),
        "version": newest_of(row).number,
    }


def _known(row: Snippet, kept: dict[str, Any]) -> SnippetValues:
    """Values that the history kept, without what is gone meanwhile."""
    team, owner = kept["team_id"], kept["owner_id"]
    return SnippetValues(
        row.slug,
        kept["name"],
        kept["kind"],
        row.versions.get(number=kept["version"]).text,
        team if Team.objects.filter(pk=team).exists() else None,
        owner if User.objects.filter(pk=owner).exists() else None,
        tuple(Workflow.objects.filter(slug__in=kept["workflows"]).values_list("pk", flat=True)),
    )


def _fit(actor: Actor, values: SnippetValues) -> SnippetValues:
    values, problems = checked(values)
    if problems:
        raise InvalidSnippet(problems)
    return values


def _refuse_outside(actor: Actor, row: Snippet, values: SnippetValues, allowed: frozenset[int]) -> None:
    """Whose role is for a team makes texts of that team, for workflows of that team; `allowed` are used already."""
    if sentence := outside(actor.who, CHANGE, row):
        raise InvalidSnippet({"team": sentence})
    for workflow in Workflow.objects.filter(pk__in=set(values.workflows) - allowed).select_related("merged_into"):
        if sentence := outside(actor.who, CHANGE, workflow):
            raise InvalidSnippet({"workflows": f"{workflow.name}: {sentence}"})


def _write(actor: Actor, row: Snippet, number: int, text: str, note: str) -> None:
    SnippetVersion.objects.create(
        snippet=row,
        number=number,
        text=text,
        digest=digest_of(text),
        tokens=tokens_of(text),
        note=note.replace("\0", "")[:LONGEST_NOTE],
        created_by=actor.user,
    )


def _mark(actor: Actor, row: Snippet, act: str, archived_at: Any, reason: str) -> Snippet:
    before = {"archived_at": row.archived_at.isoformat() if row.archived_at else None}
    row.archived_at = archived_at
    row.edit_version += 1
    row.save()
    after = {"archived_at": archived_at.isoformat() if archived_at else None}
    record(actor, act, row, before, after, reason)
    return row


def _lock(actor: Actor, pk: int) -> Snippet:
    row = Snippet.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if row is None:
        raise RefusedSnippet("This text is gone.")
    if sentence := outside(actor.who, CHANGE, row):
        raise RefusedSnippet(sentence)
    return row
