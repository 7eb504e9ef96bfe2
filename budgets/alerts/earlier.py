"""What a budget would have reached before it was made, as far back as its use is known: for previews only."""

from datetime import datetime

from django.db import connection

from budgets.limits.calendar import QUARTER_HOUR
from budgets.models import Budget, BudgetState, Crossing

# Periods that were over when the budget was opened raised nothing; their use was read from the ledger all the same.
REACHED = """
WITH before AS (
    SELECT s.id, s.budget_id, s.starts_at, s.ends_at, s."limit", b.thresholds
    FROM budgets_budgetstate s JOIN budgets_budget b ON b.id = s.budget_id
    WHERE s.ends_at > %(since)s AND s.starts_at < %(until)s AND s.ends_at <= coalesce(b.opened_at, b.created_at)
        AND b.status = %(active)s AND (%(slug)s = '' OR b.slug = %(slug)s)
), running AS (
    SELECT before.id, used.bucket, sum(used.amount) OVER (PARTITION BY before.id ORDER BY used.bucket) AS spent
    FROM before JOIN budgets_budgetseries used
        ON used.budget_id = before.budget_id AND used.bucket >= before.starts_at AND used.bucket < before.ends_at
)
SELECT DISTINCT ON (before.id, threshold) before.id, threshold, running.bucket, running.spent::bigint
FROM running JOIN before USING (id) CROSS JOIN unnest(before.thresholds) AS threshold
WHERE running.spent * 100 >= before."limit"::numeric * threshold
ORDER BY before.id, threshold, running.bucket
"""


def earlier_crossings(since: datetime, until: datetime, slug: str = "") -> list[Crossing]:
    """Crossings (not saved) at the end of the quarter hours in which they would have come; of one budget, or of all.

    With the thresholds of today and the limit that the period has. Two statements.
    """
    with connection.cursor() as cursor:
        cursor.execute(REACHED, {"since": since, "until": until, "active": Budget.Status.ACTIVE, "slug": slug})
        rows = cursor.fetchall()
    states = BudgetState.objects.select_related("budget").in_bulk({state for state, *_ in rows})
    found = [
        Crossing(
            kind=Crossing.Kind.CROSSED,
            budget=states[pk].budget,
            period_start=states[pk].period_start,
            threshold=threshold,
            limit_version=states[pk].limit_version,
            spent=spent,
            limit=states[pk].limit,
            raised_at=bucket + QUARTER_HOUR,
        )
        for pk, threshold, bucket, spent in rows
    ]
    return [one for one in found if since <= one.raised_at < until]
