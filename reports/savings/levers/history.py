"""Send less of the earlier conversation."""

from reports.savings.call import Call, shorter
from reports.savings.lever import LEAST_CALLS, SHOW, Known, Lever, Shape, Terms, Unknown


def learn(shape: Shape, known: Known) -> Terms | Unknown | None:
    """The length of history that 95% of the calls keep to."""
    if not shape.layered:
        return Unknown("Calls do not state what their input is made of (context), so the share of history is unknown.")
    most = shape.history_95
    if shape.layered < LEAST_CALLS or not most or shape.most_history <= most:
        return None
    if not shape.tightens("max_history_tokens", most):
        return None
    says = (
        f"95% of {shape.layered:,} calls send at most {most:,} tokens of earlier turns; "
        f"the longest sends {shape.most_history:,}."
    )
    return Terms(says, {"max_history_tokens": most}, values={"most": most})


def applies(call: Call, terms: Terms) -> Call:
    """Of a longer history only the newest part is sent."""
    return shorter(call, "history", call.layer("history") - terms.values["most"])


LEVER = Lever(
    key="history",
    name="Send less of the conversation",
    place=80,
    stage=SHOW,
    how="Of earlier turns, no call sends more than 95 of 100 do now.",
    risk="The model forgets the beginning of the longest conversations.",
    needs="A summary of older turns, or a look at whether they are needed.",
    source="The distribution of your own calls; 100 at least that state their context layers.",
    learn=learn,
    applies=applies,
)
