"""Which other costs a page, its totals and its CSV are about: one reading of the query string for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from budgets.limits.calendar import day_of, period_bounds
from budgets.models import Organisation
from budgets.pages.moments import span_year
from usage.costs.figures import OWNER, during
from usage.costs.spread import within
from usage.costs.values import FIRST_DAY, LAST_DAY
from usage.models import OtherCost

PERIODS = {
    "": "Any time",
    "this-month": "This month",
    "last-month": "Last month",
    "quarter": "This quarter",
    "year": "This year",
}


@dataclass(frozen=True)
class Chosen:
    """A filter that is understood. `first` to `last` is the stretch asked for; `note` says what was ignored."""

    query: str
    kind: str
    team: str
    period: str
    first: date
    last: date
    note: str

    @property
    def is_any(self) -> bool:
        return not (self.query or self.kind or self.team or self.period)

    @property
    def days_words(self) -> str:
        return span_year(self.first, self.last) if self.period else ""

    def rows(self) -> QuerySet[OtherCost]:
        found = during(self.first, self.last)
        if self.kind:
            found = found.filter(kind=self.kind)
        if self.team:
            found = found.annotate(owner=OWNER).filter(owner=self.team)
        for word in self.query.split():
            found = found.filter(
                Q(name__icontains=word)
                | Q(vendor__icontains=word)
                | Q(reference__icontains=word)
                | Q(note__icontains=word)
                | Q(workflow__name__icontains=word)
            )
        return found.select_related("team", "workflow__team", "workflow__merged_into__team").order_by(
            "-first_day", "name", "pk"
        )

    def share(self, row: OtherCost) -> int:
        """What of the cost falls into the stretch, nano-dollars."""
        return within(row.cost, row.first_day, row.last_day, self.first, self.last)


def chosen(query: Mapping[str, str], organisation: Organisation) -> Chosen:
    """Understand a query string; what is unknown is ignored with a note."""
    period, kind, ignored = query.get("period", ""), query.get("kind", ""), []
    if period not in PERIODS:
        ignored.append(f"“{period[:40]}” is no time that this page knows")
        period = ""
    if kind and kind not in OtherCost.Kind.values:
        ignored.append(f"“{kind[:40]}” is no kind of cost")
        kind = ""
    first, last = bounds(period, organisation)
    return Chosen(
        query=query.get("q", "").replace("\0", "").strip()[:100],
        kind=kind,
        team=query.get("team", "").replace("\0", "")[:128],
        period=period,
        first=first,
        last=last,
        note="; ".join(ignored) + "; it was ignored." if ignored else "",
    )


def bounds(period: str, organisation: Organisation) -> tuple[date, date]:
    """The days of a period by its key, in the organisation's calendar."""
    if not period:
        return FIRST_DAY, LAST_DAY
    zone = organisation.zone
    today = day_of(timezone.now(), zone)
    name = {"this-month": "month", "last-month": "month"}.get(period, period)
    if period == "last-month":
        today = today.replace(day=1) - timedelta(days=1)
    found = period_bounds(name, today, zone, fiscal_year_starts=organisation.fiscal_year_starts)
    return found.first, found.last
