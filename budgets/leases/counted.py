"""The limits of workflows that are counted for all callers together, and who counts the tokens of a day.

Both come partly from floors above, which say so here (`tell_daily_tokens`, `tell_tokens_used`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from budgets.models import Workflow
from budgets.workflows.guardrails import BY_TASK_TYPE, known

PRODUCTION = "production"
EVERY_OTHER = "*"

DailyTokens = Callable[[], Mapping[str, int]]
TokensUsed = Callable[[Sequence[int], str, datetime, datetime], int]

_daily: DailyTokens | None = None
_used: TokensUsed | None = None


def tell_daily_tokens(read: DailyTokens) -> None:
    """Ask `read` from here on for the policy's tokens a day: environment → number, "*" for all but production."""
    global _daily
    _daily = read


def tell_tokens_used(read: TokensUsed) -> None:
    """Ask `read` from here on what workflows (their ids) used in an environment from one instant up to another."""
    global _used
    _used = read


def calls_a_minute(workflow: Workflow, task_type: str) -> int | None:
    """The limit; None where there is none. A task type's own goes before the workflow's."""
    stated = _limits(workflow, task_type).get("max_requests_per_minute")
    return int(stated) if stated is not None else None


def tokens_a_day(workflow: Workflow, environment: str, task_type: str) -> int | None:
    """The workflow's limit in the environment, else the policy's; None where neither has one."""
    own: Mapping[str, int] = _limits(workflow, task_type).get("daily_tokens") or {}
    stated = of_environment(own, environment)
    if stated is None and _daily is not None:
        stated = of_environment(_daily(), environment)
    return stated


def most_tokens_a_day(workflow: Workflow, environment: str) -> int | None:
    """The largest of its limits there, whatever the task type: a lease does not say of which its calls are."""
    by_type = known(workflow.guardrails).get(BY_TASK_TYPE, {})
    limits = [tokens_a_day(workflow, environment, task_type) for task_type in ("", *by_type)]
    return max((limit for limit in limits if limit is not None), default=None)


def of_environment(daily: Mapping[str, int], environment: str) -> int | None:
    """The number of an environment; "*" stands for every one but production. None: not limited."""
    if environment in daily:
        return int(daily[environment])
    if environment != PRODUCTION and EVERY_OTHER in daily:
        return int(daily[EVERY_OTHER])
    return None


def tokens_used(workflow_ids: Sequence[int], environment: str, starts_at: datetime, ends_at: datetime) -> int:
    """What the ledger says by now; 0 where nobody told who reads it."""
    return _used(workflow_ids, environment, starts_at, ends_at) if _used is not None else 0


def _limits(workflow: Workflow, task_type: str) -> Mapping[str, Any]:
    stated = known(workflow.guardrails)
    own: Mapping[str, Any] = stated.get(BY_TASK_TYPE, {}).get(task_type, {}) if task_type else {}
    return {**stated, **own}
