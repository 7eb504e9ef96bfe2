"""What figures, actions and reasons of a replay are called on pages, and the sentence above them. Pure."""

from typing import Final

from budgets.pages.amounts import cents
from routing.replay.result import NOT_MADE, Result, Tally

# figure → what its line is called; those that are known of what really happened are marked.
FIGURE_WORDS: Final = {
    "calls": "Calls looked at",
    "made": "Go through",
    "blocked": "Blocked",
    "approval": "Wait for somebody's approval",
    "shorten": "Sent back, to be made shorter",
    "lowered": "Served by a cheaper tier than asked for",
    "moved": "Served by another model than they were",
    "review": "Somebody looks at the result",
    "cut": "Answer longer than it may be",
    "unchanged": "Go through as they did",
    "unpriced": "Go through, price not known",
    "unmeasured": "Go through, use not measured",
}
HAPPENED: Final = ("calls", "made", "blocked", "unpriced", "unmeasured")
CHANGED: Final = "changed"
CHANGED_WORDS: Final = "Decided differently by the two"
SIDES: Final = {"happened": "What happened", "live": "In force", "draft": "This draft"}
ACTIONS: Final = {
    "allow": "Goes through",
    "downgrade": "Goes to a cheaper tier",
    "throttle": "Slowed down",
    "human_review": "Goes through; somebody looks at the result",
    "summarize": "Sent back, to be made shorter",
    "require_approval": "Waits for approval",
    "block": "Blocked",
}
REASONS: Final = {
    "workflow_paused": "The workflow is paused",
    "run_stopped": "The run is stopped",
    "input_too_long": "Too much text sent",
    "history_too_long": "Too much of the conversation sent",
    "retrieval_too_long": "Too much looked-up text sent",
    "too_many_chunks": "Too many passages looked up",
    "too_many_tools": "Too many tools offered",
    "run_steps": "The run has too many steps",
    "run_steps_kind": "The run has too many steps of one kind",
    "run_attempts": "Tried too often",
    "run_tokens": "The run is too long",
    "run_money": "The run costs too much",
    "output_capped": "The answer's length is limited",
    "review_limit": "A risk that somebody looks at",
    "review_rule": "A rule has somebody look at it",
    "rule": "A rule fits",
    "tier_lower": "A cheaper tier was asked for than is usual",
    "tier_lowered": "A dearer tier was asked for than is usual",
    "grant_used": "An allowance covers it",
    "approval_needed": "A tier that needs approval",
    "model_unlisted": "A model of no tier, let through",
    "model_replaced": "A model of no tier, replaced",
    "model_refused": "A model of no tier, refused",
    "model_not_allowed": "The workflow may not use that model",
    "no_model_allowed": "The workflow may use no model of the tier",
    "no_model_meets": "No model is as fast, good or cheap as wanted",
}
NOT_REPLAYED: Final = (
    "Budgets and pauses are left out: what was left of a budget on that day is not for a policy to say. Workflows,"
    " their limits, prices and measured speed are those of today. An allowance counts while it ran, however much of"
    " it was used. How hard a call was, its risks beyond its workflow's and its longest answer are not in the ledger."
)
HOW: Final = (
    "Each call is decided twice, by the policy in force and by this draft, in the order in which its run made them; a"
    " run's counts begin with its first call in these days. A call that goes to another model is priced with the same"
    " use, by that model's price at that time, and in full even where its answer would be cut off. A call that would"
    " not be made costs nothing and does not count towards its run."
)


def reason_words(code: str) -> str:
    """A reason's code for a reader."""
    return REASONS.get(code) or code.replace("_", " ").capitalize()


def tier_words(number: str, names: dict[str, str]) -> str:
    """A row of the table by tier."""
    return {"0": "In no tier", NOT_MADE: "Not made"}.get(number) or names.get(number) or f"Tier {number}"


def known(tally: Tally) -> bool:
    """Whether any call's cost is known, so that an amount may be shown."""
    return tally.cost > 0 or tally.made == 0 or tally.made > tally.unpriced + tally.unmeasured


def money(tally: Tally) -> str:
    """ "$12.40", or that there is no price yet: never $0 for what is not known."""
    return cents(tally.cost) if known(tally) else "no price yet"


def headline(result: Result, days: str, calls: int, what: str = "this draft") -> str:
    """The sentence above the figures; for a sample with what it comes to over all calls, which is only about so."""
    total = result.total
    tried = total.happened.calls
    if not tried:
        return f"There are no calls in {days}."
    counted = f"{calls:,} call{'' if calls == 1 else 's'} of {days}"
    if not known(total.draft):
        return f"What the {counted} would have cost by {what} is not known: its models have no price yet."
    if tried < calls:
        draft, more = (cost * calls // tried for cost in (total.draft.cost, total.difference))
        return f"On all {counted} {what} would have spent about {cents(draft)}{compared(more, 'about ')}."
    of_some = f", of the {total.compared:,} calls whose cost both know" if total.compared < tried else ""
    if not total.compared:
        return f"On the {counted} {what} would have spent {money(total.draft)}."
    return f"On the {counted} {what} would have spent {money(total.draft)}{compared(total.difference)}{of_some}."


def compared(difference: int, about: str = "") -> str:
    """ ", $1.20 less than the policy in force", to go on a sentence."""
    if not difference:
        return ", as much as the policy in force"
    return f", {about}{cents(abs(difference))} {'more' if difference > 0 else 'less'} than the policy in force"


def really(tally: Tally) -> str:
    """What the calls cost when they happened, as a sentence."""
    unknown = tally.unpriced + tally.unmeasured
    if not known(tally):
        return "What they really cost is not known."
    besides = f", beside {unknown:,} call{'' if unknown == 1 else 's'} of unknown cost" if unknown else ""
    return f"They really cost {cents(tally.cost)}{besides}."
