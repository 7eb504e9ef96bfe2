"""Send what nobody waits for as a batch, at the provider's batch price."""

from collections import defaultdict

from reports.savings.call import Call, change
from reports.savings.lever import FIRST, LEAST_CALLS, Known, Lever, Shape, Terms, Unknown, share

NIGHT = 95  # percent of the calls
SLOW = ("batch", "flex")


def learn(shape: Shape, known: Known) -> Terms | Unknown | None:
    """Task types that go as a batch in part already, or that run at night only; where calls name nobody who waits."""
    quiet: dict[str, int] = defaultdict(int)
    night: dict[str, int] = defaultdict(int)
    calls: dict[str, int] = defaultdict(int)
    slow, unpriced = set(), False
    for use in shape.uses:
        if use.service_tier in SLOW:
            slow.add(use.task_type)
            continue
        calls[use.task_type] += use.calls
        quiet[use.task_type] += use.quiet
        night[use.task_type] += use.night
        unpriced |= use.quiet > 0 and known.rates(use.provider, use.model, "batch") is None
    by_night = {one for one, n in calls.items() if n >= LEAST_CALLS and night[one] * 100 >= NIGHT * n}
    chosen = sorted({one for one in slow if quiet[one]} | by_night)
    if not chosen:
        if sum(quiet.values()) < LEAST_CALLS:
            return None
        return Unknown(
            f"{sum(quiet.values()):,} calls name neither a user nor a session. Whether somebody waits for them is not "
            "known: send user or session with those, or some of the others as a batch."
        )
    found, looked_at = sum(quiet[one] for one in chosen), sum(use.calls for use in shape.uses)
    why = "of a kind that goes as a batch already" if set(chosen) & slow else "made between 20:00 and 6:00"
    lacking = " Models without a batch price in the price book are left out." if unpriced else ""
    says = f"{found:,} calls ({share(found, looked_at)}) name neither a user nor a session and are {why}.{lacking}"
    # A rule cannot tell who waits: it is for kinds of which no call names anybody.
    waited = {one for one in calls if quiet[one] < calls[one]}
    alone = [one for one in chosen if one and one not in waited]
    when: dict[str, list[str]] | None = {"workflow": [shape.workflow]}
    if set(calls) - set(chosen) or waited:
        when = {"workflow": [shape.workflow], "task_type": alone} if alone else None
    if left := [one for one in chosen if when is None or ("task_type" in when and one not in alone)]:
        kinds = ", ".join(one or "no stated kind" for one in left)
        says += f" Of {kinds} a rule would send others, too: there, callers have to ask for a batch themselves."
    rule = {"id": "", "name": f"Batch: {shape.workflow}"[:128], "when": when, "then": {"batch": True}}
    return Terms(says, rules=[rule] if when else [], values={"task_types": chosen})


def applies(call: Call, terms: Terms) -> Call:
    """The same call at the batch price."""
    if call.waits or call.service_tier not in {"", "standard"} or call.task_type not in terms.values["task_types"]:
        return call
    return change(call, service_tier="batch")


LEVER = Lever(
    key="batch",
    name="Send as a batch what nobody waits for",
    place=50,
    stage=FIRST,
    how="Calls that name neither a user nor a session, of a kind that goes as a batch in part already or that is made "
    "at night only (95% between 20:00 and 6:00), go at the batch price.",
    risk="Answers come within a day, not within seconds.",
    needs="The word of the workflow’s owner that nobody waits, and batch prices in the price book.",
    source="The kinds of calls that you send as a batch, and the hours of the others; batch prices of the price book.",
    learn=learn,
    applies=applies,
)
