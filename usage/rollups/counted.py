"""What a run counts, by name and as SQL: one definition for counting, for postings and for `check_ledger`.

Every column is a sum over runs: flags are 0 or 1, money nano-dollars, minutes and scores decimals. A run whose calls
were all withdrawn counts nothing.
"""

from dataclasses import dataclass, fields
from decimal import Decimal

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


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of a window, and what became of them. Money in nano-dollars, minutes and scores as decimals.

    `cost` is what the runs cost, whenever their calls were; `judged` those that have any outcome. `completed` came to
    a good end (completed, approved or shipped), `approved` are approved or shipped. `reviewed`: approved, shipped,
    rejected or sent back by somebody; `reworked`: sent back at least once; `routed`: of which is stated whether they
    were `misrouted`. `reviews` counts reviews, `duplicates` those of what was reviewed already, `timed` the messages
    that `review_minutes` sums, `scored` the scores that `satisfaction` sums; `shipped_revenue` is the `revenue` of runs
    that are shipped. In a window with corrections for closed days, counts are differences and may be below zero.
    """

    runs: int = 0
    cost: int = 0
    steps: int = 0
    judged: int = 0
    judged_cost: int = 0
    completed: int = 0
    approved: int = 0
    shipped: int = 0
    rejected: int = 0
    failed: int = 0
    reviewed: int = 0
    reworked: int = 0
    misrouted: int = 0
    routed: int = 0
    reviews: int = 0
    duplicates: int = 0
    review_minutes: Decimal = Decimal(0)
    timed: int = 0
    scored: int = 0
    satisfaction: Decimal = Decimal(0)
    revenue: int = 0
    shipped_revenue: int = 0
    minutes_saved: Decimal = Decimal(0)
    cases: int = 0


COUNTED = tuple(one.name for one in fields(Runs))
DECIMALS = tuple(one.name for one in fields(Runs) if one.type is Decimal)


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
