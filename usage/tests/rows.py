"""Rollup rows for tests, as folding would leave them."""

from datetime import datetime

from budgets.limits.calendar import quarter_hour
from usage.models import QuarterHour


def usage_row(
    bucket: datetime, cost: int = 0, model: str = "gpt-4.1", workflow_id: int = 1, **more: object
) -> QuarterHour:
    """One rollup row, not saved. `cost` in nano-dollars."""
    fields = {"team": "", "provider": "openai", "tier": 0, "environment": "production", "service_tier": "standard"}
    fields |= {"stage": "", "task_type": "", "status": "ok", "calls": 1}
    return QuarterHour(bucket=quarter_hour(bucket), cost=cost, model=model, workflow_id=workflow_id, **(fields | more))
