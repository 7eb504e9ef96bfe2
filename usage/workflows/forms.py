"""The form of a workflow: from what people type to `WorkflowValues`; what that may be is said by its `validate`."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.forms import BoundField

from budgets.models import Workflow
from budgets.workflows.guardrails import BY_TASK_TYPE, LIMITS, MOST_TASK_TYPES, SENSITIVE
from budgets.workflows.values import IRREVERSIBLE, REVERSIBLE, STAGES, WorkflowValues, validate, values_of
from usage.workflows.limit_fields import CACHE_PARTS, field_of, limit_fields, names, read, typed
from usage.workflows.reading import TIERS

PUBLIC = "public"
MARKED = {REVERSIBLE, IRREVERSIBLE, PUBLIC, SENSITIVE}
TAKEN_BACK = (("", "Not said"), (REVERSIBLE, "Can be taken back"), (IRREVERSIBLE, "Cannot be taken back"))
# Where the form has other fields than the values have.
SHOWN_AT = {"risk_categories": "risks"}


def text(label: str, hint: str = "", most: int = 500, required: bool = False, **attrs: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", **attrs})
    # Longer than may be saved, so that the domain's own sentence says so.
    return forms.CharField(
        label=label,
        help_text=hint,
        max_length=most * 4,
        required=required,
        widget=widget,
        error_messages={"required": "Give the workflow a name that its readers know, for example “SEO briefs”."},
    )


class WorkflowForm(forms.Form):
    """All that is stated about a workflow. `edited` is the one that is changed, None for a new one."""

    name = text("Name", most=128, required=True)
    slug = text("Short name", "What your calls name it by; it never changes. Empty: made from the name.", 128)
    description = text("What it makes", "One sentence for people who do not know it.")
    owner = forms.ChoiceField(label="Owner", required=False, help_text="Who answers for what it spends.")
    team = forms.ChoiceField(label="Team", required=False, help_text="A change counts for calls from now on.")
    cost_centre = text("Cost centre", "Empty: the team’s.", 64)
    ledger_code = text("Ledger code", "Empty: the team’s.", 64)
    stages = text("Stages", f"In order, with commas between: {', '.join(STAGES)}.")
    taken_back = forms.ChoiceField(
        label="What it does", choices=TAKEN_BACK, required=False, widget=forms.RadioSelect, initial=""
    )
    is_public = forms.BooleanField(label="The public sees its results", required=False)
    is_sensitive = forms.BooleanField(label="It handles personal or confidential data", required=False)
    risks = text("Other risks", "Words of your own, with commas between: legal, brand.")
    value_weight = text("Value weight", "0.5 to 5; 1 is usual. Pools share money by it.", 20, inputmode="decimal")
    default_tier = forms.ChoiceField(label="Usual models", required=False, help_text="A change counts from now on.")
    reason = text("Why", "Kept in the history with your name.")
    version = forms.CharField(required=False, widget=forms.HiddenInput, max_length=12)

    def __init__(
        self,
        data: Any = None,
        *,
        edited: Workflow | None = None,
        people: Iterable[tuple[str, str]] = (),
        teams: Iterable[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(data, **kwargs)
        self.edited = edited
        now = values_of(edited) if edited else None
        self._offer("owner", "Nobody yet", people, now.owner if now else "")
        self._offer("team", "No team", teams, now.team if now else "")
        tiers = [(str(number), words) for number, words in TIERS.items()]
        self._offer("default_tier", "As for all workflows", tiers, str(now.default_tier or "") if now else "")
        if edited is not None:
            del self.fields["slug"]
        else:
            del self.fields["reason"]
        self.fields.update(limit_fields("limit_"))
        self.task_types = self._task_types(now)
        for n in range(len(self.task_types)):
            self.fields[f"type_{n}"] = text("Task type", "As your calls name it: extraction, reasoning.", 128)
            self.fields.update(limit_fields(f"type_{n}_"))
        if now is not None and edited is not None:
            self.initial = {**typed_values(now), "version": str(edited.edit_version), **self.initial}

    def _offer(self, name: str, none: str, choices: Iterable[tuple[str, str]], now: str) -> None:
        """The choices; whatever it is now stays one of them, though the person left or the list is long."""
        found = [("", none), *choices]
        if now and now not in dict(found):
            found.append((now, now))
        self.fields[name].choices = found  # type: ignore[attr-defined]  # a ChoiceField

    def _task_types(self, now: WorkflowValues | None) -> list[str]:
        """Those that have limits, and room for one more; as many as were sent where the form was."""
        if self.is_bound:
            sent = [name for name in self.data if name.startswith("type_") and name.removeprefix("type_").isdecimal()]
            return [""] * min(len(sent), MOST_TASK_TYPES)
        stated = list(now.guardrails.get(BY_TASK_TYPE, {})) if now else []
        return [*stated, ""] if len(stated) < MOST_TASK_TYPES else stated

    @property
    def limit_groups(self) -> list[tuple[str, list[BoundField]]]:
        """The fields of the limits that hold for all task types, by the table's groups."""
        return self._groups("limit_")

    @property
    def sections(self) -> list[dict[str, Any]]:
        """One for each task type: its name's field, its groups of fields, whether it is to be shown open."""
        found = []
        for n in range(len(self.task_types)):
            prefix = f"type_{n}_"
            wrong = any(name == f"type_{n}" or name.startswith(prefix) for name in self.errors)
            name = self[f"type_{n}"].value() or ""
            found.append({"name": name, "field": self[f"type_{n}"], "groups": self._groups(prefix), "open": wrong})
        return found

    def _groups(self, prefix: str) -> list[tuple[str, list[BoundField]]]:
        found: dict[str, list[BoundField]] = {}
        for limit in LIMITS:
            parts = [f"cache_{part}" for part in CACHE_PARTS] if limit.name == "cache" else [limit.name]
            found.setdefault(limit.group, []).extend(self[f"{prefix}{part}"] for part in parts)
        return list(found.items())

    def clean(self) -> dict[str, Any]:
        """Understand the limits and check everything together, so that every fault is told at once."""
        cleaned = super().clean() or self.cleaned_data
        guardrails, wrong = read(cleaned, "limit_")
        by_type: dict[str, dict[str, Any]] = {}
        places: dict[str, int] = {}
        for n in range(len(self.task_types)):
            own, own_wrong = read(cleaned, f"type_{n}_")
            wrong |= own_wrong
            task_type = str(cleaned.get(f"type_{n}") or "").strip()
            if own and not task_type:
                wrong[f"type_{n}"] = "Name the task type that these limits are for."
            elif task_type in by_type:
                wrong[f"type_{n}"] = "This task type has limits above already."
            elif task_type:
                by_type[task_type], places[task_type] = own, n
        for name, said in wrong.items():
            self.add_error(name, said)
        self.values = self._values(cleaned, guardrails | ({BY_TASK_TYPE: by_type} if by_type else {}))
        for path, said in validate(self.values).items():
            self._say(path, said, places)
        return cleaned

    def _values(self, cleaned: dict[str, Any], guardrails: dict[str, Any]) -> WorkflowValues:
        marks = [PUBLIC] * bool(cleaned.get("is_public")) + [SENSITIVE] * bool(cleaned.get("is_sensitive"))
        kind = [cleaned["taken_back"]] if cleaned.get("taken_back") else []
        tier = cleaned.get("default_tier") or ""
        try:
            weight = Decimal((cleaned.get("value_weight") or "1").strip().replace(",", "."))
        except InvalidOperation:
            weight = Decimal("NaN")
        return WorkflowValues(
            **{name: cleaned.get(name) or "" for name in ("name", "description", "owner", "team")},
            **{name: cleaned.get(name) or "" for name in ("cost_centre", "ledger_code", "slug")},
            stages=tuple(names(cleaned.get("stages") or "")),
            risk_categories=(*kind, *marks, *names(cleaned.get("risks") or "")),
            value_weight=weight,
            default_tier=int(tier) if tier.isdecimal() else None,
            guardrails=guardrails,
        )

    def tell(self, problems: dict[str, str]) -> None:
        """What was found wrong when it was saved."""
        for path, said in problems.items():
            self._say(path, said, {})

    def _say(self, path: str, said: str, places: dict[str, int]) -> None:
        """A problem of the values at the field that shows it."""
        field: str | None = SHOWN_AT.get(path, path)
        if path.startswith(f"guardrails.{BY_TASK_TYPE}."):
            task_type, _, limit = path.removeprefix(f"guardrails.{BY_TASK_TYPE}.").rpartition(".")
            n = places.get(task_type)
            field = None if n is None else f"type_{n}_{field_of(limit)}"
        elif path.startswith("guardrails."):
            field = f"limit_{field_of(path.removeprefix('guardrails.'))}"
        if field not in self.fields:
            self.add_error(None, said)
        elif field not in self.errors:
            self.add_error(field, said)


def typed_values(now: WorkflowValues) -> dict[str, Any]:
    """What the form shows of a workflow as it is."""
    risks = now.risk_categories
    found: dict[str, Any] = {name: getattr(now, name) for name in ("name", "description", "team", "owner")}
    found |= {"cost_centre": now.cost_centre, "ledger_code": now.ledger_code, "stages": ", ".join(now.stages)}
    found |= {
        "taken_back": next((one for one in (IRREVERSIBLE, REVERSIBLE) if one in risks), ""),
        "is_public": PUBLIC in risks,
        "is_sensitive": SENSITIVE in risks,
        "risks": ", ".join(one for one in risks if one not in MARKED),
        "value_weight": f"{now.value_weight.normalize():f}",
        "default_tier": str(now.default_tier or ""),
    }
    found |= typed({name: value for name, value in now.guardrails.items() if name != BY_TASK_TYPE}, "limit_")
    for n, (task_type, own) in enumerate(now.guardrails.get(BY_TASK_TYPE, {}).items()):
        found |= {f"type_{n}": task_type} | typed(own, f"type_{n}_")
    return found
