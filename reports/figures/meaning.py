"""What each figure is called, in what it is measured and what it means, in plain words. Pure."""

from dataclasses import dataclass

from reports.figures.sums import CACHES
from usage.rollups.sums import LAYERS

# Units: what a figure's value is, and so how it is shown.
EACH, MONEY, SHARE, TOKENS, RATIO, PLAIN, MINUTES, TIMES = (
    "each", "money", "share", "tokens", "ratio", "plain", "minutes", "times"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """One figure. `unit`: `each` and `money` are nano-dollars, `share` part of one, the rest plain numbers."""

    name: str
    label: str
    unit: str
    says: str

    @property
    def anchor(self) -> str:
        return self.name.replace("_", "-").replace(".", "-")


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that are read together."""

    key: str
    title: str
    figures: tuple[Meaning, ...]


CACHE_WORDS = {
    "prompt": ("Prompt cache", "Calls whose prompt was partly stored at the provider"),
    "semantic": ("Similar question", "Calls answered from the answer to a similar question"),
    "response": ("Same question", "Calls answered from the answer to the same question"),
    "retrieval": ("Looked-up text cache", "Calls whose looked-up text came from a cache"),
    "embedding": ("Embedding cache", "Calls whose embedding came from a cache"),
}
LAYER_WORDS = {
    "system": ("Instructions", "the fixed instructions"),
    "history": ("Earlier turns", "earlier turns of the conversation"),
    "retrieval": ("Looked-up text", "text that was looked up"),
    "tools": ("Tools", "descriptions and results of tools"),
    "memory": ("Memory", "notes kept from before"),
    "user": ("The question", "what was asked"),
    "output_format": ("Form of the answer", "how the answer has to look"),
}

GROUPS: tuple[Group, ...] = (
    Group("cost", "What a result costs", (
        Meaning("cost_per_approved", "Cost per approved asset", EACH,
                "What all runs cost, failed and repeated ones too, for each that was approved or shipped."),
        Meaning("cost_per_completed", "Cost per completed task", EACH,
                "What all runs cost for each that was completed, approved or shipped."),
        Meaning("tokens_per_shipped", "Tokens per shipped asset", TOKENS,
                "All tokens of these workflows for each run that was shipped; 1,000 tokens are about 750 words."),
        Meaning("cost_per_team", "Cost per team", EACH, "Spend of teams, for each team that spent."),
        Meaning("cost_per_user", "Cost per user", EACH, "Spend of calls that name a user, for each user."),
        Meaning("cost_per_customer", "Cost per customer", EACH,
                "Spend of calls that name a customer, for each customer."),
        Meaning("cost_per_application", "Cost per application", EACH,
                "Spend of calls that name an application, for each application."),
    )),
    Group("value", "What it is worth", (
        Meaning("value_per_dollar", "Value for a dollar", RATIO,
                "Revenue of runs that were shipped, for each dollar that all runs cost. Above 1 it earns more than it "
                "costs."),
        Meaning("minutes_saved_per_dollar", "Minutes saved for a dollar", MINUTES,
                "Minutes of work that outcomes say were saved, for each dollar that all runs cost."),
        Meaning("cost_per_case", "Cost per case resolved", EACH,
                "What all runs cost for each case that outcomes say was resolved."),
        Meaning("satisfaction", "Satisfaction", PLAIN, "The average score that was given, from 0 to 5."),
    )),
    Group("review", "Review", (
        Meaning("rework_rate", "Sent back", SHARE, "Runs sent back at least once, of all that somebody reviewed."),
        Meaning("misrouted_share", "Went the wrong way", SHARE,
                "Runs marked as misrouted, of all that have an outcome."),
        Meaning("review_minutes", "Minutes per review", MINUTES, "What a review took on average, where it says so."),
    )),
    Group("models", "Models and growth", (
        Meaning("escalation_rate", "Calls above the usual tier", SHARE,
                "Calls served by a dearer tier of models than their workflow usually uses."),
        Meaning("premium_share", "Premium share", SHARE, "Part of the spend that went to premium models."),
        Meaning("input_to_output", "Input for output", RATIO,
                "Tokens sent for each token received. Long inputs for short answers are worth a look."),
        Meaning("elasticity", "Growth of cost to growth of use", TIMES,
                "By how much cost grew when use grew by one part, against the days compared with. Below 1, more use "
                "becomes cheaper. Use is counted in runs where every call names its run, else in calls."),
    )),
    Group("agents", "Steps and repeats", (
        Meaning("steps_per_run", "Steps in a run", PLAIN, "The number of its last step, on average."),
        Meaning("loop_rate", "Runs over their limit of steps", SHARE,
                "Runs with more steps than their workflow allows, of all runs of workflows that have such a limit."),
        Meaning("retry_rate", "Repeated calls", SHARE, "Calls that were a second or later attempt."),
        Meaning("anomaly_rate", "Unusual spend per 1,000 runs", PLAIN,
                "How often something was unusual and nobody called it expected."),
    )),
    Group("caches", "Caches", (
        Meaning("saved", "Saved by caches", MONEY,
                "What calls would have cost more without caches: tokens that did not have to be paid, and stored input "
                "at its lower price."),
        Meaning("cached_input_share", "Input from a cache", SHARE, "Part of the input that was charged at the price "
                "of stored input."),
        *(Meaning(f"cache_hits.{kind}", CACHE_WORDS[kind][0], SHARE,
                  f"{CACHE_WORDS[kind][1]}, of all calls of workflows that may use this cache.") for kind in CACHES),
    )),
    Group("context", "What input is made of", tuple(
        Meaning(f"context.{layer}", LAYER_WORDS[layer][0], SHARE,
                f"Part of the input that is {LAYER_WORDS[layer][1]}, where calls say so.") for layer in LAYERS
    )),
    Group("known", "How much is known", (
        Meaning("priced_share", "With a price", SHARE, "Calls with a price, of all that say how much they used."),
        Meaning("claimed_share", "With an owner", SHARE, "Spend of workflows that somebody answers for."),
        Meaning("run_share", "In a run", SHARE, "Spend of calls that name their run."),
        Meaning("outcome_share", "With an outcome", SHARE, "Cost of runs that have an outcome, of all runs."),
    )),
)  # fmt: skip
MEANINGS: tuple[Meaning, ...] = tuple(one for group in GROUPS for one in group.figures)
