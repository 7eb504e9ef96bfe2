"""What a run counts, as SQL: one definition for counting, for postings and for `check_ledger`.

Every column is a sum over runs: flags are 0 or 1, money nano-dollars, minutes and scores decimals. A run whose calls
were all withdrawn counts nothing.
"""

# What of a run follows from its messages; the columns of `usage_run` that outcomes write.
STATE = (
    "outcome", "reworks", "reviews", "duplicates", "reviewer", "review_minutes", "timed", "scored", "satisfaction",
    "misrouted", "revenue", "minutes_saved", "cases", "asset",
)  # fmt: skip
STATED = ("misrouted", "revenue", "minutes_saved", "cases")  # of STATE: null where no message says
FLAGS = (
    "runs", "judged", "completed", "approved", "shipped", "rejected", "failed", "reviewed", "reworked", "misrouted",
    "routed",
)  # fmt: skip
COUNTED = (
    "runs", "cost", "steps", "judged", "judged_cost", "completed", "approved", "shipped", "rejected", "failed",
    "reviewed", "reworked", "misrouted", "routed", "reviews", "duplicates", "review_minutes", "timed", "scored",
    "satisfaction", "revenue", "shipped_revenue", "minutes_saved", "cases",
)  # fmt: skip


def counted(state: str, calls: str, cost: str, steps: str) -> dict[str, str]:
    """Name of COUNTED → SQL. `state` is the alias of a row with the columns STATE; the others are expressions."""
    is_true = {
        "runs": "true",
        "judged": f"{state}.outcome <> 'open'",
        "completed": f"{state}.outcome IN ('completed', 'approved', 'shipped')",
        "approved": f"{state}.outcome IN ('approved', 'shipped')",
        "shipped": f"{state}.outcome = 'shipped'",
        "rejected": f"{state}.outcome = 'rejected'",
        "failed": f"{state}.outcome = 'failed'",
        "reviewed": f"({state}.outcome IN ('approved', 'shipped', 'rejected') OR {state}.reworks > 0)",
        "reworked": f"{state}.reworks > 0",
        "misrouted": f"coalesce({state}.misrouted, false)",
        "routed": f"{state}.misrouted IS NOT NULL",
    }
    found = {name: f"({calls} > 0 AND {says})::int" for name, says in is_true.items()}
    for name in COUNTED:
        own = {"cost": cost, "judged_cost": cost, "steps": steps, "shipped_revenue": f"coalesce({state}.revenue, 0)"}
        own |= {stated: f"coalesce({state}.{stated}, 0)" for stated in STATED}
        only = {"judged_cost": f" AND {is_true['judged']}", "shipped_revenue": f" AND {is_true['shipped']}"}
        condition, amount = f"{calls} > 0{only.get(name, '')}", own.get(name, f"{state}.{name}")
        found.setdefault(name, f"CASE WHEN {condition} THEN {amount} ELSE 0 END")
    return found


def of_row(row: str) -> dict[str, str]:
    """The same of a row of `usage_run`."""
    return counted(row, f"{row}.calls", f"{row}.cost", f"{row}.max_step")


def less(after: dict[str, str], before: dict[str, str]) -> str:
    """The differences, in the order of COUNTED, for the columns of `usage_runposting`."""
    return ", ".join(f"({after[name]}) - ({before[name]})" for name in COUNTED)
