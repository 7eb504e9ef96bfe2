"""Data health in words: for each figure what it means, whether to look at it, and what to do about it. No queries."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from budgets.models import Organisation
from budgets.pages.amounts import short_count, whole
from budgets.pages.moments import ago, moment
from usage.coverage.figures import Health
from usage.ingest.reasons import reason_words

ENOUGH = 98  # percent from which a share is well
LAG_MATTERS = 60  # seconds
SHOWN = 4  # reasons and sources that a card lists


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a card's list; `place` is a link's (name, arguments, query), or none."""

    label: str
    value: str
    place: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One figure. `part` of `total` is its share, in `unit` ("money": nano-dollars, else a count); None: no share.

    `place` names the page where something is done about it: address name, arguments, query, words of the link.
    """

    key: str
    title: str
    value: str
    detail: str
    meaning: str
    advice: str
    is_well: bool | None  # None: nothing to judge
    part: int | None = None
    total: int | None = None
    unit: str = "calls"
    place: tuple[str, tuple[str, ...], str, str] | None = None
    lines: tuple[Line, ...] = ()

    @property
    def tone(self) -> str:
        return {True: "ok", False: "watch", None: ""}[self.is_well]

    @property
    def icon(self) -> str:
        return {True: "check", False: "warn", None: "clock"}[self.is_well]

    @property
    def status(self) -> str:
        return {True: "Fine", False: "To look at", None: "Nothing to judge"}[self.is_well]


def percent(part: int, total: int) -> str:
    """ "97.3%", rounded down, so that 100% is all of it; "0.1%" at least where there is anything."""
    if not total:
        return "–"
    share = (Decimal(part) * 100 / total).quantize(Decimal("0.1"), ROUND_DOWN)
    if part > 0 and share <= 0:
        share = Decimal("0.1")
    return f"{share.normalize():f}%" if share != share.to_integral_value() else f"{int(share)}%"


def is_well(part: int, total: int) -> bool | None:
    return None if not total else part * 100 >= ENOUGH * total


def some(count: int, one: str, many: str = "") -> str:
    """ "1 call", "1,204 calls"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def named(names: tuple[str, ...], count: int) -> str:
    """ "a, b and 3 more"."""
    rest = count - len(names)
    said = [*names, f"{rest} more"] if rest > 0 else list(names)
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}" if said else ""


def cards_of(found: Health, organisation: Organisation, can_resolve: Callable[[str], bool]) -> list[Card]:
    """Every card, those about money first. `can_resolve` says if a page of another room is there."""
    made = [
        priced(found),
        measured(found),
        claimed(found),
        with_run(found),
        with_outcome(found),
        late(found),
        quarantine(found),
        sources(found, organisation),
        folding(found),
        *budgets(found),
    ]
    return [card if card.place is None or can_resolve(card.place[0]) else replace(card, place=None) for card in made]


def priced(found: Health) -> Card:
    calls = found.calls
    with_price = calls.measured - calls.unpriced
    detail = f"of {some(calls.measured, 'call')} whose use is known"
    if calls.unpriced:
        tokens = f" (up to {short_count(calls.unpriced_tokens)} tokens)" if calls.unpriced_tokens else ""
        meaning = (
            f"{some(calls.unpriced, 'call')}{tokens} of "
            f"{named(calls.unpriced_names, calls.unpriced_models)} without a price: their cost is not in the totals."
        )
    else:
        meaning = "Every call whose use is known has a price, so the totals are complete."
    return Card(
        "priced", "Priced", percent(with_price, calls.measured), detail, meaning,
        "Give the models a price; past calls are then priced too." if calls.unpriced else "",
        None if not calls.measured else not calls.unpriced, with_price, calls.measured,
        place=("prices", (), "", "Give prices") if calls.unpriced else None,
    )  # fmt: skip


