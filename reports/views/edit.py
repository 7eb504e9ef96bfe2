"""Save, change, remove and bring back a view; each with its row of history."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.urls import is_valid_path
from django.utils import timezone

from budgets.audit.record import Actor, record
from reports.models import SavedView

PATHS = ("/spend/", "/figures/", "/forecast/", "/unusual/", "/savings/")  # pages whose question stands in the address
LONGEST = 4_000  # characters of a query
MOST = 200  # views of one person
MOST_FIELDS = 1_000  # of a query
TOO_LONG = "This view has too many filters to be saved. Take some away."
TAKEN = "You have a view of this name already. Choose another name."


class RefusedView(Exception):
    """Why it was not saved, as a sentence. `field` names what was wrong."""

    def __init__(self, text: str, field: str = "name") -> None:
        super().__init__(text)
        self.field = field


def stated(view: SavedView) -> dict[str, Any]:
    """What history keeps of a view."""
    return {"name": view.name, "address": view.address, "shared": view.shared}


def checked_name(name: str) -> str:
    """The name as it is kept; RefusedView where it cannot be."""
    name = " ".join(name.replace("\0", "").split())
    if not name:
        raise RefusedView("Give the view a name.")
    if len(name) > 80:
        raise RefusedView("Keep the name within 80 characters.")
    return name


def checked_place(path: str, query: str) -> tuple[str, str]:
    """Path and query as they are kept; RefusedView where they cannot be."""
    if not _is_ours(path):
        raise RefusedView("Only pages of spend and what it means can be saved.", "path")
    try:
        kept = [pair for pair in parse_qsl(query.lstrip("?"), max_num_fields=MOST_FIELDS) if pair[0] != "page"]
    except ValueError as error:
        raise RefusedView(TOO_LONG, "query") from error
    query = urlencode(kept)
    if len(query) > LONGEST:
        raise RefusedView(TOO_LONG, "query")
    return path, query


def _is_ours(path: str) -> bool:
    """Whether there is such a page among PATHS, also as a browser tidies the path."""
    if not path.startswith(PATHS) or len(path) > 200 or ".." in path or any(one in path for one in "%?#\\\0\t\r\n"):
        return False
    return bool(is_valid_path(path))


def save_view(actor: Actor, name: str, path: str, query: str, shared: bool) -> SavedView:
    """A new view of the actor's."""
    name, (path, query) = checked_name(name), checked_place(path, query)
    assert actor.user is not None
    if SavedView.objects.filter(owner=actor.user, removed_at=None).count() >= MOST:
        raise RefusedView(f"You have {MOST} views. Remove one before you save another.")
    try:
        with transaction.atomic():
            made = SavedView.objects.create(owner=actor.user, name=name, path=path, query=query, shared=shared)
            record(actor, "created", made, None, stated(made))
    except IntegrityError as error:
        raise RefusedView(TAKEN) from error
    return made


def change_view(actor: Actor, view: SavedView, name: str, shared: bool) -> SavedView:
    """Another name, or for whom it is."""
    name = checked_name(name)
    try:
        with transaction.atomic():
            row = SavedView.objects.select_for_update().get(pk=view.pk)
            before = stated(row)
            row.name, row.shared = name, shared
            if stated(row) != before:
                row.save(update_fields=["name", "shared"])
                record(actor, "changed", row, before, stated(row))
    except IntegrityError as error:
        raise RefusedView(TAKEN) from error
    return row


def remove_view(actor: Actor, view: SavedView) -> None:
    """Take it out of the lists; nothing where it is out already."""
    with transaction.atomic():
        row = SavedView.objects.select_for_update().get(pk=view.pk)
        if row.removed_at is None:
            row.removed_at = timezone.now()
            row.save(update_fields=["removed_at"])
            record(actor, "removed", row, stated(row), None)


def restore_view(actor: Actor, view: SavedView) -> None:
    """Bring a removed one back; RefusedView where another has its name by now."""
    try:
        with transaction.atomic():
            row = SavedView.objects.select_for_update().get(pk=view.pk)
            if row.removed_at is not None:
                row.removed_at = None
                row.save(update_fields=["removed_at"])
                record(actor, "restored", row, None, stated(row))
    except IntegrityError as error:
        raise RefusedView("Another of your views has this name by now. Rename that one first.") from error
