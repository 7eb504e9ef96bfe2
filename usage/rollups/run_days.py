"""What runs count per day of the organisation's zone and workflow: all that counts apart included, made from
`usage_run` and `usage_runposting` alone, so that a page of a month reads a few thousand rows and not a million runs.

Each statement that writes runs or postings changes these days beside it, under the lock of folding. Names that were
merged are kept apart here, since runs that they share are told only by reading them.
"""

from usage.rollups.counted import COUNTED, DECIMALS, of_row
from usage.rollups.sums import adding

RUN_DAY_KEY = ("day", "workflow_id")


def day(at: str) -> str:
    """SQL: the day of that instant in the zone of the days."""
    return f"({at} AT TIME ZONE %(zone)s)::date"


def amounts(of: dict[str, str], sign: str = "+") -> str:
    """SQL: these amounts in the order of COUNTED, added (`+`) or taken away (`-`)."""
    return ", ".join(f"0 {sign} {of[name]} AS {name}" for name in COUNTED)


def posted(row: str, sign: str) -> str:
    """The same of a row of `usage_runposting`."""
    return amounts({name: f"{row}.{name}" for name in COUNTED}, sign)


# A posting counts at its own time, and is taken from what its run counts at the run's.
RUN_DAYS = f"""
SELECT day, workflow_id, {", ".join(f"sum({name}) AS {name}" for name in COUNTED)} FROM (
    SELECT {day("run.counts_at")} AS day, run.workflow_id, {amounts(of_row("run"))} FROM usage_run AS run
    WHERE run.calls > 0
    UNION ALL
    SELECT {day("posting.posted_at")}, posting.workflow_id, {posted("posting", "+")}
    FROM usage_runposting AS posting
    UNION ALL
    SELECT {day("run.counts_at")}, posting.workflow_id, {posted("posting", "-")}
    FROM usage_runposting AS posting JOIN usage_run AS run USING (workflow_id, run_id)
) AS counting GROUP BY day, workflow_id"""


def _insert(cells: str) -> str:
    sums = ", ".join(f"sum({name})" + ("" if name in DECIMALS else "::bigint") for name in COUNTED)
    return f"""
INSERT INTO usage_runday ({", ".join(RUN_DAY_KEY)}, {", ".join(COUNTED)})
SELECT day, workflow_id, {sums} FROM ({cells}) AS cells GROUP BY day, workflow_id ORDER BY day, workflow_id"""


def change_run_days(changes: str) -> str:
    """Add these changes, rows of RUN_DAY_KEY and COUNTED; `zone` is that of the days."""
    return f"""{_insert(changes)}
ON CONFLICT ({", ".join(RUN_DAY_KEY)}) DO UPDATE SET {adding("usage_runday", COUNTED)}"""


def of_new_postings(runs: str) -> str:
    """Changes by the rows that the CTE `apart` has posted beside this statement; `runs` has when their runs count."""
    return f"""
    SELECT {day("apart.posted_at")}, apart.workflow_id, {posted("apart", "+")} FROM apart
    UNION ALL
    SELECT {day("run.counts_at")}, apart.workflow_id, {posted("apart", "-")}
    FROM apart JOIN {runs} AS run USING (workflow_id, run_id)"""


MAKE_RUN_DAYS_ANEW = ("DELETE FROM usage_runday", _insert(RUN_DAYS))
