"""Make teams: the business units that budgets and workflows belong to."""

from dataclasses import asdict, dataclass

from django.utils.text import slugify

from budgets.audit.record import Actor, record
from budgets.models import Team
from budgets.models.workflows import check_slug
from budgets.organisation.configuration import changing_configuration


@dataclass(frozen=True, slots=True)
class TeamValues:
    """`slug` is what events and budgets name; empty: made from the name."""

    name: str
    slug: str = ""
    cost_centre: str = ""
    ledger_code: str = ""


class InvalidTeam(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


def create_team(actor: Actor, values: TeamValues, reason: str = "") -> Team:
    """Make a team. Raises InvalidTeam."""
    name = " ".join(values.name.split())
    slug = values.slug.strip() or slugify(name)[:128].strip("-_")
    if not name or len(name) > 128 or "\0" in name:
        raise InvalidTeam({"name": "Give the team a name of at most 128 characters."})
    if not check_slug.regex.fullmatch(slug):  # type: ignore[union-attr]  # compiled by the validator
        raise InvalidTeam({"slug": str(check_slug.message)})
    with changing_configuration():
        if Team.objects.filter(slug=slug).exists():
            raise InvalidTeam({"slug": f"There is already a team with the short name “{slug}”."})
        made = TeamValues(name, slug, values.cost_centre.strip()[:64], values.ledger_code.strip()[:64])
        team = Team.objects.create(**asdict(made))
        record(actor, "created", team, None, asdict(made), reason)
    return team
