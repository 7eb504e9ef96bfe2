"""The five steps of setting up, and how far this installation is. What was done elsewhere counts as done here."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from budgets.audit.record import Actor, record
from budgets.models import Organisation

COMPANY, USAGE, WORKFLOWS, PRICES, BUDGET = "company", "usage", "workflows", "prices", "budget"
SKIPPED, CONFIRMED = "skipped", "confirmed"
FINISHED = "finished"  # in Organisation.setup: the card is out of the menu

# One statement: what is there of each kind. A price is asked for where a measured call of the last days has none.
FACTS = """
SELECT EXISTS (SELECT FROM budgets_apikey WHERE 'ingest' = ANY(scopes) AND revoked_at IS NULL) AS keys,
    EXISTS (SELECT FROM usage_ingestbatch) AS events,
    EXISTS (SELECT FROM budgets_workflow WHERE status IN ('draft', 'production')) AS claimed,
    (SELECT count(*) FROM budgets_workflow WHERE status = 'discovered') AS discovered,
    EXISTS (SELECT FROM usage_quarterhour WHERE unpriced > 0 AND bucket > now() - interval '30 days') AS unpriced,
    EXISTS (SELECT FROM budgets_budget WHERE status <> 'archived') AS budgets
"""


@dataclass(frozen=True)
class Facts:
    """What there is. `discovered` counts workflows that nobody has claimed."""

    keys: bool
    events: bool
    claimed: bool
    discovered: int
    unpriced: bool
    budgets: bool


@dataclass(frozen=True)
class Step:
    """`state`: "done", "skipped" or "open"."""

    key: str
    title: str
    why: str
    state: str


@dataclass(frozen=True)
class Progress:
    """All five steps in order."""

    steps: tuple[Step, ...]
    facts: Facts

    @property
    def done(self) -> int:
        return sum(step.state == "done" for step in self.steps)

    @property
    def percent(self) -> int:
        return self.done * 100 // len(self.steps)

    @property
    def next(self) -> Step | None:
        """The first step that is neither done nor skipped; None at the end."""
        return next((step for step in self.steps if step.state == "open"), None)

    def find(self, key: str) -> Step | None:
        return next((step for step in self.steps if step.key == key), None)


def progress(organisation: Organisation) -> Progress:
    """How far setting up is; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(FACTS)
        facts = Facts(*cursor.fetchone())
    said = organisation.setup
    done = {
        COMPANY: said.get(COMPANY) == CONFIRMED,
        USAGE: facts.events,
        WORKFLOWS: facts.claimed,
        PRICES: facts.events and not facts.unpriced and said.get(PRICES) == CONFIRMED,
        BUDGET: facts.budgets,
    }

    def state(key: str) -> str:
        return "done" if done[key] else "skipped" if said.get(key) == SKIPPED else "open"

    return Progress(tuple(Step(key, title, why, state(key)) for key, title, why in STEPS), facts)


STEPS = (
    (COMPANY, "Say who you are", "Your time zone decides when a day and a month begin."),
    (USAGE, "Send the first usage", "A key for your gateway or program, and a test to see it arrive."),
    (WORKFLOWS, "Name your workflows", "Usage names the job it was for. Somebody should answer for each."),
    (PRICES, "Check the prices", "Published prices are there already. Your own contract may say less."),
    (
        BUDGET,
        "Set your first budget",
        "An amount for a workflow, a team or everything. You hear before it runs out.",
    ),
)


def say(actor: Actor, key: str, what: str) -> None:
    """Keep that a step was skipped or confirmed; "" takes that back."""
    row = Organisation.objects.select_for_update().get(id=1)
    before: dict[str, Any] = dict(row.setup)
    row.setup = {name: value for name, value in before.items() if name != key} | ({key: what} if what else {})
    if row.setup != before:
        row.save(update_fields=["setup"])
        record(actor, "set up", row, before, row.setup)
