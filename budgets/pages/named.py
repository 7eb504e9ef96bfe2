"""Teams and workflows in forms: chosen from a list, or typed by short name or name."""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from budgets.access.reachable import reachable
from budgets.models import Team, Workflow

M = TypeVar("M", bound=Model)

OFFERED = 300  # in a list under a field; the others can be typed


def _reached(model: type[M], who: Any) -> QuerySet[M]:
    """All rows where nobody asks: on pages about the whole company."""
    return model._default_manager.all() if who is None else reachable(model, who)


def team_choices(nobody: str, who: Any = None) -> list[tuple[str, str]]:
    """(short name, name) of every team that `who` reaches, after a first one for none. One statement."""
    return [("", nobody), *_reached(Team, who).order_by("name").values_list("slug", "name")]


def workflow_offers(who: Any = None) -> list[tuple[str, str]]:
    """(short name, name) for a field's list. One statement."""
    known = _reached(Workflow, who).exclude(status__in=["reserved", "merged", "ignored"]).order_by("name")
    return list(known.values_list("slug", "name")[:OFFERED])


def team_named(text: str) -> Team | None:
    """By short name, else by name."""
    wanted = text.strip()
    return Team.objects.filter(slug=wanted).first() or Team.objects.filter(name__iexact=wanted).first()


def workflow_named(text: str, who: Any = None) -> Workflow | None:
    """By short name, else by name. One that was merged into another stands for that."""
    rows = _reached(Workflow, who).select_related("merged_into", "team").exclude(status="reserved")
    wanted = text.strip()
    found = rows.filter(slug=wanted).first() or rows.filter(name__iexact=wanted).first()
    return found.merged_into or found if found else None
