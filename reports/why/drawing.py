"""The parts as a chart (a waterfall), a table's rows, a file and data: all show the explanation's own figures."""

from collections.abc import Iterator, Sequence
from typing import Any

from budgets.pages import amounts
from budgets.pages.csv import currency_code, exact
from reports.why.explain import Explanation, Part
from reports.why.ledger import MONEY
from reports.why.saying import signed

MOST_BARS = 8  # and all other parts as one
OTHERS = "Everything else"
HEADER = ["part", "name", "amount", "unit", "share_of_difference", "explanation", "mostly_in"]


def largest_first(found: Explanation) -> list[Part]:
    """The parts, the largest amounts first, in either direction."""
    return sorted(found.parts, key=lambda one: -abs(one.amount))


def chart(found: Explanation) -> dict[str, Any]:
    """The waterfall's data: each bar from where the one before it ended, and the whole difference from nothing.

    Money in cents of the currency shown. `words` are finished texts for each bar, `kinds` say up, down or whole.
    """
    parts = largest_first(found)
    bars = [(one.label, one.amount) for one in parts[:MOST_BARS]]
    if rest := parts[MOST_BARS:]:
        bars.append((OTHERS, sum(one.amount for one in rest)))
    show = amounts.drawn if found.measure == MONEY else int
    at, steps = 0, []
    for _, amount in bars:
        steps.append([show(at), show(at + amount)])
        at += amount
    whole = show(found.total)
    return {
        "currency": currency_code(),
        "locale": "en-US",
        "unit": "" if found.measure == MONEY else found.measure,
        "labels": [*(short(label) for label, _ in bars), "In all"],
        "full": [*(label for label, _ in bars), "In all"],
        "steps": [*steps, [show(0), whole]],
        "kinds": [*("up" if amount >= 0 else "down" for _, amount in bars), "whole"],
        "words": [*(signed(amount, found.measure) for _, amount in bars), signed(found.total, found.measure)],
    }


def short(label: str) -> str:
    """The label as far as it fits beside a bar on a phone."""
    label = label.replace("Length of input: ", "Input: ")
    return label if len(label) <= 26 else f"{label[:24].rstrip()}…"


def chart_words(found: Explanation) -> str:
    """The chart as a sentence."""
    said = "; ".join(f"{one.label} {signed(one.amount, found.measure)}" for one in largest_first(found)[:MOST_BARS])
    return f"Waterfall of what made the difference. {said}. The same numbers are in the table below."


def rows(found: Explanation) -> list[dict[str, Any]]:
    """The table: a part, its amount in words, its share of the difference."""
    return [
        {"part": one, "amount": precisely(one.amount, found.measure), "share": share(one.amount, found.total)}
        for one in largest_first(found)
    ]


def precisely(amount: int, measure: str) -> str:
    """With its sign, money in cents: what a table's cell says."""
    if measure != MONEY:
        return f"{'+' if amount >= 0 else '−'}{abs(amount):,}"
    said = amounts.cents(abs(amount))
    if said.startswith("under"):
        return said if amount > 0 else f"less by {said}"
    return f"{'+' if amount >= 0 else amounts.MINUS}{said}"


def share(amount: int, of: int) -> str:
    """ "60%" of the difference, below zero for what went against it; "" of nothing."""
    if not of:
        return ""
    percent = round(amount * 100 / of)
    return f"{percent}%".replace("-", "−") if percent else "under 1%"


def lines(found: Explanation, more: Sequence[Any] = ()) -> Iterator[list[Any]]:
    """Lines of the CSV under `HEADER`; the amounts sum to the difference. `more` stands before each."""
    money = found.measure == MONEY
    for one in largest_first(found):
        part = round(one.amount * 100 / found.total, 2) if found.total else ""
        value = exact(one.amount) if money else one.amount
        unit = currency_code() if money else found.measure
        yield [*more, one.key, one.label, value, unit, part, one.sentence, one.mostly]


def data(found: Explanation) -> dict[str, Any]:
    """As JSON has it: money as exact decimal strings in the currency shown, tokens and calls as numbers."""
    show = exact if found.measure == MONEY else int
    return {
        "sentence": found.sentence,
        "unit": currency_code() if found.measure == MONEY else found.measure,
        "before": show(found.before),
        "after": show(found.after),
        "difference": show(found.total),
        "parts": [
            {
                "part": one.key,
                "name": one.label,
                "amount": show(one.amount),
                "explanation": one.sentence,
                "mostly_in": one.mostly,
                "link": one.link,
                "link_before": one.before,
                "link_mostly": one.mostly_link,
            }
            for one in largest_first(found)
        ],
        "read": found.how,
        "notes": list(found.notes),
    }
