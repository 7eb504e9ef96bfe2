"""Rename a source. What it is called in events, its slug, never changes: it is half of every event's identity."""

from django.db import transaction

from budgets.audit.record import Actor, record
from budgets.models import Source


class InvalidSource(Exception):
    """The name cannot be, in a sentence."""


@transaction.atomic
def rename_source(actor: Actor, source: Source, name: str, reason: str = "") -> Source:
    """Give it another name for people. InvalidSource for none, or for one that is too long."""
    name = name.strip()
    if not name:
        raise InvalidSource("A source needs a name, such as “Production gateway”.")
    if len(name) > 128:
        raise InvalidSource("That is too long. Use at most 128 characters.")
    row = Source.objects.select_for_update(no_key=True).get(pk=source.pk)
    if row.name != name:
        before, row.name = row.name, name
        row.save(update_fields=["name"])
        record(actor, "renamed", row, {"name": before}, {"name": name}, reason)
    return row
