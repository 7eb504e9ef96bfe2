"""A key used from somewhere new: a source that is known for a week sends calls of a workflow, or from an application,
that it never sent before. The workflow must be known for a week, too: a new one is expected to have new senders."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from budgets.models import Source
from reports.models import KnownUse, Watch
from reports.unusual import arrivals as arrived
from reports.unusual.arrivals import Arrivals
from reports.unusual.shapes import Part, Shape

KNOWN = timedelta(days=7)
NEW = timedelta(days=1)  # for so long what it spends counts as from somewhere new
LOOKED_BACK = timedelta(days=28)
WORKFLOW, APPLICATION = "workflow", "application"
PAST = """
SELECT q.source_id, coalesce(w.merged_into_id, w.id), coalesce(q.application, ''), min(q.time)
FROM usage_ledger q JOIN budgets_workflow w ON w.id = q.workflow_id
WHERE q.kind = 0 AND q.posted_at >= %s AND q.posted_at < %s GROUP BY 1, 2, 3
"""
Use = tuple[int, str, str]  # source, what, value


def new_uses(arrivals: Arrivals, now: datetime) -> Iterator[tuple[tuple[int, str], list[Part], Shape]]:
    """((workflow, subject), its quarter hours, that nothing of it is usual) of what came from somewhere new."""
    row, _ = Watch.objects.get_or_create(pk=1)
    if row.arrivals_to is None:
        _learn(now - LOOKED_BACK, arrivals.since)
    rows = arrivals.rows(arrived.USES)
    _note((source, workflow, application, first) for source, workflow, application, *_, first in rows)
    Watch.objects.filter(pk=1).update(arrivals_to=now)
    known = {
        (one.source_id, one.what, one.value): one.first_at
        for one in KnownUse.objects.filter(source_id__in={row[0] for row in rows})
    }
    of_workflows = _first_of_workflows({str(row[1]) for row in rows})
    fresh: dict[tuple[int, str], dict[int, Part]] = {}
    for source, workflow, application, at, calls, cost, _ in rows:
        told = _told(source, workflow, application, known, of_workflows, now)
        if told is None:
            continue
        key = (workflow, told)
        before = fresh.setdefault(key, {}).get(at, Part(at, 0, 0))
        fresh[key][at] = Part(at, before.calls + calls, before.cost + cost)
    names = _names(fresh)
    for (workflow, told), parts in fresh.items():
        source, what, value = told.split(":", 2)
        sentence = (
            f"The source {names[int(source)]} never sent calls of this workflow before."
            if what == WORKFLOW
            else f"The source {names[int(source)]} never sent calls from {value} before."
        )
        subject = names[int(source)] if what == WORKFLOW else f"{names[int(source)]}, {value}"
        yield (workflow, subject), [parts[at] for at in sorted(parts)], Shape(0, sentence)


def _told(
    source: int,
    workflow: int,
    application: str,
    known: dict[Use, datetime],
    of_workflows: dict[str, datetime],
    now: datetime,
) -> str | None:
    """What is new about it: "source:workflow:…" or "source:application:…"; None where nothing is."""
    oldest = min((at for (of, *_), at in known.items() if of == source), default=now)
    if now - oldest < KNOWN:
        return None
    first = known.get((source, WORKFLOW, str(workflow)), now)
    if now - first < NEW and now - of_workflows.get(str(workflow), now) >= KNOWN:
        return f"{source}:{WORKFLOW}:{workflow}"
    first = known.get((source, APPLICATION, application), now)
    stated = [at for (of, what, _), at in known.items() if of == source and what == APPLICATION]
    if application and now - first < NEW and stated and now - min(stated) >= KNOWN:
        return f"{source}:{APPLICATION}:{application}"
    return None


def _learn(starts: datetime, stops: datetime) -> None:
    """What was used where in the last four weeks, once, when detection begins."""
    with connection.cursor() as cursor:
        cursor.execute(PAST, [starts, stops])
        _note(iter(cursor.fetchall()))


def _note(rows: Iterator[tuple[Any, ...]]) -> None:
    firsts: dict[Use, datetime] = {}
    for source, workflow, application, first in rows:
        for what, value in ((WORKFLOW, str(workflow)), (APPLICATION, application)):
            if value:
                use = (source, what, value)
                firsts[use] = min(first, firsts.get(use, first))
    KnownUse.objects.bulk_create(
        [
            KnownUse(source_id=source, what=what, value=value, first_at=at)
            for (source, what, value), at in firsts.items()
        ],
        ignore_conflicts=True,
    )


def _first_of_workflows(keys: set[str]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for one in KnownUse.objects.filter(what=WORKFLOW, value__in=keys):
        found[one.value] = min(one.first_at, found.get(one.value, one.first_at))
    return found


def _names(fresh: dict[tuple[int, str], Any]) -> dict[int, str]:
    """What sources are called."""
    ids = {int(told.split(":", 1)[0]) for _, told in fresh}
    return dict(Source.objects.filter(pk__in=ids).values_list("pk", "name"))
