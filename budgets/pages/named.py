"""Teams and workflows in forms: chosen from a list, or typed by short name or name."""

from budgets.models import Team, Workflow

OFFERED = 300  # in a list under a field; the others can be typed


def team_choices(nobody: str) -> list[tuple[str, str]]:
    """(short name, name) of every team, after a first one for none. One statement."""
    return [("", nobody), *Team.objects.order_by("name").values_list("slug", "name")]


def workflow_offers() -> list[tuple[str, str]]:
    """(short name, name) for a field's list. One statement."""
    known = Workflow.objects.exclude(status__in=["reserved", "merged", "ignored"]).order_by("name")
    return list(known.values_list("slug", "name")[:OFFERED])


def team_named(text: str) -> Team | None:
    """By short name, else by name."""
    wanted = text.strip()
    return Team.objects.filter(slug=wanted).first() or Team.objects.filter(name__iexact=wanted).first()


def workflow_named(text: str) -> Workflow | None:
    """By short name, else by name. One that was merged into another stands for that."""
    wanted, rows = text.strip(), Workflow.objects.select_related("merged_into", "team").exclude(status="reserved")
    found = rows.filter(slug=wanted).first() or rows.filter(name__iexact=wanted).first()
    return found.merged_into or found if found else None
