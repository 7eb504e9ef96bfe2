"""Limit how long an answer may be."""

from reports.savings.call import Call, capped
from reports.savings.lever import LEAST_CALLS, SHOW, Known, Lever, Shape, Terms


def learn(shape: Shape, known: Known) -> Terms | None:
    """The length that 99% of the answers keep to."""
    most = shape.output_99
    if shape.calls < LEAST_CALLS or not most or shape.longest_output <= most:
        return None
    if not shape.tightens("max_output_tokens", most):
        return None
    says = (
        f"99% of {shape.calls:,} answers have at most {most:,} tokens, about {most * 3 // 4:,} words; "
        f"the longest has {shape.longest_output:,}."
    )
    return Terms(says, {"max_output_tokens": most}, values={"most": most})


def applies(call: Call, terms: Terms) -> Call:
    """Longer answers end there."""
    return capped(call, terms.values["most"])


LEVER = Lever(
    key="answers",
    name="Limit the length of answers",
    place=60,
    stage=SHOW,
    how="No answer is longer than 99 of 100 are now.",
    risk="One answer in a hundred is cut off.",
    needs="A look at the longest answers: what they say at the end must not be needed.",
    source="The distribution of your own answers; 100 at least.",
    learn=learn,
    applies=applies,
)
