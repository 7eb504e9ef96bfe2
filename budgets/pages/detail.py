"""What one budget's page shows besides its standing: days, chart, crossings, history."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Sum
from django.db.models.functions import TruncDate

from budgets.currency.shown import shown
from budgets.limits import scope as scopes
from budgets.limits.calendar import DAY, Period, day_of, day_starts_at, expected_share
from budgets.models import AuditEntry, Budget, BudgetSeries, BudgetState, Crossing, Organisation
from budgets.pages.amounts import amount, drawn
from budgets.pages.moments import axis_days, moment, span_year
from budgets.pages.standing import Standing
from budgets.pools.words import percent

DAYS_OF_A_DAILY_BUDGET = 14
SHOWN = 50
PAST = 12
FIELDS = {
    "name": "name",
    "amount": "amount",
    "scope": "what it covers",
    "metric": "what it counts",
    "period": "period",
    "starts_on": "first day",
    "ends_on": "last day",
    "thresholds": "warnings",
    "on_exhausted": "when it runs out",
    "carry_over": "carried over",
    "pace": "pace",
    "status": "status",
    "owner_id": "owner",
    "action_settings": "details of the action",
    "sharing": "shared out",
    "shares_nightly": "shared out each night",
    "shares": "shares",
    "pool": "pool",
    "pool_share": "share of the pool",
}


@dataclass(frozen=True)
class DayRow:
    """One day of the period: what was used on it, and in all until its end against what was expected by then.

    A daily budget begins anew each day: there `total` is what the day used. `words` say the day.
    """

    day: date
    words: str
    used: int
    total: int
    expected: int
    is_today: bool


def days_of(budget: Budget, standing: Standing, organisation: Organisation, now: datetime) -> list[DayRow]:
    """Each counted day of the period, oldest first; for a daily budget the last fourteen days. One statement."""
    zone, today = organisation.zone, day_of(now, organisation.zone)
    daily = standing.period == Budget.Period.DAY
    first = today - (DAYS_OF_A_DAILY_BUDGET - 1) * DAY if daily else standing.first
    used: dict[date, int] = dict(
        BudgetSeries.objects.filter(
            budget=budget, bucket__gte=day_starts_at(first, zone), bucket__lt=day_starts_at(today + DAY, zone)
        )
        .annotate(day=TruncDate("bucket", tzinfo=zone))
        .values_list("day")
        .annotate(used=Sum("amount"))
        .order_by()
    )
    if daily:  # of days before it was set nothing is known
        first = max(first, min([day_of(budget.created_at, zone), *used]))
    period = period_of(standing, organisation)
    days = _days(first, min(today, standing.last))
    rows, total = [], 0
    for one, words in zip(days, axis_days(days)[1], strict=True):
        total = int(used.get(one, 0)) + (0 if daily else total)
        share = expected_share(period, day_starts_at(one + DAY, zone), zone, budget.pace)
        expected = standing.limit if daily else int(standing.limit * share)
        rows.append(DayRow(one, words, int(used.get(one, 0)), total, expected, one == today))
    return rows


def period_of(standing: Standing, organisation: Organisation) -> Period:
    zone = organisation.zone
    return Period(
        standing.first, standing.last, day_starts_at(standing.first, zone), day_starts_at(standing.last + DAY, zone)
    )


def chart(budget: Budget, standing: Standing, rows: list[DayRow], organisation: Organisation) -> dict[str, Any]:
    """What the browser draws: the running total against the plan; for a daily budget each day against its limit."""
    complete = [row for row in rows if not row.is_today]
    daily = standing.period == Budget.Period.DAY
    days = [row.day for row in rows] if daily else _days(standing.first, standing.last)
    labels, full = axis_days(days)
    zone, period = organisation.zone, period_of(standing, organisation)
    pace = [
        _number(int(standing.limit * expected_share(period, day_starts_at(one + DAY, zone), zone, budget.pace)), budget)
        for one in days
    ]
    ahead: list[float] = []
    if standing.landing is not None and complete and not standing.is_stopped and not daily:
        spent, left = complete[-1].total, len(days) - len(complete)
        ahead = [_number(spent + (standing.landing - spent) * i // left, budget) for i in range(1, left + 1)]
    return {
        "currency": shown().code,
        "unit": "" if budget.metric == Budget.Metric.MONEY else budget.metric,
        "locale": "en-US",
        "labels": labels,
        "full": full,
        "iso": [one.isoformat() for one in days],
        "today": len(complete) - 1,
        "planOnDays": daily,
        "series": [{"name": "Spent", "slot": 1, "values": [_number(row.used, budget) for row in complete]}],
        "compare": None,
        "total": {
            "label": "Spent",
            "actual": [_number(row.total, budget) for row in complete],
            "aheadLabel": "As forecast" if standing.is_forecast else "At an even pace",
            "ahead": ahead,
            "pace": None if daily else pace,
            "paceLabel": "Expected",
            "plan": _number(standing.limit, budget),
            "planLabel": "Limit",
        },
    }


def _number(value: int, budget: Budget) -> float:
    """Money rounded to cents, tokens or calls, for the browser to draw."""
    return drawn(value) if budget.metric == Budget.Metric.MONEY else value


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def crossings(budget: Budget, organisation: Organisation, now: datetime) -> list[dict[str, Any]]:
    """The latest crossings and resolutions, newest first, as text."""
    local = organisation.local
    return [
        {
            "crossed": one.kind == Crossing.Kind.CROSSED,
            "over": one.threshold >= 100,
            "threshold": one.threshold,
            "spent": amount(one.spent, budget.metric),
            "limit": amount(one.limit, budget.metric),
            "when": moment(local(one.raised_at), local(now)),
        }
        for one in Crossing.objects.filter(budget=budget).order_by("-raised_at", "-pk")[:SHOWN]
    ]


def past(budget: Budget, standing: Standing | None) -> list[dict[str, Any]]:
    """The periods that are over, newest first: days, what was used of what was allowed, as text."""
    states = BudgetState.objects.filter(budget=budget)
    if standing:
        states = states.filter(period_start__lt=standing.first)
    return [
        {
            "days": span_year(one.period_start, one.period_end),
            "spent": amount(one.spent, budget.metric),
            "limit": amount(one.limit, budget.metric),
            "percent": one.spent * 100 // one.limit if one.limit else 100,
            "over": one.status == BudgetState.Status.EXHAUSTED,
        }
        for one in states.order_by("-period_start")[:PAST]
    ]


def history(budget: Budget, organisation: Organisation, now: datetime) -> list[dict[str, Any]]:
    """Who changed the budget, newest first, with each field's value before and after."""
    local = organisation.local
    found = AuditEntry.objects.filter(object_type=budget._meta.label_lower, object_id=str(budget.pk))
    entries = list(found.order_by("-position")[:SHOWN])
    people = names_of(entries)
    return [
        {
            "pk": entry.pk,
            "who": entry.who_text,
            "act": entry.act,
            "changes": differences(entry.before, entry.after, people) if entry.before and entry.after else [],
            "reason": entry.reason,
            "origin": AuditEntry.Origin(entry.origin).label,
            "when": moment(local(entry.at), local(now)),
        }
        for entry in entries
    ]


