"""Save, change, remove and bring back a view; each with its row of history."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from reports.models import SavedView

PATHS = ("/spend/", "/figures/", "/forecast/", "/unusual/", "/savings/")  # pages whose question stands in the address
LONGEST = 4_000  # characters of a query
MOST = 200  # views of one person
TAKEN = "You have a view of this name already. Choose another name."


class RefusedView(Exception):
    """Why it was not saved, as a sentence. `field` names what was wrong."""

    def __init__(self, text: str, field: str = "name") -> None:
        super().__init__(text)
        self.field = field


def stated(view: SavedView) -> dict[str, Any]:
    """What history keeps of a view."""
    return {"name": view.name, "address": view.address, "shared": view.shared}


def checked(name: str, path: str, query: str) -> tuple[str, str, str]:
    """The values as they are kept; RefusedView where they cannot be."""
    name = " ".join(name.replace("\0", "").split())
    if not name:
        raise RefusedView("Give the view a name.")
    if len(name) > 80:
        raise RefusedView("Keep the name within 80 characters.")
    inside = path.startswith(PATHS) and ".." not in path and len(path) <= 200
    if not inside or any(one in path for one in "\0?#\\\r\n"):
        raise RefusedView("Only pages of spend and what it means can be saved.", "path")
    kept = [pair for pair in parse_qsl(query.lstrip("?"), max_num_fields=1_000) if pair[0] != "page"]
    query = urlencode(kept)
    if len(query) > LONGEST:
        raise RefusedView("This view has too many filters to be saved. Take some away.", "query")
    return name, path, query


def save_view(actor: Actor, name: str, path: str, query: str, shared: bool) -> SavedView:
    """A new view of the actor's."""
    name, path, query = checked(name, path, query)
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
    name, _, _ = checked(name, view.path, view.query)
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
