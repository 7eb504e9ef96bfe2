"""Have narrow tasks answered in a fixed form instead of prose."""

from collections import defaultdict

from reports.savings.call import Call, change
from reports.savings.lever import LEAST_CALLS, SHOW, Known, Lever, Shape, Terms, Unknown

NARROW = ("classification", "extraction", "formatting", "moderation", "routing", "tagging")
FORM = "schema"


def learn(shape: Shape, known: Known) -> Terms | Unknown | None:
    """Task types of which part is answered in a fixed form already: that part says how long such answers are."""
    form: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for use in shape.uses:
        if use.task_type in NARROW:
            found = form[use.task_type]
            found[0] += use.schema
            found[1] += use.schema_output
            found[2] += use.calls - use.schema
            found[3] += use.output_tokens - use.schema_output
    if not form or not any(other for _, _, other, _ in form.values()):
        return None
    enough = {task: one for task, one in form.items() if one[0] >= LEAST_CALLS and one[2] >= LEAST_CALLS}
    means = {
        task: -(-output // calls)
        for task, (calls, output, other, prose) in enough.items()
        if prose * calls > output * other
    }
    if enough and not means:
        return None  # answers in prose are no longer than those
    if not means:
        return Unknown(
            f"Too few calls of {', '.join(sorted(form))} are answered in a fixed form (response_format) to say how "
            "short such answers are. Try it on a hundred."
        )
    told = [f"{form[task][0]:,} answers of {task} in a fixed form have {mean:,} tokens on average" for task, mean in
            sorted(means.items())]  # fmt: skip
    limits = {task: {"max_output_tokens": mean * 2} for task, mean in means.items()}
    return Terms(f"{'; '.join(told)}.", task_limits=limits, values={"means": means})


def applies(call: Call, terms: Terms) -> Call:
    """Answers in prose become as long as those in a fixed form are on average, shorter ones too."""
    mean = terms.values["means"].get(call.task_type)
    if mean is None or call.response_format == FORM or not call.output_tokens:
        return call
    return change(call, output_tokens=mean, reasoning_tokens=min(call.reasoning_tokens, mean))


LEVER = Lever(
    key="structured",
    name="Answer narrow tasks in a fixed form",
    place=90,
    stage=SHOW,
    how="Answers in prose of tagging, extraction and such become as long as those of the same kind that are given in "
    "a fixed form. The limit that is prepared leaves twice that room.",
    risk="What was explained in prose is not said any more.",
    needs="Callers that ask for a schema (response_format), and readers of the answer that understand it.",
    source="Your own answers of the same kind; 100 at least in a fixed form, and 100 others.",
    learn=learn,
    applies=applies,
)