def names_of(entries: Iterable[AuditEntry]) -> dict[int, str]:
    """What the owners that these rows name are called. One statement."""
    stated = [one or {} for entry in entries for one in (entry.before, entry.after)]
    ids = {int(one["owner_id"]) for one in stated if one.get("owner_id")}
    users = get_user_model().objects.filter(pk__in=ids)
    return {one.pk: one.get_full_name() or one.get_username() for one in users}


def differences(
    before: dict[str, Any], after: dict[str, Any], people: Mapping[int, str] | None = None
) -> list[tuple[str, str, str]]:
    """(field in words, before, after) of what differs and means something to a reader. `people`: owners' names."""
    metric = str(after.get("metric") or before.get("metric") or Budget.Metric.MONEY)
    names = people or {}
    return [
        (words, _worded(field, before.get(field), metric, names), _worded(field, after.get(field), metric, names))
        for field, words in FIELDS.items()
        if before.get(field) != after.get(field)
    ]


def _worded(field: str, value: Any, metric: str, people: Mapping[int, str]) -> str:  # noqa: PLR0911  one line per kind of field
    choices = {
        "metric": Budget.Metric,
        "period": Budget.Period,
        "on_exhausted": Budget.Action,
        "pace": Budget.Pace,
        "status": Budget.Status,
        "sharing": Budget.Sharing,
    }
    if field == "shares_nightly":
        return "yes" if value else "no"
    if value in (None, "", [], {}) and field != "scope":
        return "none"
    if field == "amount":
        return amount(int(value), metric)
    if field == "scope":
        return scopes.in_words(value or {})
    if field == "thresholds":
        return ", ".join(f"{one}%" for one in value)
    if field == "carry_over":
        return f"{float(value) * 100:.0f}%"
    if field == "pool_share":
        return percent(Decimal(value))
    if field == "shares":
        return ", ".join(f"{slug} {_worded('pool_share', share, metric, people)}" for slug, share in value.items())
    if field == "owner_id":
        return people.get(value, "somebody who is gone")
    if field == "action_settings":
        if value.get("hard"):
            return "held exactly"
        return f"tier {value['tier']}" if "tier" in value else f"{value.get('per_minute', 0):,} calls a minute"
    if field in choices:
        return str(dict(choices[field].choices).get(value, value))
    return str(value)
