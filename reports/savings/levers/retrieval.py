"""Look up fewer passages for a call."""

from reports.savings.call import Call, fewer
from reports.savings.lever import LEAST_CALLS, SHOW, Known, Lever, Shape, Terms, Unknown

LEAST = 3  # passages that are looked up in any case


def learn(shape: Shape, known: Known) -> Terms | Unknown | None:
    """Twice the usual number of passages."""
    if not shape.chunked:
        return None if shape.layered else Unknown("Calls do not state how much they look up (retrieved_chunks).")
    if shape.retrieved < LEAST_CALLS:
        return Unknown("Too few calls state how long the passages are that they look up (context.retrieval).")
    most = max(LEAST, 2 * shape.chunks_50)
    if shape.most_chunks <= most or not shape.tightens("max_retrieved_chunks", most):
        return None
    says = (
        f"Half of {shape.retrieved:,} calls look up at most {shape.chunks_50:,} passages; "
        f"some bring up to {shape.most_chunks:,}."
    )
    return Terms(says, {"max_retrieved_chunks": most}, values={"most": most})


def applies(call: Call, terms: Terms) -> Call:
    """Of the passages that a call brings, no more than that are looked up."""
    return fewer(call, "retrieval", call.retrieved_chunks or 0, terms.values["most"])


LEVER = Lever(
    key="retrieval",
    name="Look up fewer passages",
    place=70,
    stage=SHOW,
    how=f"A call brings at most twice the usual number of passages, and {LEAST} in any case.",
    risk="A call misses the passage that it needed, where the search ranks badly.",
    needs="Answers that are as good with fewer passages, on a few dozen calls.",
    source="The distribution of your own calls; 100 calls at least that state number and size of the passages.",
    learn=learn,
    applies=applies,
)
