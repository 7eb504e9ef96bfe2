"""Read what figures are made of: a fixed number of statements for a scope and a window, see `read`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from django.db import connection
from django.db.models import Q

from budgets.models import Workflow
from budgets.workflows.guardrails import SENSITIVE
from reports.asking.scope import NAMES, Scope
from reports.asking.window import Window
from reports.figures.sources import Sources, sources_of
from reports.figures.sums import CACHES, Made, Named, Read, Used, Went, Wide
from reports.models import Finding, Watch
from usage.prices.known import known_cost
from usage.rollups.counted import Runs
from usage.rollups.runs import runs_by_workflow, spent_in_runs
from usage.rollups.sums import LAYERS

PREMIUM = 3  # and every tier above
NOBODYS = (Workflow.Status.RESERVED, Workflow.Status.DISCOVERED)
SPEND = """
WITH {source}, flow AS (
    SELECT one.id, coalesce(one.merged_into_id, one.id) AS counts_as, coalesce(target.status, one.status)
        IN ('reserved', 'discovered') AS is_nobodys
    FROM budgets_workflow AS one LEFT JOIN budgets_workflow AS target ON target.id = one.merged_into_id
)
SELECT grouping(counts_as), grouping(model), grouping(team), counts_as, provider, model, team,
    coalesce(sum(calls), 0)::bigint, coalesce(sum(unmeasured), 0)::bigint, coalesce(sum(unpriced), 0)::bigint,
    coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(cached_input_tokens), 0)::bigint,
    coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(retries), 0)::bigint,
    coalesce(sum(escalated), 0)::bigint, coalesce(sum(cost), 0)::bigint, coalesce(sum(calls_in_runs), 0)::bigint,
    coalesce(sum(cost_in_runs), 0)::bigint, coalesce(sum(cost) FILTER (WHERE tier >= %(premium)s), 0)::bigint,
    coalesce(sum(calls) FILTER (WHERE tier > 0), 0)::bigint, coalesce(sum(cost) FILTER (WHERE is_nobodys), 0)::bigint
FROM used JOIN flow ON flow.id = used.workflow_id
GROUP BY GROUPING SETS ((), (counts_as), (provider, model), (team))"""
MADE = f"""
WITH {{source}}
SELECT coalesce(flow.merged_into_id, flow.id), cache, sum(calls)::bigint, sum(cached_input_tokens)::bigint,
    sum(avoided_input_tokens + avoided_output_tokens)::bigint, sum(saved)::bigint, sum(tool_tokens)::bigint,
    sum(retrieved_chunks)::bigint, sum(context_calls)::bigint, sum(context_input)::bigint,
    {", ".join(f"sum(context_{layer})::bigint" for layer in LAYERS)}
FROM made JOIN budgets_workflow AS flow ON flow.id = made.workflow_id GROUP BY 1, 2"""
WIDE = """
WITH {source}, named AS (
    SELECT dimension, value, sum(cost)::bigint AS cost, sum(calls)::bigint AS calls,
        sum(unpriced + unmeasured)::bigint AS unknown
    FROM wide GROUP BY dimension, value HAVING sum(calls) <> 0 OR sum(cost) <> 0
), ranked AS (
    SELECT dimension, value, cost, calls, unknown,
        row_number() OVER (PARTITION BY dimension ORDER BY cost DESC, value) AS place,
        sum(cost) OVER of_it AS cost_of_all, sum(calls) OVER of_it AS calls_of_all,
        sum(unknown) OVER of_it AS unknown_of_all, count(*) OVER of_it AS values_of_all
    FROM named WINDOW of_it AS (PARTITION BY dimension)
)
SELECT dimension, value, cost, calls, unknown, cost_of_all::bigint, calls_of_all::bigint, unknown_of_all::bigint,
    values_of_all
