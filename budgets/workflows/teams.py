"""Teams: the business units that budgets and workflows belong to. Make, change, delete when empty, and undo that."""

from dataclasses import asdict, dataclass, fields

from django.db.models import Count, ProtectedError, Q, QuerySet
from django.utils.text import slugify

from budgets.audit.record import Actor, record
from budgets.models import (
    AlertRule,
    ApiKey,
    ApprovalRequest,
    ApprovalRule,
    AuditEntry,
    Budget,
    Invitation,
    Membership,
    PlanLine,
    PlannedActivity,
    Team,
    Workflow,
)
from budgets.models.workflows import check_slug
from budgets.organisation.configuration import changing_configuration

OBJECT_TYPE = "budgets.team"
TEXTS = {"name": (128, "name"), "cost_centre": (64, "cost centre"), "ledger_code": (64, "ledger code")}


@dataclass(frozen=True, slots=True)
class TeamValues:
    """`slug` is what events and budgets name; empty: made from the name. It never changes later."""

    name: str
    slug: str = ""
    cost_centre: str = ""
    ledger_code: str = ""

    def tidied(self) -> "TeamValues":
        return TeamValues(
            " ".join(self.name.split()), self.slug.strip(), self.cost_centre.strip(), self.ledger_code.strip()
        )


class InvalidTeam(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedTeam(Exception):
    """What cannot be done with a team now; the message says why, for a reader."""


def values_of(team: Team) -> TeamValues:
    """What is stated about a team now."""
    return TeamValues(team.name, team.slug, team.cost_centre, team.ledger_code)


def validate(values: TeamValues) -> dict[str, str]:
    """Field → sentence for what cannot be saved. No query."""
    found: dict[str, str] = {}
    for name, (most, words) in TEXTS.items():
        text = getattr(values, name)
        if "\0" in text or len(text.strip()) > most:
            found[name] = f"Give a {words} of at most {most} characters."
    slug = values.slug.strip()
    if not " ".join(values.name.split()):
        found["name"] = "Give the team a name of at most 128 characters."
    elif not found and not check_slug.regex.fullmatch(slug or _slug_of(values.name)):  # type: ignore[union-attr]
        found["slug"] = str(check_slug.message)
    return found


def create_team(actor: Actor, values: TeamValues, reason: str = "") -> Team:
    """Make a team. Raises InvalidTeam."""
    made = _checked(values)
    made = TeamValues(made.name, made.slug or _slug_of(made.name), made.cost_centre, made.ledger_code)
    with changing_configuration():
        _refuse_taken(made.slug)
        team = Team.objects.create(**asdict(made))
        record(actor, "created", team, None, asdict(made), reason)
    return team


def change_team(
    actor: Actor, team: Team, values: TeamValues, reason: str = "", expected: TeamValues | None = None
) -> Team:
    """Save a new name, cost centre or ledger code; `expected` is how the editor saw it.

    Raises InvalidTeam, or RefusedTeam where somebody else changed it meanwhile.
    """
    values = _checked(TeamValues(values.name, team.slug, values.cost_centre, values.ledger_code))
    with changing_configuration():
        row = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
        before = values_of(row)
        if expected is not None and before != expected:
            raise RefusedTeam("Somebody changed this team meanwhile. Nothing was saved; look at it again and repeat.")
        if before == values:
            return row
        row.name, row.cost_centre, row.ledger_code = values.name, values.cost_centre, values.ledger_code
        row.save()
        record(actor, "changed", row, asdict(before), asdict(values), reason)
    return row


def delete_team(actor: Actor, team: Team, reason: str = "") -> AuditEntry:
    """Delete a team that nothing belongs to; its row of history, from which it can be had back. Raises RefusedTeam."""
    with changing_configuration():
        row = Team.objects.select_for_update().get(pk=team.pk)
        held = what_holds(row)
        if held:
            raise RefusedTeam(f"{row.name} cannot be deleted: {held} to it. Move them to another team first.")
        entry = record(actor, "deleted", row, asdict(values_of(row)), None, reason)
        try:
            row.delete()
        except ProtectedError as error:  # what floors above know of
            what = sorted({str(type(one)._meta.verbose_name_plural) for one in error.protected_objects})
            raise RefusedTeam(
                f"{row.name} cannot be deleted: {' and '.join(what)} are kept under it. Give it another name instead."
            ) from error
    return entry


def what_holds(team: Team) -> str:
    """ "2 workflows and 1 budget belong"; empty where nothing does. A few small statements."""
    counts = {
        "workflow": Workflow.objects.filter(team=team).count(),
        "budget": Budget.objects.filter(scope__team=team.slug).count(),
        "line of the plan": PlanLine.objects.filter(team=team).count(),
        "entry of the calendar": PlannedActivity.objects.filter(team=team).count(),
        "role of a person": Membership.objects.filter(team=team).count(),
        "invitation": Invitation.objects.filter(team=team, accepted_at=None, revoked_at=None).count(),
        "approval rule": ApprovalRule.objects.filter(team=team).count(),
        "request for approval": ApprovalRequest.objects.filter(team=team).count(),
        "key": ApiKey.objects.filter(teams=team).count(),
        "alert rule": AlertRule.objects.filter(team=team).count(),
    }
    plural = {"line of the plan": "lines of the plan", "entry of the calendar": "entries of the calendar"}
    plural |= {"role of a person": "roles of people", "request for approval": "requests for approval"}
    said = [f"{n} {what if n == 1 else plural.get(what, what + 's')}" for what, n in counts.items() if n]
    if not said:
        return ""
    joined = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    return f"{joined} {'belongs' if sum(counts.values()) == 1 else 'belong'}"


def with_counts() -> QuerySet[Team]:
    """All teams by name, with `workflow_count` (those in use)."""
    gone = [Workflow.Status.MERGED, Workflow.Status.IGNORED]
    in_use = Count("workflows", filter=~Q(workflows__status__in=gone))
    return Team.objects.annotate(workflow_count=in_use).order_by("name", "id")


def undo_change(actor: Actor, entry: AuditEntry) -> Team:
    """Take back the newest change of a team: its making is undone by deleting it, its deletion by making it again.

    Raises RefusedTeam or InvalidTeam.
    """
    with changing_configuration():
        newest = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=entry.object_id).latest("at", "id")
        if newest.pk != entry.pk:
            raise RefusedTeam("Somebody changed this team meanwhile. Nothing was undone.")
        reason = f"Undo of “{entry.act}” by {entry.who_text}"[:500]
        known = {one.name for one in fields(TeamValues)}
        before = TeamValues(**{name: text for name, text in (entry.before or {"name": ""}).items() if name in known})
        if entry.act == "deleted":
            _refuse_taken(before.slug)
            team = Team.objects.create(pk=int(entry.object_id), **asdict(before))
            record(actor, "restored", team, None, asdict(before), reason)
            return team
        team = Team.objects.get(pk=int(entry.object_id))
        if entry.act in {"created", "restored"}:
            delete_team(actor, team, reason)
            return team
        if entry.act == "changed":
            return change_team(actor, team, before, reason)
        raise RefusedTeam("This team has no earlier version to go back to.")


def _checked(values: TeamValues) -> TeamValues:
    problems = validate(values)
    if problems:
        raise InvalidTeam(problems)
    return values.tidied()


def _slug_of(name: str) -> str:
    return slugify(name)[:128].strip("-_")


def _refuse_taken(slug: str) -> None:
    if Team.objects.filter(slug=slug).exists():
        raise InvalidTeam({"slug": f"There is already a team with the short name “{slug}”."})
