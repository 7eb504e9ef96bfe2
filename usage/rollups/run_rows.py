"""The SQL by which rows of the ledger change runs: when a run counts, and what of it counts later than that.

`closed` is the instant before which all is closed, as text; `-infinity` where nothing is. Whoever runs this holds the
lock of folding, so that the runs read here are as they stay until they are written.
"""

from usage.rollups.counted import COUNTED, STATE, STATED, counted, less
from usage.rollups.run_days import amounts, change_run_days, day, of_new_postings, posted
from usage.rollups.sums import BUCKET, CALLS, UPSERT_RUNS, runs_with

# The organisation's own zone, which decides what is closed; text, since the driver knows no infinite time.
CLOSED = """
SELECT coalesce((closed_before::timestamp AT TIME ZONE time_zone)::text, '-infinity')
FROM budgets_organisation WHERE id = 1"""
EARLY = "posted_at < %(closed)s::timestamptz"
# Runs with when their rows count; `early_…` are of rows of closed days that were not folded before those closed.
CAME = runs_with(
    {
        "any_at": "max(posted_at)",
        "call_at": "max(posted_at) FILTER (WHERE kind = 0)",
        "early_at": f"max(posted_at) FILTER (WHERE kind = 0 AND {EARLY})",
        "early_calls": f"coalesce(sum({CALLS}) FILTER (WHERE {EARLY}), 0)",
        "early_step": f"coalesce(max(step) FILTER (WHERE {EARLY}), 0)",
    }
)
NOTHING = {"outcome": "'open'", "reviewer": "''", "asset": "''"} | dict.fromkeys(STATED, "NULL")
BEFORE = ", ".join(f"coalesce(old.{name}, {NOTHING.get(name, 0)}) AS {name}" for name in STATE)
# Runs as `rows` leave them. One that counts on a closed day stays there.
RUNS_NOW = f"""
SELECT came.*, {BEFORE},
    coalesce(old.calls, 0) AS old_calls, coalesce(old.max_step, 0) AS old_step, coalesce(old.cost, 0) AS old_cost,
    old.counts_at AS old_counts_at,
    old.counts_at < %(closed)s::timestamptz AS is_closed,
    CASE WHEN old.counts_at < %(closed)s::timestamptz THEN greatest(old.counts_at, early_at)
        ELSE coalesce(greatest(old.counts_at, call_at), any_at) END AS counts_at
FROM ({CAME}) AS came LEFT JOIN usage_run AS old USING (workflow_id, run_id)"""
# A rebuild has no rows of before: what was kept of when a run counts stands where it is closed or was posted apart.
RUNS_ANEW = f"""
SELECT came.*, CASE
    WHEN old.counts_at < %(closed)s::timestamptz OR (old.id IS NOT NULL AND apart.run_id IS NOT NULL) THEN old.counts_at
    WHEN apart.run_id IS NOT NULL THEN coalesce(early_at, call_at, any_at)
    ELSE coalesce(call_at, any_at) END AS counts_at
FROM ({CAME}) AS came LEFT JOIN usage_run AS old USING (workflow_id, run_id)
LEFT JOIN (SELECT DISTINCT workflow_id, run_id FROM usage_runposting) AS apart USING (workflow_id, run_id)"""
EARLY_STEP, LAST_STEP = "greatest(old_step, early_step)", "greatest(old_step, max_step)"
CAME_LATE = "is_closed AND any_at >= %(closed)s::timestamptz"
COSTS = {"cost": "sum(came.cost)", "judged_cost": "CASE WHEN now.outcome <> 'open' THEN sum(came.cost) ELSE 0 END"}
# Each cost counts when its row does, by quarter hours, as everywhere else; all other changes with the last of the rows.
POST_CALLS = f"""
INSERT INTO usage_runposting (workflow_id, run_id, posted_at, {", ".join(COUNTED)})
SELECT workflow_id, run_id, any_at, {
    less(
        counted("now", "old_calls + calls", "0", LAST_STEP),
        counted("now", "old_calls + early_calls", "0", EARLY_STEP),
    )
}
FROM runs_now AS now WHERE {CAME_LATE}
UNION ALL
SELECT now.workflow_id, now.run_id, max(came.posted_at), {", ".join(COSTS.get(name, "0") for name in COUNTED)}
FROM runs_now AS now JOIN rows AS came USING (workflow_id, run_id)
WHERE {CAME_LATE} AND came.posted_at >= %(closed)s::timestamptz AND came.cost <> 0
GROUP BY now.workflow_id, now.run_id, now.outcome, {BUCKET.replace("posted_at", "came.posted_at")}"""
# The days that runs leave and come to; what was posted apart of a run that moves is taken from where that counts.
MOVED = f"{day('run.old_counts_at')} <> {day('run.counts_at')}"
CHANGES = f"""
    SELECT {day("now.old_counts_at")} AS day, now.workflow_id, {
    amounts(counted("now", "now.old_calls", "now.old_cost", "now.old_step"), "-")
} FROM runs_now AS now WHERE now.old_counts_at IS NOT NULL
    UNION ALL
    SELECT {day("now.counts_at")}, now.workflow_id, {
    amounts(counted("now", "(now.old_calls + now.calls)", "(now.old_cost + now.cost)", LAST_STEP))
} FROM runs_now AS now
    UNION ALL
    SELECT {day("run.old_counts_at")}, posting.workflow_id, {posted("posting", "+")}
    FROM usage_runposting AS posting JOIN runs_now AS run USING (workflow_id, run_id) WHERE {MOVED}
    UNION ALL
    SELECT {day("run.counts_at")}, posting.workflow_id, {posted("posting", "-")}
    FROM usage_runposting AS posting JOIN runs_now AS run USING (workflow_id, run_id) WHERE {MOVED}
    UNION ALL{of_new_postings("runs_now")}"""
# What waits for a run is looked at again once that has calls.
WAKE = """
UPDATE usage_outcomemessage AS waiting SET state = 'new' FROM runs_now
WHERE waiting.state = 'waiting' AND waiting.run_id = runs_now.run_id"""
FOLD_RUNS = f"""
runs_now AS MATERIALIZED ({RUNS_NOW}),
runs AS ({UPSERT_RUNS}),
apart AS ({POST_CALLS} RETURNING *),
run_days AS ({change_run_days(CHANGES)}),
woken AS ({WAKE})"""
REBUILD_RUNS = f"runs_now AS MATERIALIZED ({RUNS_ANEW}) {UPSERT_RUNS}"