def measured(found: Health) -> Card:
    calls = found.calls
    missing = calls.unmeasured
    meaning = (
        f"{some(missing, 'call')} came without counts, so nobody knows what {'it' if missing == 1 else 'they'} cost."
        if missing
        else "Every call said how much it used."
    )
    return Card(
        "measured", "Measured", percent(calls.measured, calls.calls), f"of {some(calls.calls, 'call')}", meaning,
        "Have the sender ask for usage when it streams (stream_options: include_usage)." if missing else "",
        is_well(calls.measured, calls.calls), calls.measured, calls.calls,
        place=("api-reference", (), "", "How to send usage") if missing else None,
    )  # fmt: skip


def claimed(found: Health) -> Card:
    calls = found.calls
    mine = calls.cost - calls.unclaimed_cost
    if calls.unclaimed_calls:
        names = f": {named(calls.unclaimed_names, calls.unclaimed_workflows)}" if calls.unclaimed_names else ""
        many = some(calls.unclaimed_calls, "call")
        meaning = f"{whole(calls.unclaimed_cost)} in {many} belongs to workflows that nobody answers for{names}."
    else:
        meaning = "Somebody answers for every workflow that spent anything."
    return Card(
        "claimed", "Claimed", percent(mine, calls.cost), f"of {whole(calls.cost)}", meaning,
        "Claim, merge or ignore them; have senders name their workflow." if calls.unclaimed_calls else "",
        None if not calls.calls else not calls.unclaimed_calls, mine, calls.cost, "money",
        place=("workflows-unassigned", (), "", "Claim workflows") if calls.unclaimed_calls else None,
    )  # fmt: skip


def with_run(found: Health) -> Card:
    calls = found.calls
    missing = calls.calls - calls.calls_in_runs
    meaning = (
        f"{some(missing, 'call')} named no run, so cost per asset leaves {'it' if missing == 1 else 'them'} out."
        if missing
        else "Every call named its run."
    )
    return Card(
        "with-run", "In a run", percent(calls.cost_in_runs, calls.cost), f"of {whole(calls.cost)}", meaning,
        "Have senders give all calls of one go the same run_id." if missing else "",
        is_well(calls.cost_in_runs, calls.cost), calls.cost_in_runs, calls.cost, "money",
        place=("api-reference", (), "", "How to send usage") if missing else None,
    )  # fmt: skip


def with_outcome(found: Health) -> Card:
    runs = found.runs
    still = max(0, runs.runs - runs.judged)
    if runs.runs <= 0:  # below zero: only corrections for closed days
        meaning, advice, still = "No run ended in these days, so there is nothing to judge.", "", 0
    elif runs.judged <= 0:
        meaning = f"None of {some(runs.runs, 'run')} has an outcome yet, so cost per approved asset cannot be said."
        advice = "Have whoever reviews them say what became of them."
    else:
        meaning = (
            f"{some(still, 'run')} still {'has' if still == 1 else 'have'} no outcome."
            if still
            else "Every run has an outcome."
        )
        advice = "Have whoever reviews them say what became of them." if still else ""
    return Card(
        "with-outcome", "With an outcome", percent(runs.judged_cost, runs.cost) if runs.runs > 0 else "–",
        f"of {whole(runs.cost)} in {some(runs.runs, 'run')}", meaning, advice,
        None if runs.judged <= 0 else is_well(runs.judged_cost, runs.cost),
        runs.judged_cost, runs.cost, "money",
        place=("outcomes", (), "outcome=none", "See runs without an outcome") if still else None,
    )  # fmt: skip


def late(found: Health) -> Card:
    came = found.arrivals
    if came.late:
        meaning = (
            f"{some(came.late, 'call')} of {came.events:,} that arrived in these days came over a day after "
            f"{'it was' if came.late == 1 else 'they were'} made."
        )
    else:
        meaning = "Everything that arrived in these days was made within a day before."
    if came.elsewhere:
        one = came.elsewhere == 1
        meaning += (
            f" {some(came.elsewhere, 'call')} counted on the day {'it' if one else 'they'} arrived, "
            f"since the month {'it was' if one else 'they were'} made in is closed."
        )
    return Card(
        "late", "Late", f"{came.late:,}", f"of {some(came.events, 'arrival')}", meaning,
        "See which source sends late, and have it send while it works." if came.late else "",
        None if not came.events else came.late * 100 <= came.events, came.late, came.events,
        place=("sources", (), "", "Look at sources") if came.late else None,
    )  # fmt: skip