FROM ranked WHERE place <= %(most)s ORDER BY dimension, place"""
# Only runs under several names have to be found together; the others are counted by their steps, so that a million of
# them is a few hundred rows. A run of a closed day is as it was when that closed: what its row says less what was
# posted since, so such runs are taken from where their rows count and put where they counted.
LOOPS = """
WITH shared AS MATERIALIZED (
    SELECT one.id, coalesce(one.merged_into_id, one.id) AS counts_as FROM budgets_workflow AS one
    WHERE one.merged_into_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM budgets_workflow AS alias WHERE alias.merged_into_id = one.id)
), late AS MATERIALIZED (
    SELECT run.workflow_id, run.run_id, run.calls, run.max_step,
        (run.calls > 0)::int - sum(posting.runs) AS runs_then,
        CASE WHEN run.calls > 0 THEN run.max_step ELSE 0 END - sum(posting.steps) AS steps_then
    FROM usage_runposting AS posting JOIN usage_run AS run USING (workflow_id, run_id)
    WHERE run.counts_at >= %(starts)s AND run.counts_at < %(stops)s
        AND (%(ids)s::int[] IS NULL OR run.workflow_id = ANY(%(ids)s::int[]))
    GROUP BY run.id
), counted AS (
    SELECT workflow_id AS counts_as, max_step AS steps, count(*) AS runs FROM usage_run
    WHERE counts_at >= %(starts)s AND counts_at < %(stops)s AND calls > 0
        AND (%(ids)s::int[] IS NULL OR workflow_id = ANY(%(ids)s::int[]))
        AND workflow_id NOT IN (SELECT id FROM shared)
    GROUP BY 1, 2
    UNION ALL
    SELECT workflow_id, max_step, -1 FROM late
    WHERE calls > 0 AND workflow_id NOT IN (SELECT id FROM shared)
    UNION ALL
    SELECT workflow_id, steps_then, 1 FROM late
    WHERE runs_then > 0 AND workflow_id NOT IN (SELECT id FROM shared)
    UNION ALL
    SELECT counts_as, max(steps), 1 FROM (
        SELECT shared.counts_as, run.run_id, coalesce(late.steps_then, run.max_step) AS steps
        FROM usage_run AS run JOIN shared ON shared.id = run.workflow_id LEFT JOIN late USING (workflow_id, run_id)
        WHERE run.workflow_id = ANY(ARRAY(SELECT id FROM shared))
            AND run.counts_at >= %(starts)s AND run.counts_at < %(stops)s
            AND coalesce(late.runs_then, (run.calls > 0)::int) > 0
            AND (%(ids)s::int[] IS NULL OR run.workflow_id = ANY(%(ids)s::int[]))
    ) AS name GROUP BY counts_as, run_id
), one AS (
    SELECT counts_as, steps, sum(runs) AS runs FROM counted GROUP BY 1, 2
), cap AS (
    SELECT id, (guardrails ->> 'max_run_steps')::bigint AS steps FROM budgets_workflow
    WHERE guardrails ->> 'max_run_steps' IS NOT NULL
)
SELECT one.counts_as, sum(runs)::bigint, coalesce(sum(runs) FILTER (WHERE one.steps > 0), 0)::bigint,
    coalesce(sum(runs) FILTER (WHERE cap.id IS NOT NULL), 0)::bigint,
    coalesce(sum(runs) FILTER (WHERE one.steps > cap.steps), 0)::bigint,
    (max(one.steps) FILTER (WHERE runs > 0))::bigint
FROM one LEFT JOIN cap ON cap.id = one.counts_as GROUP BY 1 HAVING sum(runs) > 0"""
ROWS_SHOWN = 10
RUNS_KNOW = frozenset({"workflow", "team"})


def workflow_rows() -> list[Any]:
    """What `read` needs to know of all workflows. One statement."""
    columns = ("pk", "merged_into", "slug", "name", "team__slug", "team__name", "status", "guardrails")
    return list(Workflow.objects.values_list(*columns, "risk_categories"))


def read(scope: Scope, window: Window, most: int = ROWS_SHOWN, flows: Sequence[Any] | None = None) -> Read:
    """Everything of one scope and window, with at most `most` values of each wide dimension.

    `flows`: the workflows, where they are read already. Nine statements: workflows, spend, what input was made of,
    wide dimensions, runs (three), findings (two); fewer where something cannot be said, one more where rollups do not
    hold what is asked (`sources_of`).
    """
    flows = workflow_rows() if flows is None else flows
    named = {row[0]: _named(row) for row in flows if row[1] is None}
    sources = sources_of(scope, window)
    missing: dict[str, str] = {}
    if sources.why:
        missing |= dict.fromkeys(sources.from_ledger, sources.why)
    went = None
    if set(scope.narrowed) <= RUNS_KNOW:
        went = _went(window, _ids(scope, flows, named))
    else:
        beyond = [NAMES[one].lower() for one in scope.narrowed if one not in RUNS_KNOW]
        missing["went"] = f"a run is known by its workflow and team, not by {' and '.join(beyond)}"
    findings = _findings(scope, window, named) if "went" not in missing else None
    if findings is None:
        missing["findings"] = missing.get("went", "") or "nothing has looked for unusual spend yet"
    total, by_workflow, by_model, by_team = _spend(sources)
    return Read(
        total=total,
        workflows=by_workflow,
        models=by_model,
        teams=by_team,
        made=_made(sources),
        went=went,
        wide=_wide(sources, most),
        findings=findings,
        named=named,
        team_names={one.team: one.team_name for pk, one in named.items() if scope.within is None or pk in scope.within},
        missing=missing,
    )


def _named(row: Sequence[Any]) -> Named:
    pk, _, slug, name, team, team_name, status, guardrails, risks = row
    allowed = (guardrails.get("cache") or {}).get("kinds")
    caches = frozenset() if SENSITIVE in (risks or ()) else frozenset(CACHES if allowed is None else allowed)
    cap = guardrails.get("max_run_steps")
    return Named(pk, slug, name, team or "", team_name or "", status not in NOBODYS, cap, caches)


def _ids(scope: Scope, flows: Sequence[Any], named: Mapping[int, Named]) -> list[int] | None:
    """The workflows whose runs are asked for, aliases too; None for all. A team's are those it answers for now."""
    if scope.within is None and not scope.team and not scope.workflow:
        return None
    found = []
    for pk, merged, *_ in flows:
        one = named[merged or pk]
        if scope.within is not None and pk not in scope.within:
            continue
        if (scope.workflow and one.slug not in scope.workflow) or (scope.team and one.team not in scope.team):
            continue
        found.append(pk)
    return found


