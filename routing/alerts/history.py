"""What a rule would have told, on real history: for its preview."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction

from budgets.alerts.findings import Finding, in_order
from budgets.alerts.trigger import TooMuchHistory
from budgets.models import AlertRule
from routing.alerts.triggers import TRIGGERS

DAYS = 90
LONGEST = "5s"  # for a statement: a preview is waited for
MEMORY = "64MB"  # for sums of many cells, which would go through files otherwise
TOO_MUCH = "There is too much history to look through at once. Choose one budget, workflow or other scope."


@dataclass(frozen=True, slots=True)
class Replayed:
    """What it would have told from `since` to `until`, the first first; or, in `problem`, why that is not known."""

    since: datetime
    until: datetime
    findings: tuple[Finding, ...] = ()
    problem: str = ""


def replay_rule(rule: AlertRule, until: datetime, days: int = DAYS) -> Replayed:
    """The last `days` (90 at most) before `until`; the rule may not be saved, its options are clean.

    Read from what is kept: see each trigger's `replay`.
    """
    since = until - timedelta(days=min(max(days, 1), DAYS))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true)", [LONGEST, MEMORY]
            )
            findings = in_order(TRIGGERS[rule.trigger].replay(rule, since, until))
            cursor.execute("SELECT set_config('statement_timeout', '0', true)")
    except TooMuchHistory:
        return Replayed(since, until, problem=TOO_MUCH)
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        return Replayed(since, until, problem=TOO_MUCH)
    return Replayed(since, until, tuple(findings))
