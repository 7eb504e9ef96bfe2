"""Who changed a workflow, in words: each field before and after, the newest first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from budgets.models import AuditEntry, Organisation, Workflow
from budgets.pages.moments import moment
from budgets.workflows.edit import OBJECT_TYPE
from budgets.workflows.guardrails import BY_TASK_TYPE, in_words

SHOWN = 50
FIELDS = {
    "name": "name",
    "description": "description",
    "status": "status",
    "team": "team",
    "owner": "owner",
    "cost_centre": "cost centre",
    "ledger_code": "ledger code",
    "stages": "stages",
    "risk_categories": "risk",
    "value_weight": "value weight",
    "default_tier": "usual models",
    "merged_into": "counts under",
    "guardrails": "limits",
}
ACTS = {
    "put in production": "put this workflow in production",
    "put back to draft": "put this workflow back to draft",
    "unclaimed": "gave up the claim to this workflow",
    "unmerged": "took this workflow apart again",
    "restored": "took this workflow back",
}


def history_of(workflow: Workflow, organisation: Organisation, now: datetime) -> list[dict[str, Any]]:
    """The latest changes as text; the newest one with `entry`, by which it can be undone. One statement."""
    entries = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(workflow.pk)).order_by("-at", "-pk")
    local = organisation.local
    return [
        {
            "who": entry.who_text,
            "act": ACTS.get(entry.act, f"{entry.act} this workflow"),
            "changes": differences(entry.before or {}, entry.after or {}) if entry.before and entry.after else [],
            "reason": entry.reason,
            "origin": AuditEntry.Origin(entry.origin).label,
            "when": moment(local(entry.at), local(now)),
            "entry": entry.pk if n == 0 and entry.act != "unclaimed" else None,
        }
        for n, entry in enumerate(entries[:SHOWN])
    ]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(field in words, before, after) of what differs and means something to a reader."""
    found = [
        (words, _worded(name, before.get(name)), _worded(name, after.get(name)))
        for name, words in FIELDS.items()
        if name != "guardrails" and name in {*before, *after} and before.get(name) != after.get(name)
    ]
    return found + limit_differences(before.get("guardrails") or {}, after.get("guardrails") or {})


def limit_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The limits that differ, each by its label, those of a task type with its name."""
    was, is_ = _limits(before), _limits(after)
    return [
        (name, was.get(name, "no limit"), is_.get(name, "no limit"))
        for name in dict.fromkeys([*was, *is_])
        if was.get(name) != is_.get(name)
    ]


def _limits(guardrails: Mapping[str, Any]) -> dict[str, str]:
    if not isinstance(guardrails.get(BY_TASK_TYPE, {}), Mapping):
        return {}
    return {
        f"{said.limit.label.lower()} ({said.task_type})" if said.task_type else said.limit.label.lower(): said.words
        for said in in_words(guardrails)
    }


def _worded(name: str, value: Any) -> str:
    if value in (None, "", [], {}):
        return "none"
    if name == "status":
        return str(dict(Workflow.Status.choices).get(value, value))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
