"""Read what teams are charged for a month: from rollups, other costs, and what came late for closed months."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db import connection

from budgets.access.reachable import reachable
from budgets.access.roles import VIEW, reach
from budgets.limits.calendar import day_starts_at
from budgets.models import Organisation, Team, Workflow
from budgets.plan.year import month_after
from reports.chargeback.months import Month
from reports.chargeback.statement import CORRECTION, METERED, OTHER, Line, Statement
from usage.costs.figures import OWNER, during
from usage.costs.spread import within

# Of the quarter hours, since their sums are exact in any zone, also between a change of it and the days that follow.
SPENT = """
SELECT bucket_of.team, coalesce(workflow.merged_into_id, workflow.id), model, sum(calls)::bigint,
    sum(input_tokens + output_tokens)::bigint, sum(unpriced)::bigint, sum(cost)::bigint
FROM usage_quarterhour AS bucket_of JOIN budgets_workflow AS workflow ON workflow.id = bucket_of.workflow_id
WHERE bucket >= %(starts)s AND bucket < %(stops)s
GROUP BY 1, 2, 3
"""
# What is posted elsewhere has an index of its own; within the month's open days it is no correction of another month.
LATE = """
SELECT ledger.team, coalesce(workflow.merged_into_id, workflow.id), model,
    date_trunc('month', time AT TIME ZONE %(zone)s)::date,
    sum(CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END)::bigint,
    coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), 0)::bigint,
    sum(unpriced)::bigint, coalesce(sum(cost), 0)::bigint
FROM usage_ledger AS ledger JOIN budgets_workflow AS workflow ON workflow.id = ledger.workflow_id
WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND posted_at <> time AND time < %(starts)s
    AND NOT EXISTS (SELECT 1 FROM usage_ingestbatch WHERE id = ledger.batch_id AND folded_at IS NULL)
GROUP BY 1, 2, 3, 4 ORDER BY 4 DESC
"""


def statements(organisation: Organisation, month: date, who: Any) -> list[Statement]:
    """Each team's, by name, and last what no team answers for; of the teams that `who` reaches. Seven statements."""
    names: dict[str, Team] = {team.slug: team for team in Team.objects.all()}
    lines: dict[str, list[Line]] = defaultdict(list)
    workflows = {one.pk: one for one in Workflow.objects.all()}
    for line in (*_used(organisation, month, names, workflows), *_beside(month, names)):
        lines[line.team].append(line)
    everything = reach(who, VIEW).everything
    shown = {team.slug for team in (Team.objects.all() if everything else reachable(Team, who))}
    found = [
        Statement(slug, names[slug].name, month, tuple(sorted(lines[slug], key=_order)))
        for slug in sorted(shown, key=lambda slug: (names[slug].name.lower(), slug))
    ]
    if everything:
        found.append(Statement("", "No team", month, tuple(sorted(lines[""], key=_order))))
    return found


def _order(line: Line) -> tuple[Any, ...]:
    place = (METERED, OTHER, CORRECTION).index(line.kind)
    return (place, line.of or date.min, -line.cost, line.name, line.model)


def _used(
    organisation: Organisation, month: date, teams: dict[str, Team], workflows: dict[int, Workflow]
) -> Iterable[Line]:
    """Usage of the month, less what it holds for months before, which has lines of its own."""
    values: dict[str, Any] = {
        "starts": day_starts_at(month, organisation.zone),
        "stops": day_starts_at(month_after(month), organisation.zone),
        "zone": organisation.zone.key,
    }
    sums: dict[tuple[str, int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    late: list[Line] = []
    with connection.cursor() as cursor:
        cursor.execute(SPENT, values)
        for team, workflow, model, *amounts in cursor.fetchall():
            _add(sums[_known(team, teams), workflow, model], amounts)
        cursor.execute(LATE, values)
        for team, workflow, model, of, *amounts in cursor.fetchall():
            key = (_known(team, teams), workflow, model)
            _add(sums[key], [-int(one) for one in amounts])
            late.append(_line(CORRECTION, key, amounts, teams, workflows, of))
    for key, amounts in sums.items():
        if any(amounts):
            yield _line(METERED, key, amounts, teams, workflows)
    yield from (line for line in late if line.calls or line.tokens or line.unpriced or line.cost)


def _known(team: str, teams: dict[str, Team]) -> str:
    """Spend of teams that are not in the list of teams is nobody's, as in the plan."""
    return team if team in teams else ""


def _add(to: list[int], amounts: Iterable[int]) -> None:
    for i, amount in enumerate(amounts):
        to[i] += int(amount)


def _line(
    kind: str,
    key: tuple[str, int, str],
    amounts: Iterable[int],
    teams: dict[str, Team],
    workflows: dict[int, Workflow],
    of: date | None = None,
) -> Line:
    team, workflow_id, model = key
    workflow, found = workflows[workflow_id], teams.get(team)
    calls, tokens, unpriced, cost = (int(one) for one in amounts)
    return Line(
        kind=kind,
        team=team,
        workflow=workflow.slug,
        name=workflow.name,
        model=model,
        cost_centre=workflow.cost_centre or (found.cost_centre if found else ""),
        ledger_code=workflow.ledger_code or (found.ledger_code if found else ""),
        calls=calls,
        tokens=tokens,
        unpriced=unpriced,
        cost=cost,
        of=of,
    )


def _beside(month: date, teams: dict[str, Team]) -> Iterable[Line]:
    """Other costs, each with what falls on the month."""
    last = Month(month).last
    for cost in during(month, last).annotate(owner=OWNER).select_related("workflow").order_by("name", "pk"):
        share = within(cost.cost, cost.first_day, cost.last_day, month, last)
        team = _known(cost.owner or "", teams)
        found = teams.get(team)
        if share:
            yield Line(
                kind=OTHER,
                team=team,
                workflow=cost.workflow.slug if cost.workflow else "",
                name=cost.name,
                model="",
                cost_centre=(cost.workflow.cost_centre if cost.workflow else "")
                or (found.cost_centre if found else ""),
                ledger_code=(cost.workflow.ledger_code if cost.workflow else "")
                or (found.ledger_code if found else ""),
                calls=0,
                tokens=0,
                unpriced=0,
                cost=share,
            )
