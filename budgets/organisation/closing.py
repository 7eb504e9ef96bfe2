"""What statements and files of a month go by: names, owners, codes and the rate, those of its close once it is closed.

The ledger keeps amounts; what they are booked under is kept here, in the transaction that closes their days. A month
that is opened again goes by what is known today, until it is closed anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q

from budgets.currency.shown import DOLLARS, Shown, organisations
from budgets.limits.calendar import DAY
from budgets.models import Closing, CurrencyRate, Organisation, Team, Workflow
from budgets.plan.year import month_after


@dataclass(frozen=True, slots=True)
class BookedTeam:
    """A team as a month has it."""

    slug: str
    name: str
    cost_centre: str
    ledger_code: str


@dataclass(frozen=True, slots=True)
class BookedWorkflow:
    """A workflow as a month has it; `team` is an id, and so is `counts_as`: its own where it is not merged."""

    slug: str
    name: str
    team: int | None
    cost_centre: str
    ledger_code: str
    counts_as: int


@dataclass(frozen=True)
class Books:
    """What a month is booked under. `money`: what its amounts are shown in, asked for once one is shown."""

    month: date
    organisation: str
    money: Shown | Callable[[], Shown]
    teams: Mapping[int, BookedTeam]
    workflows: Mapping[int, BookedWorkflow]


def books_of(organisation: Organisation, month: date) -> Books:
    """Those of the month that begins on this day. One statement where it is closed, else two."""
    closed = organisation.closed_before
    if closed is not None and month_after(month) <= closed:
        kept = Closing.objects.filter(Q(since=None) | Q(since__lte=month), before__gt=month).order_by("-pk").first()
        if kept is not None:
            return _kept_books(kept, month)
    teams, workflows = _teams(), _workflows()
    last = month_after(month) - DAY
    return Books(month, organisation.name, lambda: organisations(last), teams, workflows)


def _kept_books(kept: Closing, month: date) -> Books:
    rate, day = kept.rates.get(_key(month), (None, None))
    return Books(
        month,
        kept.organisation,
        Shown(kept.currency, Decimal(rate), date.fromisoformat(day)) if rate else DOLLARS,
        {int(pk): BookedTeam(*row) for pk, row in kept.teams.items()},
        {int(pk): BookedWorkflow(*row) for pk, row in kept.workflows.items()},
    )


def keep_books(row: Organisation, since: date | None, again: bool = False) -> None:
    """Keep what the months are booked under that are closed whole now, from `since` on (None: all).

    In the transaction that closes them, which holds the configuration, so that nothing they consist of is on its way.
    With `again`, what was kept of them at their last close holds, and only what came to be since is added.
    """
    before = row.closed_before.replace(day=1) if row.closed_before else None
    if before is None or (since is not None and since >= before):
        return
    now = Closing.objects.create(
        since=since,
        before=before,
        organisation=row.name,
        currency=row.currency,
        rates=_rates(row.currency, since, before),
        teams={str(pk): astuple(one) for pk, one in _teams().items()},
        workflows={str(pk): astuple(one) for pk, one in _workflows().items()},
    )
    if again:
        _keep_as_before(now)


def _keep_as_before(now: Closing) -> None:
    """Have earlier closings of its months hold again, in their order."""
    for kept in Closing.objects.filter(pk__lt=now.pk).order_by("pk"):
        starts = [one for one in (kept.since, now.since) if one is not None]
        kept.since, kept.before = max(starts, default=None), min(kept.before, now.before)
        if kept.since is None or kept.since < kept.before:
            kept.teams, kept.workflows = now.teams | kept.teams, now.workflows | kept.workflows
            kept.pk = None
            kept.save(force_insert=True)


def _teams() -> dict[int, BookedTeam]:
    rows = Team.objects.order_by().values_list("pk", "slug", "name", "cost_centre", "ledger_code")
    return {pk: BookedTeam(*row) for pk, *row in rows}


def _workflows() -> dict[int, BookedWorkflow]:
    columns = ("slug", "name", "team_id", "cost_centre", "ledger_code", "merged_into_id")
    rows = Workflow.objects.order_by().values_list("pk", *columns)
    return {
        pk: BookedWorkflow(slug, name, team, centre, code, merged or pk)
        for pk, slug, name, team, centre, code, merged in rows
    }


def _rates(currency: str, since: date | None, before: date) -> dict[str, list[Any]]:
    """What a dollar was on the last day of each month that has a rate."""
    known: Sequence[CurrencyRate] = list(CurrencyRate.objects.filter(currency=currency, day__lt=before).order_by("day"))
    found, at = {}, 0
    month = max(known[0].day.replace(day=1), since or date.min) if known else before
    while month < before:
        after = month_after(month)
        while at + 1 < len(known) and known[at + 1].day < after:
            at += 1
        found[_key(month)] = [str(known[at].per_dollar), known[at].day.isoformat()]
        month = after
    return found


def _key(month: date) -> str:
    return f"{month:%Y-%m}"
