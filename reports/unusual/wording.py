"""A finding in words: its title, since when, what it is about. Money in the currency that is shown."""

from budgets.models import Organisation
from budgets.pages.amounts import whole
from budgets.pages.moments import clock, day, weekday
from reports.models import Finding
from reports.unusual.measures import CALLS, HOUR, MEASURES, MONEY, PER_CALL, PER_RUN, RETRIES, TOKENS

DAY = 86_400
SAID = {
    Finding.Kind.LOOP: "one run goes in circles",
    Finding.Kind.RETRIES: "calls are repeated again and again",
    Finding.Kind.CONTEXT: "the input grows with every turn",
    Finding.Kind.OUTPUT: "answers are far longer than usual",
    Finding.Kind.BURST: "one person uses far more than usual",
    Finding.Kind.SOURCE: "calls come from somewhere new",
    Finding.Kind.CREEP: "spend grows week by week",
}
CALLED = {
    MONEY: "money",
    TOKENS: "text sent and received",
    CALLS: "calls",
    PER_RUN: "the cost of a run",
    PER_CALL: "the length of answers",
    RETRIES: "the share of repeated calls",
}


def title(finding: Finding) -> str:
    """ "Ad copy: $640 more than usual on Wed 11 Nov"; "$38 by Ad copy: calls come from somewhere new"."""
    what = SAID.get(Finding.Kind(finding.kind))
    if finding.amount is None:
        return f"{whole(finding.actual)} for {finding.name}: {what}"
    if finding.amount <= 0:  # calls were taken back since, or corrected
        return f"Nothing above usual is left for {finding.name}{f': {what}' if what else ''}"
    return f"{whole(finding.amount)} more than usual for {finding.name}{f': {what}' if what else ''}"


def when(finding: Finding, organisation: Organisation) -> str:
    """ "Wed 11 Nov, 14:00–15:15"; "Since Wed 11 Nov, 14:00" while it goes on; days for what is seen by days."""
    starts, stops = organisation.local(finding.since), organisation.local(finding.until)
    if finding.grain >= DAY:
        return f"The week from {weekday(starts.date())}"
    if finding.ended_at is None:
        return f"Since {weekday(starts.date())}, {clock(starts)}"
    ends = clock(stops) if stops.date() == starts.date() else f"{day(stops.date())}, {clock(stops)}"
    return f"{weekday(starts.date())}, {clock(starts)}–{ends}"


def measured(finding: Finding) -> str:
    """ "money, calls and the length of answers"; "" where it is a shape."""
    names = [CALLED[name] for name in MEASURES if name in finding.measures]
    if len(names) < 2:
        return names[0] if names else ""
    return f"{', '.join(names[:-1])} and {names[-1]}"


def by_what(finding: Finding) -> str:
    """How finely it is seen."""
    return "day" if finding.grain >= DAY else "hour" if finding.grain >= HOUR else "quarter hour"
