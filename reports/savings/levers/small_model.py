"""Have narrow work of high volume done by a small model."""

from collections import defaultdict

from reports.savings.call import Call, change
from reports.savings.lever import THEN, Known, Lever, Shape, Terms, named
from reports.savings.levers.newer_model import maybe_newer
from reports.savings.levers.structured import NARROW

PREMIUM = 3  # and every tier above
LEAST_TOKENS = 2_000_000  # a day, input and output
TASKS = (*NARROW, "summarization", "translation")


def learn(shape: Shape, known: Known) -> Terms | None:
    """Narrow task types with more than two million tokens a day on premium models."""
    sums: dict[str, int] = defaultdict(int)
    for use in shape.uses:
        if use.tier >= PREMIUM and use.task_type in TASKS:
            sums[use.task_type] += use.input_tokens + use.output_tokens
    tokens = {task: shape.scaled(number) for task, number in sums.items()}
    chosen = sorted(task for task, number in tokens.items() if number > LEAST_TOKENS * shape.days)
    if not chosen or not known.tiers:
        return None
    lowest = min(known.tiers, key=lambda one: one.number)
    to = {
        named(*one): list(other)
        for use in shape.uses
        if use.tier >= PREMIUM and use.task_type in chosen
        for one in maybe_newer(use, known)
        if (other := known.cheapest(lowest, one))
    }
    if not to:
        return None
    told = ", ".join(f"{task} uses {tokens[task] // shape.days:,} tokens a day" for task in chosen)
    rule = {
        "id": "",
        "name": f"Small model for {shape.workflow}"[:128],
        "when": {"workflow": [shape.workflow], "task_type": chosen},
        "then": {"tier": lowest.number},
    }
    values = {"to": to, "task_types": chosen, "tier": lowest.number}
    return Terms(f"On premium models, {told}.", rules=[rule], values=values)


def applies(call: Call, terms: Terms) -> Call:
    """The same tokens by the small model."""
    if call.tier < PREMIUM or call.task_type not in terms.values["task_types"]:
        return call
    other = terms.values["to"].get(named(call.provider, call.model))
    return change(call, provider=other[0], model=other[1], tier=terms.values["tier"]) if other else call


LEVER = Lever(
    key="small-model",
    name="A small model for narrow work of high volume",
    place=130,
    stage=THEN,
    how="A narrow kind of work with more than two million tokens a day on premium models goes to the cheapest model of "
    "the lowest tier, or to a small model of your own.",
    risk="What the small model was not shown, it does badly.",
    needs="An evaluation on your own calls; often a small model has to be trained for it first.",
    source="Two million tokens a day is about where training and running a small model pays for itself.",
    learn=learn,
    applies=applies,
)
