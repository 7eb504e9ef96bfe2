"""Stop runs that go round in circles."""

from reports.savings.call import Call, not_made
from reports.savings.lever import FIRST, LEAST_CALLS, Known, Lever, Shape, Terms


def learn(shape: Shape, known: Known) -> Terms | None:
    """The steps that 99% of the runs keep to, where the longest run has at least twice the usual number."""
    most = shape.steps_99
    if shape.runs < LEAST_CALLS or shape.most_steps <= most or shape.most_steps < 2 * shape.steps_50:
        return None
    if not shape.tightens("max_run_steps", most):
        return None
    says = (
        f"99% of {shape.runs:,} runs have at most {most:,} steps, half of them at most {shape.steps_50:,}; "
        f"the longest has {shape.most_steps:,}."
    )
    return Terms(says, {"max_run_steps": most}, values={"most": most})


def applies(call: Call, terms: Terms) -> Call:
    """Calls of later steps are not made."""
    return not_made(call) if call.position is not None and call.position > terms.values["most"] else call


LEVER = Lever(
    key="loops",
    name="Stop runs that go round in circles",
    place=20,
    stage=FIRST,
    how="A run takes at most as many steps as 99 of 100 do now.",
    risk="One run in a hundred ends early, without a result.",
    needs="Callers that state run and step.",
    source="The distribution of your own runs; 100 runs at least.",
    learn=learn,
    applies=applies,
)
