"""Have easy work done by cheaper models."""

from collections import defaultdict

from reports.savings.call import Call, change
from reports.savings.lever import THEN, Known, Lever, Shape, Terms, Use, calls, named
from reports.savings.levers.newer_model import maybe_newer

TASKS = {"tagging": 1, "classification": 1, "extraction": 1, "rewrite": 2, "rewriting": 2, "variant": 2, "variants": 2}
STAGES = {"draft": 1, "refine": 2}


def easy(task_type: str, stage: str) -> tuple[str, str, int] | None:
    """("task_type" or "stage", which, the tier that does for it); None for work that is not known to be easy."""
    if task_type in TASKS:
        return "task_type", task_type, TASKS[task_type]
    return ("stage", stage, STAGES[stage]) if stage in STAGES else None


def learn(shape: Shape, known: Known) -> Terms | None:
    """What is served above the tier that does for it, where that tier has a cheaper model."""
    tiers = {tier.number: tier for tier in known.tiers}
    to: dict[str, dict[str, list[str]]] = defaultdict(dict)
    found: dict[tuple[str, str, int], list[Use]] = defaultdict(list)
    for use in shape.uses:
        kind = easy(use.task_type, use.stage)
        if kind is None or use.tier <= kind[2] or kind[2] not in tiers:
            continue
        for one in maybe_newer(use, known):
            if (other := known.cheapest(tiers[kind[2]], one)) is not None:
                to[f"{kind[0]} {kind[1]}"][named(*one)] = list(other)
        if named(use.provider, use.model) in to[f"{kind[0]} {kind[1]}"]:
            found[kind].append(use)
    if not found:
        return None
    told = [
        f"{calls(sum(use.calls for use in uses), f'of {which} is', f'of {which} are')} served above {tiers[tier].name}"
        for (_, which, tier), uses in sorted(found.items())
    ]
    rules = [
        {
            "id": "",
            "name": f"{which.capitalize()} of {shape.workflow}"[:128],
            "when": {"workflow": [shape.workflow], by: [which]},
            "then": {"tier": tier},
        }
        for by, which, tier in sorted(found)
    ]
    return Terms(f"{'; '.join(told)}.", rules=rules, values={"to": dict(to)})


def applies(call: Call, terms: Terms) -> Call:
    """The same tokens by the cheapest model of the lower tier."""
    kind = easy(call.task_type, call.stage)
    if kind is None or call.tier <= kind[2]:
        return call
    other = terms.values["to"].get(f"{kind[0]} {kind[1]}", {}).get(named(call.provider, call.model))
    return change(call, provider=other[0], model=other[1], tier=kind[2]) if other else call


LEVER = Lever(
    key="routing-down",
    name="Have easy work done by cheaper models",
    place=120,
    stage=THEN,
    how="Tagging, classification, extraction and drafts go to Economy; refining, rewriting and variants to Standard.",
    risk="More answers are rejected or reworked, which costs people’s time.",
    needs="An evaluation: on a hundred runs of each kind, as many must be approved without rework as are now.",
    source="The ready-made rules of TokenOps: which kinds of work and stages are easy.",
    learn=learn,
    applies=applies,
)
