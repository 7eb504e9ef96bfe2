"""What a file of past usage would bring, in words: calls, days, tokens, cost by our prices and as stated, workflows."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from budgets.models import UNASSIGNED
from budgets.pages.amounts import in_dollars
from usage.imports.calls import Brought, Prepared, day_of

NAMED = 8  # workflows or models named, the others counted


class UsageTally:
    """Sums lines as they are judged; memory does not grow with the file."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.lines = self.sums = self.stated_calls = self.calls = self.unmeasured = self.unpriced = self.moved = 0
        self.input = self.output = self.cost = self.reported = self.reported_calls = 0
        self.first: date | None = None
        self.last: date | None = None
        self.models: Counter[str] = Counter()
        self.workflows: Counter[str] = Counter()

    def add(self, values: Sequence[Brought]) -> None:
        for value in values:
            self.lines += 1
            self.sums += value.is_sum
            self.stated_calls += value.calls or 0
            self.calls += len(value.events)
            self.workflows[value.events[0].workflow or UNASSIGNED] += 1
            for row in value.rows:
                self.input += row.input_tokens or 0
                self.output += row.output_tokens or 0
                self.cost += row.cost or 0
                self.unmeasured += not row.measured
                if row.unpriced:
                    self.unpriced += 1
                    self.models[row.model] += 1
                if row.reported_cost is not None:
                    self.reported += row.reported_cost
                    self.reported_calls += 1
                self.moved += row.posted_at != row.time
                self.see(row.time)

    def see(self, moment: datetime) -> None:
        day = day_of(moment, self.prepared)
        self.first = day if self.first is None else min(self.first, day)
        self.last = day if self.last is None else max(self.last, day)

    def pairs(self) -> list[tuple[str, str]]:
        if not self.lines:
            return []
        known = self.prepared.known_workflows
        new = {slug: many for slug, many in self.workflows.items() if slug not in known}
        priced = self.calls - self.unpriced - self.unmeasured
        found = [("Calls", f"{self.calls:,}")]
        if self.sums:
            stated = f"{self.stated_calls:,} calls stated" if self.stated_calls else "how many calls is not stated"
            found.append(("Lines that sum many calls", f"{self.sums:,}, counted as one call each; {stated}"))
        days = words(self.first) if self.first == self.last else f"{words(self.first)} to {words(self.last)}"
        found.append(("Days", days))
        found.append(("Tokens", f"{self.input:,} in, {self.output:,} out"))
        of = "" if priced == self.calls else f" for {priced:,} of {self.calls:,} calls"
        found.append(("Cost at our prices", f"{in_dollars(self.cost)}{of}" if priced else "No price yet"))
        if self.reported_calls:
            of = "" if self.reported_calls == self.calls else f" for {self.reported_calls:,} of {self.calls:,} calls"
            found.append(("Cost as the file states it", f"{in_dollars(self.reported)}{of}"))
        if self.models:
            unknown = f"{listed(self.models)}. Their cost stays unknown until they have one"
            found.append(("Models without a price", unknown))
        if self.unmeasured:
            found.append(("Without token counts", f"{self.unmeasured:,}. Their cost is unknown"))
        found.append(("Workflows", f"{len(self.workflows) - len(new):,} known, {len(new):,} new"))
        if new:
            found.append(("New workflows", f"{listed(new)}. They appear as discovered, to be claimed"))
        if self.moved:
            found.append(("In closed months", f"{self.moved:,} calls count in the open month, since theirs is closed"))
        return [*found, ("Source", self.prepared.source)]


def words(day: date | None) -> str:
    return f"{day.day} {day:%b %Y}" if day else ""


def listed(counted: "Counter[str] | dict[str, int]") -> str:
    """The most frequent by name, with how many lines; the others as a number."""
    most = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    named = ", ".join(f"{name} ({many:,})" for name, many in most[:NAMED])
    return f"{named} and {len(most) - NAMED:,} more" if len(most) > NAMED else named
