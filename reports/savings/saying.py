"""The sentence above the savings. Pure."""

from budgets.pages.amounts import whole
from reports.savings.lever import calls
from reports.savings.showing import Shown


def headline(shown: Shown, days: str) -> str:
    """What all levers together would have saved."""
    number = calls(shown.calls)
    if not shown.calls:
        return f"No call was made from {days}, so there is nothing to save on."
    if not shown.cost:
        return f"The cost of the {number} of {days} is not known, so nothing can be said of savings."
    if shown.saved <= 0:
        return f"On the {number} of {days} no lever would have saved anything."
    percent = shown.saved * 100 // shown.cost
    share = f"{percent}% of" if percent else "of"
    return (
        f"On the {number} of {days}, all levers together would have saved {whole(shown.saved)}, "
        f"{share} {whole(shown.cost)}."
    )