def quarantine(found: Health) -> Card:
    items = sum(one.items for one in found.refused)
    return Card(
        "quarantine", "Refused", f"{items:,}", "waiting to be corrected",
        "Events that could not be taken. Each is kept with its body and the reason, and counts nowhere yet."
        if items
        else "Every event that was sent could be taken, or was dealt with.",
        "Correct what is wrong and send it again; it counts once." if items else "",
        not items, items, None, "items",
        place=("quarantine", (), "", "Look at refused events"),
        lines=tuple(
            Line(reason_words(one.code), f"{one.items:,}", ("quarantine", (), f"reason={one.code}"))
            for one in found.refused[:SHOWN]
        ),
    )  # fmt: skip


def sources(found: Health, organisation: Organisation) -> Card:
    now = found.measured_at
    silent = [one for one in found.sources if one.silent_since(now)]
    sending = [one for one in found.sources if one.last_at]
    if not sending:
        meaning, advice = "No source has sent anything yet.", "Make a key and send the first call."
    elif silent:
        meaning = f"{some(len(silent), 'source')} went silent for longer than is usual."
        advice = "Check that the sender runs, and that its key has not expired."
    else:
        meaning, advice = "Every source that sends regularly sent lately.", ""
    shown = [*silent, *(one for one in sending if one not in silent)][:SHOWN]
    return Card(
        "sources", "Sources", f"{len(sending):,}", "send usage", meaning, advice,
        None if not sending else not silent, len(sending) - len(silent), len(sending), "sources",
        place=("sources", (), "", "All sources"),
        lines=tuple(
            Line(one.slug, rate_words(one.now, one.usual, one.last_at, organisation, now), ("source", (one.slug,), ""))
            for one in shown
        ),
    )  # fmt: skip


def rate_words(rate: float, usual: float, last_at: datetime | None, organisation: Organisation, now: datetime) -> str:
    """ "120 an hour, usually 100", "nothing since 09:40"."""
    if last_at is None:
        return "nothing yet"
    if not rate:
        return f"nothing since {moment(organisation.local(last_at), organisation.local(now))}"
    return f"{per_hour(rate)} an hour" + (f", usually {per_hour(usual)}" if usual else "")


def per_hour(rate: float) -> str:
    """ "1,204", "3.5", "0.2"; "under 0.1"."""
    if rate >= 10:
        return f"{rate:,.0f}"
    return f"{rate:.1f}" if rate >= 0.1 or not rate else "under 0.1"


def folding(found: Health) -> Card:
    waiting, oldest = found.backlog.events, found.backlog.oldest_seconds
    if waiting:
        since = ago(timedelta(seconds=oldest))
        meaning = f"{some(waiting, 'call')} still being added up, the oldest from {since}. Budgets count them already."
    else:
        meaning = "Everything that arrived is in the totals."
    behind = waiting > 0 and oldest > LAG_MATTERS
    return Card(
        "folding", "Adding up", f"{waiting:,}", "waiting", meaning,
        "It catches up by itself. If it grows, see that a worker runs." if behind else "",
        not behind, waiting, None, "calls",
    )  # fmt: skip


def budgets(found: Health) -> list[Card]:
    """Only where something waits: usually nothing does."""
    count = found.waiting_budgets
    if not count:
        return []
    return [
        Card(
            "budgets", "Budgets being counted", f"{count:,}", "waiting",
            "Their past spend has not been read yet, so they show nothing and stop nothing.",
            "It happens by itself within seconds. If it stays, see that a worker runs.",
            False, count, None, "budgets", place=("budgets", (), "", "Look at budgets"),
        )
    ]  # fmt: skip
