"""The one sentence at the top: the amount first, then the reason. No queries."""

from dataclasses import dataclass

from budgets.pages.amounts import amount, whole
from budgets.pages.moments import day
from budgets.pages.standing import Standing
from reports.asking.window import Window
from reports.overview.crowd import Crowd


@dataclass(frozen=True)
class Saying:
    """A sentence in parts: plain text, or the name and slug of a budget to link; and how loud it is."""

    tone: str
    icon: str
    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)


def say(window: Window, spent: int | None, landing: int | None, budgets: Crowd, how: str = "at an even pace") -> Saying:
    """What matters most now: a budget that ran out, one that will, all well, or that there is none.

    `spent` is None where no cost is known. `how`: what a landing rests on that is no budget's.
    """
    if budgets.worst:
        return _ran_out(budgets.worst, budgets)
    plan = budgets.plan
    if plan and plan.excess is not None and plan.excess > 0:
        return _over_plan(plan, budgets.furthest)
    if budgets.leading:
        return _heading_over(budgets.leading, budgets.heading - 1)
    closest = budgets.closest
    if closest is None:
        return _no_budget(window, spent, landing, how)
    parts: tuple[tuple[str, str], ...]
    if budgets.live == 1:
        parts = ((closest.name, closest.slug), (f" is within its budget: {closest.spent_words}.", ""))
    else:
        parts = (
            (f"All {budgets.live:,} budgets are within their limits. Closest is ", ""),
            (closest.name, closest.slug),
            (f": {closest.spent_words}.", ""),
        )
    return Saying("ok", "check", parts)


def _ran_out(worst: Standing, budgets: Crowd) -> Saying:
    spent, limit = exact_pair(worst)
    sentence: list[tuple[str, str]] = [
        (worst.name, worst.slug),
        (f" has run out: {spent} of {limit}. {worst.aftermath}", ""),
    ]
    if budgets.over == 2 and budgets.second:
        sentence += [(" ", ""), (budgets.second.name, budgets.second.slug), (" has run out too.", "")]
    elif budgets.over > 2:
        sentence.append((f" {budgets.over - 1:,} other budgets have run out too.", ""))
    return Saying("over", "over", tuple(sentence))


def exact_pair(one: Standing) -> tuple[str, str]:
    """Spent and limit so that they differ in what is shown, if they differ."""
    if one.metric != "money":
        return f"{one.spent:,}", f"{one.limit:,} {one.metric}"
    return whole(one.spent), whole(one.limit)


def _over_plan(plan: Standing, worst: Standing | None) -> Saying:
    landing, excess = plan.landing or 0, plan.excess or 0
    sentence: list[tuple[str, str]] = [
        (
            f"{whole(landing)} by {day(plan.last)} {plan.how}: {whole(excess)} over the {whole(plan.limit)} plan.",
            "",
        )
    ]
    if worst is not None:
        sentence += [
            (" ", ""),
            (worst.name, worst.slug),
            (f" alone is heading {whole(worst.excess or 0)} over its budget.", ""),
        ]
    return Saying("watch", "warn", tuple(sentence))


def _heading_over(worst: Standing, rest: int) -> Saying:
    sentence: list[tuple[str, str]] = [
        (worst.name, worst.slug),
        (
            f" is heading for {amount(worst.landing or 0, worst.metric)} by {day(worst.last)} {worst.how}, "
            f"{amount(worst.excess or 0, worst.metric)} over its budget.",
            "",
        ),
    ]
    if rest:
        sentence.append((f" {rest:,} other budget{' is' if rest == 1 else 's are'} likely to go over.", ""))
    return Saying("watch", "warn", tuple(sentence))


def _no_budget(window: Window, spent: int | None, landing: int | None, how: str) -> Saying:
    if spent is None:
        text = f"What the calls of {window.days_words} cost is not known yet. No budget limits it yet."
        return Saying("plain", "wallet", ((text, ""),))
    ahead = f", heading for {whole(landing)} by {day(window.ends)} {how}" if landing is not None else ""
    text = f"{whole(spent)} spent, {window.days_words}{ahead}. No budget limits it yet."
    return Saying("plain", "wallet", ((text, ""),))
