"""Stop repeating a step that failed again and again."""

from reports.savings.call import Call, not_made
from reports.savings.lever import FIRST, Known, Lever, Shape, Terms, calls

MOST = 3  # attempts at a step, the first one included


def learn(shape: Shape, known: Known) -> Terms | None:
    """Attempts beyond the third, where the workflow does not stop them already."""
    if not shape.tries or not shape.tightens("max_attempts_per_step", MOST):
        return None
    says = f"{calls(shape.attempts, 'repeats', 'repeat')} a step, {shape.tries:,} of them for the third time or more."
    return Terms(says, {"max_attempts_per_step": MOST})


def applies(call: Call, terms: Terms) -> Call:
    """Calls of a later attempt are not made."""
    return not_made(call) if call.attempt > MOST else call


LEVER = Lever(
    key="retries",
    name="Stop repeating",
    place=10,
    stage=FIRST,
    how=f"A step is tried at most {MOST} times.",
    risk="A step that would have worked at a later attempt fails; its caller is told at once.",
    needs="Nothing.",
    source="Clients of model providers repeat a failed call twice by default, which makes three attempts.",
    learn=learn,
    applies=applies,
)
