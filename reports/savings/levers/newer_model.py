"""Move to a newer model of the same family that costs less."""

import re

from reports.savings.call import Call, change
from reports.savings.lever import THEN, Known, Lever, Shape, Terms, Use, calls, named

DATED = re.compile(r"[-@](20\d\d-?\d\d-?\d\d|20\d\d|\d{4}|\d{2}-\d{2}|\d{3})$")
NUMBER = re.compile(r"(\d+(?:\.\d+)*)[a-z]?")
LETTERS = re.compile(r"([a-z]+)(\d*)")
NOT_A_GENERATION = re.compile(r"\d+b\b")  # a size, such as 70b
MOVED = {"", "chat", "completion"}  # operations
LEFT_OUT = {"embedding", "embed", "image", "audio", "tts", "realtime", "transcribe"}


def family_of(model: str) -> tuple[frozenset[str], tuple[int, ...]] | None:
    """(words of its name, generation): "claude-3-5-sonnet" and "claude-sonnet-4-5" are one family's (3, 5) and (4, 5).

    None for a name that states no generation, and for what cannot be exchanged: embeddings, images, sound.
    """
    name = model.casefold().rsplit("/", 1)[-1].removesuffix("-latest")
    if NOT_A_GENERATION.search(name):
        return None
    while (shorter := DATED.sub("", name)) != name:
        name = shorter
    words, numbers = set(), list[int]()
    for part in re.split(r"[-_:@ ]", name):
        if found := NUMBER.fullmatch(part):
            numbers += [int(one) for one in found[1].split(".")]
        elif found := LETTERS.fullmatch(part):
            words.add(found[1])
            numbers += [int(found[2])] if found[2] else []
        else:
            return None
    return (frozenset(words), tuple(numbers)) if words and numbers and not words & LEFT_OUT else None


def newer(provider: str, model: str, known: Known) -> tuple[str, str] | None:
    """The newest model of its family that costs less, by the price book; None where there is none."""
    vendor, name = known.prices.canonical(provider, model)
    own = family_of(name)
    if own is None:
        return None
    found = [
        (other[1], one)
        for one in known.listed
        if one[0] == vendor
        and (other := family_of(one[1])) is not None
        and other[0] == own[0]
        and other[1] > own[1]
        and known.is_cheaper(one, (provider, model))
    ]
    return max(found)[1] if found else None


def maybe_newer(use: Use, known: Known) -> list[tuple[str, str]]:
    """The model of these calls, and the one that they have once this lever is pulled: what later levers may meet."""
    own = use.provider, use.model
    other = newer(*own, known) if use.operation in MOVED else None
    return [own, other] if other else [own]


def learn(shape: Shape, known: Known) -> Terms | None:
    """Each model of the workflow that has such a successor."""
    served = sorted({(use.provider, use.model) for use in shape.uses if use.operation in MOVED})
    to = {one: other for one in served if (other := newer(*one, known))}
    if not to:
        return None
    movable = sum(use.calls for use in shape.uses if (use.provider, use.model) in to)
    told = ", ".join(f"{one[1]} to {other[1]}" for one, other in to.items())
    return Terms(
        f"{calls(movable, 'could move')}: {told}. The newer one costs less for input or output, and more for neither.",
        models=[[list(one), list(other)] for one, other in to.items()],
        values={"to": {named(*one): list(other) for one, other in to.items()}},
    )


def applies(call: Call, terms: Terms) -> Call:
    """The same tokens by the newer model."""
    other = terms.values["to"].get(named(call.provider, call.model))
    return change(call, provider=other[0], model=other[1]) if other else call


LEVER = Lever(
    key="newer-model",
    name="Move to a newer, cheaper model",
    place=110,
    stage=THEN,
    how="Calls go to the newest model of the same provider and family that costs less.",
    risk="Answers differ in tone and length: a newer model may use other numbers of tokens for the same text.",
    needs="An evaluation on your own prompts: the newer model’s answers must be approved as often. The "
    "draft puts it into its tier, so every workflow that uses the tier moves.",
    source="Names and prices of the price book.",
    learn=learn,
    applies=applies,
)
