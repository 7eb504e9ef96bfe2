"""What kind of work a workflow does, and where its review finds most. Pure: no Django, no models.

The rule, by what calls state: an *agent* takes three steps or more in a run on average, or a tenth of its input is
about tools; else *retrieval* has a fifth of its input looked up, or one looked-up passage a call; else it is a *chat*.
Where calls state neither steps nor what their input was made of, the kind is not known.
"""

from dataclasses import dataclass
from fractions import Fraction

from reports.figures.sums import Made, Went

AGENT_STEPS = 3
TOOLS_SHARE = Fraction(1, 10)
RETRIEVAL_SHARE = Fraction(1, 5)
PASSAGES = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind`: agent, retrieval, chat or "" where it is not known; what it was told from, None where not stated."""

    kind: str
    steps: Fraction | None
    tools: Fraction | None
    retrieval: Fraction | None
    passages: Fraction | None

    @property
    def words(self) -> str:
        return {"agent": "Agent", "retrieval": "Looks things up", "chat": "Chat", "": "Not known"}[self.kind]


def steps_of(went: Went) -> Fraction | None:
    """Steps in a run on average, of runs that state them."""
    stepped = went.runs - (went.seen - went.stepped)
    return Fraction(went.steps, stepped) if went.steps > 0 and stepped > 0 else None


def shape_of(made: Made, went: Went) -> Shape:
    """By the rule above."""
    steps = steps_of(went)
    layered = made.context_input > 0
    tools = Fraction(made.tools, made.context_input) if layered else None
    retrieval = Fraction(made.retrieval, made.context_input) if layered else None
    passages = Fraction(made.retrieved_chunks, made.calls) if made.retrieved_chunks > 0 and made.calls > 0 else None
    if (steps or 0) >= AGENT_STEPS or (tools or 0) >= TOOLS_SHARE:
        kind = "agent"
    elif (retrieval or 0) >= RETRIEVAL_SHARE or (passages or 0) >= PASSAGES:
        kind = "retrieval"
    else:
        kind = "" if steps is None and not layered else "chat"
    return Shape(kind, steps, tools, retrieval, passages)


@dataclass(frozen=True, slots=True)
class Caught:
    """What review found: the part of reviewed runs that had to be redone, and what that part of the cost is.

    `per_hour`: nano-dollars of such work for each hour of review; None where nobody says how long reviews took.
    """

    reviewed: int
    found: Fraction
    cost: Fraction
    minutes: Fraction
    per_hour: Fraction | None


def caught_of(went: Went) -> Caught | None:
    """Runs sent back, rejected or gone the wrong way are what review is for; None where nobody reviewed any.

    A run that was both sent back and misrouted counts twice, at most once for each reviewed run.
    """
    if went.reviewed <= 0:
        return None
    found = min(Fraction(1), Fraction(max(0, went.reworked + went.misrouted + went.rejected), went.reviewed))
    cost, minutes = found * max(0, went.spent), max(Fraction(went.review_minutes), Fraction(0))
    return Caught(went.reviewed, found, cost, minutes, cost * 60 / minutes if minutes else None)
