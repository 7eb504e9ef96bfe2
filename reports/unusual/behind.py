"""Which runs a runaway shape comes from, where these are one or a few: what can be stopped."""

from collections.abc import Mapping, Sequence

from reports.models import Finding
from reports.unusual import shapes
from reports.unusual.arrivals import Arrivals
from reports.unusual.shapes import Usual

FEW, MOST_OF = 3, 0.8
Kind = Finding.Kind
RUNS = """
SELECT run, count(*), sum(count(*)) OVER ()::bigint FROM arrived WHERE workflow = %(workflow)s AND {which}
GROUP BY 1 ORDER BY run = '', 2 DESC, 1 LIMIT %(few)s
"""
WHICH = {
    Kind.RETRIES: "attempt > 1",
    Kind.OUTPUT: "output_tokens >= %(longest)s",
    Kind.CONTEXT: "talk = %(subject)s",
}


def runs_behind(arrivals: Arrivals, kind: str, key: tuple[int, str], usual: Mapping[int, Usual]) -> list[str]:
    """The runs of what has the shape; `key` is its workflow and subject. A session without runs has none."""
    workflow, subject = key
    if kind == Kind.LOOP:
        return [subject]
    which = WHICH.get(Kind(kind))
    if which is None:
        return []
    longest = shapes.longest(usual[workflow]) if kind == Kind.OUTPUT else 0
    rows = arrivals.rows(RUNS.format(which=which), workflow=workflow, subject=subject, longest=longest, few=FEW)
    return few([(run, calls) for run, calls, _ in rows], rows[0][2] if rows else 0)


def few(runs: Sequence[tuple[str, int]], calls: int) -> list[str]:
    """The first runs, the busiest first, that made four of five of all `calls`; none where those given did not."""
    so_far = 0
    for place, (run, own) in enumerate(runs, 1):
        if not run:
            return []
        so_far += own
        if so_far >= MOST_OF * calls:
            return [named for named, _ in runs[:place]]
    return []