def _spend(sources: Sources) -> tuple[Any, dict[int, Used], dict[tuple[str, str], Used], dict[str, Used]]:
    """All of it, by workflow, by (provider, model), by team. One statement."""
    by_workflow: dict[int, Used] = {}
    by_model: dict[tuple[str, str], Used] = {}
    by_team: dict[str, Used] = {}
    if sources.used is None:
        return None, by_workflow, by_model, by_team
    total = Used()
    for no_flow, no_model, no_team, flow, provider, model, team, *sums in _rows(
        SPEND.format(source=sources.used), {**sources.values, "premium": PREMIUM}
    ):
        used = Used(*sums)
        if not no_flow:
            by_workflow[flow] = used
        elif not no_model:
            by_model[provider, model] = used
        elif not no_team:
            by_team[team] = used
        else:
            total = used
    return total, by_workflow, by_model, by_team


def _made(sources: Sources) -> dict[tuple[int, str], Made] | None:
    """By workflow and cache. One statement."""
    if sources.made is None:
        return None
    found = _rows(MADE.format(source=sources.made), sources.values)
    return {(flow, cache): Made(*(int(one or 0) for one in sums)) for flow, cache, *sums in found}


def _wide(sources: Sources, most: int) -> dict[str, Wide] | None:
    """By dimension. One statement."""
    if sources.wide is None:
        return None
    found: dict[str, Wide] = {}
    for dimension, value, *of_it, cost, calls, unknown, many in _rows(
        WIDE.format(source=sources.wide), {**sources.values, "most": most}
    ):
        rows = found.get(dimension, Wide()).rows
        found[dimension] = Wide(_known(cost, calls, unknown), calls, many, (*rows, (value, _known(*of_it), of_it[1])))
    return found


def _known(cost: int, calls: int, unknown: int) -> int | None:
    return known_cost(Used(cost=cost, calls=calls, unmeasured=unknown))


def runs_of(window: Window, ids: Collection[int] | None = None) -> dict[int, Went]:
    """Runs and what became of them by workflow, without what their steps say. Two statements."""
    asked = None if ids is None else list(ids)
    runs = runs_by_workflow(window.starts_at, window.stops_at, asked)
    spent = spent_in_runs(window.starts_at, window.stops_at, asked)
    return {flow: Went(**asdict(runs.get(flow, Runs())), spent=spent.get(flow, 0)) for flow in {*runs, *spent}}


def _went(window: Window, ids: Collection[int] | None) -> dict[int, Went]:
    """The same with their steps. Three statements."""
    found = runs_of(window, ids)
    values = {"starts": window.starts_at, "stops": window.stops_at, "ids": None if ids is None else list(ids)}
    for flow, seen, stepped, capped, over, longest in _rows(LOOPS, values):
        one = found.get(flow, Went())
        found[flow] = replace(one, seen=seen, stepped=stepped, capped=capped, over=over, longest=longest or 0)
    return found


def _findings(scope: Scope, window: Window, named: Mapping[int, Named]) -> int | None:
    """What was found to be unusual and nobody called expected; None where nothing looks yet. Two statements."""
    if not Watch.objects.filter(looked_at__isnull=False).exists():
        return None
    found = Finding.objects.filter(since__gte=window.starts_at, since__lt=window.stops_at)
    found = found.exclude(state=Finding.State.EXPECTED)
    if scope.within is not None:
        found = found.filter(workflow__in=scope.within)
    if scope.workflow:
        found = found.filter(workflow__in=[one.id for one in named.values() if one.slug in scope.workflow])
    if scope.team:
        its = [one.id for one in named.values() if one.team in scope.team]
        found = found.filter(Q(team__slug__in=scope.team) | Q(workflow__in=its))
    return found.count()


def _rows(statement: str, values: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
