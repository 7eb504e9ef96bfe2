"""Offer the model fewer tools: the description of each is paid for with every call."""

from reports.savings.call import Call, fewer
from reports.savings.lever import FIRST, LEAST_CALLS, Known, Lever, Shape, Terms, Unknown

LEAST = 5  # tools that are offered in any case


def learn(shape: Shape, known: Known) -> Terms | Unknown | None:
    """Twice as many tools as 99% of the calls use."""
    if not shape.exposed:
        return Unknown("Calls do not state how many tools they offer (tools_exposed).")
    if shape.most_tools <= LEAST:
        return None
    if shape.tooled < LEAST_CALLS:
        return Unknown("Too few calls state how many tools they used (tools_used) and what tools cost (context.tools).")
    most = max(LEAST, 2 * shape.tools_used_99)
    if shape.most_tools <= most or not shape.tightens("max_tools_exposed", most):
        return None
    says = (
        f"99% of {shape.tooled:,} calls use at most {shape.tools_used_99:,} tools; "
        f"up to {shape.most_tools:,} are offered."
    )
    return Terms(says, {"max_tools_exposed": most}, values={"most": most})


def applies(call: Call, terms: Terms) -> Call:
    """Of the tools that a call offers, no more than that are described."""
    return fewer(call, "tools", call.tools_exposed or 0, terms.values["most"])


LEVER = Lever(
    key="tools",
    name="Offer fewer tools",
    place=30,
    stage=FIRST,
    how=f"A call offers at most twice as many tools as calls use, and {LEAST} in any case.",
    risk="A rare task misses its tool, and says so.",
    needs="Callers that choose the tools of a task before they call.",
    source="The distribution of your own calls; 100 calls at least that state tools offered, used and their size.",
    learn=learn,
    applies=applies,
)
