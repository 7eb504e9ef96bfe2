"""Have providers keep what calls begin with: read from their cache it costs a part."""

from reports.savings.call import Call, change
from reports.savings.lever import FIRST, LEAST_CALLS, Known, Lever, Shape, Terms, Unknown, share

SHORTEST = 1_024  # tokens: nothing shorter is kept
KEPT = 300  # seconds since it was last read


def learn(shape: Shape, known: Known) -> Terms | Unknown | None:
    """Where at least half of the calls that say what they begin with follow one that began alike."""
    if not shape.prefixed:
        return Unknown(
            "Calls do not state what they begin with: send context layers, or the tags prefix_hash and prefix_tokens."
        )
    if shape.prefixed < LEAST_CALLS or shape.repeated * 2 < shape.prefixed:
        return None
    says = (
        f"{shape.repeated:,} of {shape.prefixed:,} calls ({share(shape.repeated, shape.prefixed)}) begin like one "
        "within the five minutes before, with 1,024 tokens or more."
    )
    return Terms(says, {"cache_kinds": ["prompt"]})


def applies(call: Call, terms: Terms) -> Call:
    """What is repeated is read from the cache; what is new is written to it, which some providers charge more for."""
    begins = min(call.prefix_tokens or 0, call.input_tokens)
    if begins < SHORTEST or call.cached_input_tokens >= begins:
        return call
    if call.since_prefix is not None and call.since_prefix <= KEPT:
        written = min(call.cache_write_tokens, call.input_tokens - begins)
        return change(call, cached_input_tokens=begins, cache_write_tokens=written)
    written = max(call.cache_write_tokens, begins - call.cached_input_tokens)
    return change(call, cache_write_tokens=written)


LEVER = Lever(
    key="prompt-cache",
    name="Read repeated beginnings from the provider’s cache",
    place=40,
    stage=FIRST,
    how="What calls of a workflow begin with alike is read from the provider’s cache for five minutes after its last "
    "use; the first call pays for writing it.",
    risk="None for the results. Where calls become rarer, writing costs more than it saves.",
    needs="Callers that put what stays the same first, and mark it where the provider asks for that.",
    source="Anthropic and OpenAI keep beginnings of at least 1,024 tokens for five minutes after their last use.",
    learn=learn,
    applies=applies,
)
