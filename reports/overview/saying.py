"""The one sentence at the top: the amount first, then the reason. Pure: no Django, no models."""

from collections.abc import Sequence
from dataclasses import dataclass

from budgets.pages.amounts import amount, whole
from budgets.pages.moments import day
from budgets.pages.standing import Standing
from reports.overview.window import Window


@dataclass(frozen=True)
class Saying:
    """A sentence in parts: plain text, or the name and slug of a budget to link; and how loud it is."""

    tone: str
    icon: str
    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)


def say(window: Window, spent: int, landing: int | None, plan: Standing | None, budgets: Sequence[Standing]) -> Saying:
    """What matters most now: a budget that ran out, one that will, all well, or that there is none."""
    live = [one for one in budgets if not one.is_paused]
    if over := [one for one in live if one.is_over]:
        return _ran_out(over)
    if plan and plan.excess is not None and plan.excess > 0:
        return _over_plan(plan, [one for one in live if one is not plan])
    if heading := [one for one in live if one.excess is not None and one.excess > 0]:
        return _heading_over(heading)
    if not live:
        return _no_budget(window, spent, landing)
    closest = live[0]
    parts: tuple[tuple[str, str], ...]
    if len(live) == 1:
        parts = ((closest.name, closest.slug), (f" is within its budget: {closest.spent_words}.", ""))
    else:
        parts = (
            (f"All {len(live)} budgets are within their limits. Closest is ", ""),
            (closest.name, closest.slug),
            (f": {closest.spent_words}.", ""),
        )
    return Saying("ok", "check", parts)


def _ran_out(over: Sequence[Standing]) -> Saying:
    worst = next((one for one in over if one.is_stopped), over[0])
    spent, limit = exact_pair(worst)
    sentence: list[tuple[str, str]] = [
        (worst.name, worst.slug),
        (f" has run out: {spent} of {limit}. {worst.aftermath}", ""),
    ]
    rest = [one for one in over if one is not worst]
    if len(rest) == 1:
        sentence += [(" ", ""), (rest[0].name, rest[0].slug), (" has run out too.", "")]
    elif rest:
        sentence.append((f" {len(rest)} other budgets have run out too.", ""))
    return Saying("over", "over", tuple(sentence))


def exact_pair(one: Standing) -> tuple[str, str]:
    """Spent and limit so that they differ in what is shown, if they differ."""
    if one.metric != "money":
        return f"{one.spent:,}", f"{one.limit:,} {one.metric}"
    return whole(one.spent), whole(one.limit)


def _over_plan(plan: Standing, others: Sequence[Standing]) -> Saying:
    landing, excess = plan.landing or 0, plan.excess or 0
    sentence: list[tuple[str, str]] = [
        (
            f"{whole(landing)} by {day(plan.last)} at an even pace: {whole(excess)} over the {whole(plan.limit)} plan.",
            "",
        )
    ]
    worst = max(
        (one for one in others if one.metric == "money" and (one.excess or 0) > 0),
        key=lambda one: one.excess or 0,
        default=None,
    )
    if worst is not None:
        sentence += [
            (" ", ""),
            (worst.name, worst.slug),
            (f" alone is heading {whole(worst.excess or 0)} over its budget.", ""),
        ]
    return Saying("watch", "warn", tuple(sentence))


def _heading_over(heading: Sequence[Standing]) -> Saying:
    worst = heading[0]
    sentence: list[tuple[str, str]] = [
        (worst.name, worst.slug),
        (
            f" is heading for {amount(worst.landing or 0, worst.metric)} by {day(worst.last)} at an even pace, "
            f"{amount(worst.excess or 0, worst.metric)} over its budget.",
            "",
        ),
    ]
    if len(heading) > 1:
        rest = len(heading) - 1
        sentence.append((f" {rest} other budget{' is' if rest == 1 else 's are'} likely to go over.", ""))
    return Saying("watch", "warn", tuple(sentence))


def _no_budget(window: Window, spent: int, landing: int | None) -> Saying:
    ahead = f", heading for {whole(landing)} by {day(window.ends)} at an even pace" if landing is not None else ""
    text = f"{whole(spent)} spent, {window.days_words}{ahead}. No budget limits it yet."
    return Saying("plain", "wallet", ((text, ""),))
