"""The rollup rows that a budget's scope covers: one place, for meaning, suggestion and shares by model.

Quarter hours hold team, workflow, environment, model, provider and tier in any combination. Days of one wide dimension
hold a user, a customer, an application or a tag, alone or with workflow, model and provider. No rollup holds the rest.
"""

from datetime import date
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import TruncDate

from budgets.limits.calendar import DAY, day_starts_at
from budgets.models import Organisation, Workflow
from usage.models import QuarterHour, WideDay

CORE = ("team", "environment", "model", "provider", "tier")
WIDE = {"user", "customer", "application", "tag"}
MEASURE: dict[str, Any] = {"money": F("cost"), "calls": F("calls"), "tokens": F("input_tokens") + F("output_tokens")}


def covered(scope: dict[str, str], first: date, last: date, organisation: Organisation) -> QuerySet[Any] | None:
    """Rows of the days `first` to `last`, each with its `day`; None where no rollup holds the combination."""
    wide = [name for name in scope if name in WIDE]
    if not wide:
        return _quarter_hours(scope, first, last, organisation)
    if len(wide) > 1 or not set(scope) <= {*WIDE, "workflow", "model", "provider"}:
        return None
    same = {name: scope[name] for name in ("model", "provider") if name in scope}
    return WideDay.objects.filter(
        workflows(scope), dimension=wide[0], value=scope[wide[0]], day__gte=first, day__lte=last, **same
    )


def workflows(scope: dict[str, str]) -> Q:
    """The workflow that the scope names, with those that were merged into it."""
    if "workflow" not in scope:
        return Q()
    named = Q(slug=scope["workflow"], merged_into=None) | Q(merged_into__slug=scope["workflow"])
    return Q(workflow_id__in=list(Workflow.objects.filter(named).values_list("pk", flat=True)))


def _quarter_hours(scope: dict[str, str], first: date, last: date, organisation: Organisation) -> QuerySet[Any]:
    zone = organisation.zone
    same = {name: scope[name] for name in CORE if name in scope}
    return QuarterHour.objects.filter(
        workflows(scope),
        bucket__gte=day_starts_at(first, zone),
        bucket__lt=day_starts_at(last + DAY, zone),
        **same,
    ).annotate(day=TruncDate("bucket", tzinfo=zone))
