"""What a person states about a workflow, and what is wrong with it in sentences that help."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model

from budgets.models import Team, Workflow
from budgets.models.workflows import check_slug
from budgets.workflows import guardrails as limits
from budgets.workflows.limit_kinds import problem_with_name

MOST_WORDS = 12  # stages, or risk categories
STAGES = ("draft", "refine", "verify", "publish")
REVERSIBLE, IRREVERSIBLE = "reversible", "irreversible"
LEAST_WEIGHT, MOST_WEIGHT, STEP = Decimal("0.5"), Decimal(5), Decimal("0.01")
HIGHEST_TIER = 99


@dataclass(frozen=True, slots=True)
class WorkflowValues:
    """`team` is a slug, `owner` a user name; both may be empty. `stages` are in order, risk categories sorted.

    `slug` counts when the workflow is made (empty: from its name); events name it, so it never changes later.
    """

    name: str
    description: str = ""
    team: str = ""
    owner: str = ""
    cost_centre: str = ""
    ledger_code: str = ""
    stages: tuple[str, ...] = ()
    risk_categories: tuple[str, ...] = ()
    value_weight: Decimal = Decimal(1)
    default_tier: int | None = None
    guardrails: Mapping[str, Any] = field(default_factory=dict)
    slug: str = ""

    def tidied(self) -> "WorkflowValues":
        """The same in its one written form, which is what is stored and compared. Only for values that are valid."""
        return replace(
            self,
            name=" ".join(self.name.split()),
            description=" ".join(self.description.split()),
            team=self.team.strip(),
            owner=self.owner.strip(),
            cost_centre=self.cost_centre.strip(),
            ledger_code=self.ledger_code.strip(),
            slug=self.slug.strip(),
            stages=tuple(dict.fromkeys(_small(self.stages))),
            risk_categories=tuple(sorted(set(_small(self.risk_categories)))),
            value_weight=self.value_weight.quantize(STEP),
            guardrails=limits.tidied(self.guardrails),
        )

    def as_json(self) -> dict[str, Any]:
        """For the history: the weight as text."""
        return asdict(self) | {
            "stages": list(self.stages),
            "risk_categories": list(self.risk_categories),
            "value_weight": str(self.value_weight),
            "guardrails": dict(self.guardrails),
        }

    @classmethod
    def of_json(cls, stated: Mapping[str, Any]) -> "WorkflowValues":
        """Back from the history. Raises TypeError or ArithmeticError where that holds something else."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in stated.items() if name in known}
        for name in ("stages", "risk_categories"):
            values[name] = tuple(values.get(name, ()))
        return cls(**{**values, "value_weight": Decimal(values.get("value_weight", "1"))})


def _small(words: tuple[str, ...]) -> list[str]:
    return [small for word in words if (small := " ".join(word.split()).casefold())]


def values_of(workflow: Workflow) -> WorkflowValues:
    """What is stated about a workflow now; `team` and `owner` are read where they were not joined."""
    risks, stages, caps = workflow.risk_categories, workflow.stages, workflow.guardrails
    return WorkflowValues(
        name=workflow.name,
        description=workflow.description,
        team=workflow.team.slug if workflow.team else "",
        owner=workflow.owner.get_username() if workflow.owner else "",
        cost_centre=workflow.cost_centre,
        ledger_code=workflow.ledger_code,
        # Free-form columns: what is not of their kind came by another way in and is left out.
        stages=tuple(map(str, stages)) if isinstance(stages, list) else (),
        risk_categories=tuple(map(str, risks)) if isinstance(risks, list) else (),
        value_weight=Decimal(workflow.value_weight).quantize(STEP),
        default_tier=workflow.default_tier,
        guardrails=caps if isinstance(caps, dict) else {},
        slug=workflow.slug,
    )


def validate(values: WorkflowValues) -> dict[str, str]:
    """Field → sentence for what cannot be saved; empty when all is well. Limits are named "guardrails.<path>".

    Two small queries at most.
    """
    found = {
        "name": _problem_with_name(values.name),
        "slug": _problem_with_slug(values.slug.strip()),
        "description": _too_long(values.description, 500, "description"),
        "cost_centre": _too_long(values.cost_centre, 64, "cost centre"),
        "ledger_code": _too_long(values.ledger_code, 64, "ledger code"),
        "team": _problem_with_team(values.team.strip()),
        "owner": _problem_with_owner(values.owner.strip()),
        "stages": _problem_with_words(values.stages, "stages"),
        "risk_categories": _problem_with_risks(values.risk_categories),
        "value_weight": _problem_with_weight(values.value_weight),
        "default_tier": _problem_with_tier(values.default_tier),
    }
    capped = limits.problems_with(values.guardrails, tuple(_small(values.risk_categories)))
    found |= {f"guardrails.{path}": sentence for path, sentence in capped.items()}
    return {name: problem for name, problem in found.items() if problem}


def _problem_with_name(name: str) -> str | None:
    name = " ".join(name.split())
    if not name:
        return "Give the workflow a name that its readers know, for example “SEO briefs”."
    return _too_long(name, 128, "name")


def _too_long(text: str, most: int, words: str) -> str | None:
    if "\0" in text:
        return f"The {words} holds a character that cannot be stored."
    return f"The {words} is too long: at most {most} characters." if len(text.strip()) > most else None


def _problem_with_slug(slug: str) -> str | None:
    if slug and not check_slug.regex.fullmatch(slug):  # type: ignore[union-attr]  # compiled by the validator
        return str(check_slug.message)
    return None


def _problem_with_team(slug: str) -> str | None:
    if not slug or ("\0" not in slug and Team.objects.filter(slug=slug).exists()):
        return None
    return f"There is no team “{slug[:128]}”. Add the team first, or choose another."


def _problem_with_owner(username: str) -> str | None:
    """Somebody who left may stay an owner until another one is chosen."""
    if not username or ("\0" not in username and get_user_model().objects.filter(username=username).exists()):
        return None
    return f"Nobody here has the user name “{username[:150]}”."


def _problem_with_words(words: tuple[str, ...], what: str) -> str | None:
    if len(words) > MOST_WORDS:
        return f"Give at most {MOST_WORDS} {what}."
    if any(problem_with_name(word) or len(word) > 40 for word in words):
        return f"Write {what} as single names of at most 40 characters, with commas between."
    return None


def _problem_with_risks(risks: tuple[str, ...]) -> str | None:
    small = _small(risks)
    if REVERSIBLE in small and IRREVERSIBLE in small:
        return "Choose one: what it does either can be taken back or cannot."
    return _problem_with_words(risks, "risk categories")


def _problem_with_weight(weight: Decimal) -> str | None:
    if not weight.is_finite() or not LEAST_WEIGHT <= weight <= MOST_WEIGHT or weight != weight.quantize(STEP):
        return "Give a weight from 0.5 to 5, with at most two digits after the point. 1 is usual."
    return None


def _problem_with_tier(tier: int | None) -> str | None:
    if tier is None or (isinstance(tier, int) and not isinstance(tier, bool) and 1 <= tier <= HIGHEST_TIER):
        return None
    return "Give the tier as its number: 1 for Economy, 2 for Standard, 3 for Premium."
