"""A workflow's form with changes filled in by the address, as other pages prepare them. Nothing is saved by it.

`limit_<limit>` for all calls; `task_type` with `task_<limit>` for those of one kind; `default_tier`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from budgets.models import Workflow
from budgets.workflows.guardrails import BY_TASK_TYPE, MOST_TASK_TYPES
from budgets.workflows.limit_kinds import problem_with_name
from usage.workflows.limit_fields import limit_fields
from usage.workflows.reading import TIERS

LONGEST = 200  # characters of a value
MANY = "cache_kinds"  # the field that takes several


@dataclass(frozen=True, slots=True)
class Prefilled:
    """`initial` for the form; `labels` of the fields that were filled in; `ignored` names that no field has."""

    initial: Mapping[str, Any]
    labels: tuple[str, ...]
    ignored: tuple[str, ...]


def prefilled(query: QueryDict, found: Workflow) -> Prefilled:
    """What the address fills in for this workflow; values are checked when they are saved."""
    fields, stated = limit_fields(""), found.guardrails if isinstance(found.guardrails, dict) else {}
    by_type = stated.get(BY_TASK_TYPE)
    types = list(by_type) if isinstance(by_type, dict) else []
    task = query.get("task_type", "").strip()
    place = types.index(task) if task in types else len(types)
    takes_task = bool(task) and not problem_with_name(task) and place < MOST_TASK_TYPES
    initial: dict[str, Any] = {}
    labels, ignored = [], []
    for name in query:
        kind, _, limit = name.partition("_")
        value: Any = query.getlist(name)[:10] if limit == MANY else query.get(name, "")[:LONGEST]
        if kind == "limit" and limit in fields:
            initial[name] = value
            labels.append(str(fields[limit].label))
        elif kind == "task" and limit in fields and takes_task:
            initial |= {f"type_{place}": task, f"type_{place}_{limit}": value}
            labels.append(f"{fields[limit].label} for {task}")
        elif name == "default_tier" and value in {str(number) for number in TIERS}:
            initial[name] = value
            labels.append("Usual models")
        elif not (name == "task_type" and takes_task):
            ignored.append(name[:40])
    return Prefilled(initial, tuple(labels), tuple(ignored[:5]))
