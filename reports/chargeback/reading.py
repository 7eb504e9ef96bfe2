"""Read what teams are charged for a month: from rollups, other costs, and what came late for closed months."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db import connection

from budgets.access.roles import VIEW, reach
from budgets.limits.calendar import day_starts_at
from budgets.models import Organisation
from budgets.organisation.closing import Books
from budgets.plan.year import month_after
from reports.chargeback.months import Month
from reports.chargeback.owners import Owners
from reports.chargeback.statement import CORRECTION, METERED, OTHER, Line, Statement
from usage.costs.figures import during
from usage.costs.spread import within

# Of the quarter hours, since their sums are exact in any zone, also between a change of it and the days that follow.
SPENT = """
SELECT team, workflow_id, model, sum(calls)::bigint, sum(input_tokens + output_tokens)::bigint, sum(unpriced)::bigint,
    sum(unmeasured)::bigint, sum(cost)::bigint
FROM usage_quarterhour WHERE bucket >= %(starts)s AND bucket < %(stops)s GROUP BY 1, 2, 3
"""
# What is posted elsewhere has an index of its own; within the month's open days it is no correction of another month.
LATE = """
SELECT team, workflow_id, model, date_trunc('month', time AT TIME ZONE %(zone)s)::date,
    sum(CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END)::bigint,
    coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), 0)::bigint,
    sum(unpriced)::bigint,
    coalesce(sum(CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END) FILTER (WHERE NOT measured), 0)::bigint,
    coalesce(sum(cost), 0)::bigint
FROM usage_ledger AS ledger
WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND posted_at <> time AND time < %(starts)s
    AND NOT EXISTS (SELECT 1 FROM usage_ingestbatch WHERE id = ledger.batch_id AND folded_at IS NULL)
GROUP BY 1, 2, 3, 4 ORDER BY 4 DESC
"""
Key = tuple[str, int, str]  # team, workflow, model
AMOUNTS = 5  # calls, tokens, unpriced, unmeasured, cost


def statements(organisation: Organisation, books: Books, who: Any) -> list[Statement]:
    """Each team's, by name, and last what no team answers for; of the teams that `who` reaches. Three statements."""
    owners, month = Owners(books), books.month
    lines: dict[str, list[Line]] = defaultdict(list)
    for line in (*_used(organisation, month, owners), *_beside(month, owners)):
        lines[line.team].append(line)
    reached = reach(who, VIEW)
    shown = [one for pk, one in books.teams.items() if reached.everything or pk in reached.team_ids]
    found = [
        Statement(one.slug, one.name, month, tuple(sorted(lines[one.slug], key=_order)))
        for one in sorted(shown, key=lambda one: (one.name.lower(), one.slug))
    ]
    if reached.everything:
        found.append(Statement("", "No team", month, tuple(sorted(lines[""], key=_order))))
    return found


def _order(line: Line) -> tuple[Any, ...]:
    place = (METERED, OTHER, CORRECTION).index(line.kind)
    return (place, line.of or date.min, -line.cost, line.name, line.model, line.workflow)


def _used(organisation: Organisation, month: date, owners: Owners) -> Iterable[Line]:
    """Usage of the month, less what it holds for months before, which has lines of its own."""
    values: dict[str, Any] = {
        "starts": day_starts_at(month, organisation.zone),
        "stops": day_starts_at(month_after(month), organisation.zone),
        "zone": organisation.zone.key,
    }
    sums: dict[Key, list[int]] = defaultdict(lambda: [0] * AMOUNTS)
    late: dict[tuple[Key, date], list[int]] = defaultdict(lambda: [0] * AMOUNTS)
    with connection.cursor() as cursor:
        cursor.execute(SPENT, values)
        for team, workflow, model, *amounts in cursor.fetchall():
            _add(sums[_key(owners, team, workflow, model)], amounts)
        cursor.execute(LATE, values)
        for team, workflow, model, of, *amounts in cursor.fetchall():
            key = _key(owners, team, workflow, model)
            _add(sums[key], [-int(one) for one in amounts])
            _add(late[key, of], amounts)
    yield from (_line(METERED, key, amounts, owners) for key, amounts in sums.items() if any(amounts))
    yield from (_line(CORRECTION, key, amounts, owners, of) for (key, of), amounts in late.items() if any(amounts))


def _key(owners: Owners, team: str, workflow: int, model: str) -> Key:
    """Spend of teams that are not in the list of teams is nobody's, as in the plan."""
    return team if team in owners.teams else "", owners.aliases.get(workflow, workflow), model


def _add(to: list[int], amounts: Iterable[int]) -> None:
    for i, amount in enumerate(amounts):
        to[i] += int(amount)


def _line(kind: str, key: Key, amounts: list[int], owners: Owners, of: date | None = None) -> Line:
    team, workflow, model = key
    owner, (calls, tokens, unpriced, unmeasured, cost) = owners.of(workflow, team), amounts
    return Line(
        kind=kind,
        team=team,
        workflow=owner.workflow,
        name=owner.workflow_name,
        model=model,
        cost_centre=owner.cost_centre,
        ledger_code=owner.ledger_code,
        calls=calls,
        tokens=tokens,
        unpriced=unpriced,
        cost=cost,
        of=of,
        unmeasured=unmeasured,
    )


def _beside(month: date, owners: Owners) -> Iterable[Line]:
    """Other costs, each with what falls on the month."""
    last = Month(month).last
    for cost in during(month, last).order_by("name", "pk"):
        share = within(cost.cost, cost.first_day, cost.last_day, month, last)
        owner = owners.of_cost(cost)
        if share:
            yield Line(
                kind=OTHER,
                team=owner.team,
                workflow=owner.workflow,
                name=cost.name,
                model="",
                cost_centre=owner.cost_centre,
                ledger_code=owner.ledger_code,
                calls=0,
                tokens=0,
                unpriced=0,
                cost=share,
            )
