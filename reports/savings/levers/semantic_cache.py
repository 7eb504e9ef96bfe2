"""Answer what was asked before from a cache of answers."""

from collections import defaultdict

from reports.savings.call import WHOLE, Call, change, not_made, portion
from reports.savings.lever import LEAST_CALLS, SHOW, Known, Lever, Shape, Terms, Unknown, share

KEPT = 86_400  # seconds that an answer stays good since it was last asked for
ANSWERED = ("semantic", "response")
CACHES = {"cache_kinds": ["semantic", "response"]}


def learn(shape: Shape, known: Known) -> Terms | Unknown | None:
    """Prompts known to repeat by their hash; or an application whose cache shows how often others would be answered."""
    if shape.hashed >= LEAST_CALLS:
        return Terms(
            f"{shape.hashed:,} calls state the hash of their prompt. Answered in the day before, it is repeated.",
            CACHES,
            values={"rates": {}},
        )
    calls: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for use in shape.uses:
        found = calls[(use.task_type, use.application)]
        found[0] += use.calls
        found[1] += use.hits
    shown: dict[str, tuple[int, int]] = {}
    for (task, _), (number, hits) in calls.items():
        if hits and number >= LEAST_CALLS:
            was = shown.get(task, (0, 0))
            shown[task] = (was[0] + hits, was[1] + number)
    rates = {
        f"{task} {application}": WHOLE * shown[task][0] // shown[task][1]
        for (task, application), (number, hits) in calls.items()
        if task in shown and not hits and number >= LEAST_CALLS
    }
    if rates:
        hits, number = (sum(both) for both in zip(*shown.values(), strict=True))
        says = (
            f"Where a cache of answers is in use, it answers {share(hits, number)} of {number:,} calls; "
            "other applications do the same work without one."
        )
        return Terms(says, CACHES, values={"rates": rates})
    if shown:
        return None
    return Unknown(
        "Prompts are not stored, so how many repeat is unknown. Send the tag prompt_hash, or try a cache in one "
        "application of the workflow: what it answers is the measure for the others."
    )


def applies(call: Call, terms: Terms) -> Call:
    """A repeated prompt is not sent; of applications without a cache, as large a part as another's cache answers."""
    if call.cache in ANSWERED:
        return call
    if call.since_prompt is not None and call.since_prompt <= KEPT:
        return not_made(call)
    rate = terms.values["rates"].get(f"{call.task_type} {call.application}")
    return call if rate is None else change(call, made=portion(call.made, WHOLE - rate, WHOLE))


LEVER = Lever(
    key="semantic-cache",
    name="Answer repeated questions from a cache",
    place=100,
    stage=SHOW,
    how="A prompt that was answered in the day before is answered from a cache; and applications without a cache have "
    "as many calls answered as one that does the same work with it.",
    risk="Somebody gets an answer to a question that was only like theirs, or an old one. Never for sensitive data.",
    needs="A look at a hundred pairs of questions that the cache takes for the same.",
    source="Hashes that callers state, or your own caches; 100 calls at least. An answer is kept for a day after it "
    "was last asked for.",
    learn=learn,
    applies=applies,
)
