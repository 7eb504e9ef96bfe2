"""What people type about the plan, understood; what may be is said by `budgets.plan.edit`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

from django import forms

from budgets.pages import amounts
from budgets.plan.edit import PlanValue
from budgets.plan.year import month_words
from budgets.pools.share import even
from usage.planning.figures import Cell

CENT = amounts.NANO // 100


def written_amount(text: str) -> int | None:
    """As budgets' amounts are written, and zero; None for an empty field. ValueError carries the sentence."""
    bare = text.strip()
    if not bare:
        return None
    try:
        if Decimal(bare.removeprefix("$")) == 0:
            return 0
    except InvalidOperation:
        pass
    return amounts.written(bare, amounts.MONEY)


@dataclass
class RowForm:
    """A team's twelve months: fields `amount-0` to `note-11`, and `total`, which is spread evenly where it is given.

    `errors` by field name; `seen` says what the editor saw, so that nobody's change is overwritten.
    """

    months: Sequence[date]
    typed: dict[str, str]
    seen: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    values: list[PlanValue] = field(default_factory=list)
    problem: str = ""

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> "RowForm":
        typed = {}
        for i, cell in enumerate(cells):
            typed[f"amount-{i}"] = "" if cell.plan is None else amounts.typed(cell.plan, amounts.MONEY)
            typed[f"note-{i}"] = cell.note
        return cls([cell.month for cell in cells], typed, seen_mark(cells))

    @classmethod
    def read(cls, post: Mapping[str, str], cells: Sequence[Cell], team_id: int | None) -> "RowForm":
        """An amount that was not touched stays to the last digit; an empty one removes the line."""
        names = ["total", *(f"{kind}-{i}" for i in range(len(cells)) for kind in ("amount", "note"))]
        typed = {name: post.get(name, "")[:300].replace("\0", "") for name in names}
        form = cls([cell.month for cell in cells], typed, post.get("seen", "")[:64])
        total = form._amount("total")
        spread = even(total, len(cells), CENT) if total else None
        for i, cell in enumerate(cells):
            name = f"amount-{i}"
            if spread:
                amount: int | None = spread[i]
            elif cell.plan is not None and typed[name] == amounts.typed(cell.plan, amounts.MONEY):
                amount = cell.plan
            else:
                amount = form._amount(name)
            form.values.append(PlanValue(cell.month, team_id, amount, typed[f"note-{i}"]))
        return form

    def _amount(self, name: str) -> int | None:
        try:
            return written_amount(self.typed[name])
        except ValueError as error:
            self.errors[name] = str(error)
            return None

    def rows(self, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        """For the page: each month with what was typed, what is wrong with it, and what was spent."""
        return [
            {
                "i": i,
                "cell": cell,
                "words": month_words(cell.month),
                "amount": self.typed.get(f"amount-{i}", ""),
                "note": self.typed.get(f"note-{i}", ""),
                "amount_error": self.errors.get(f"amount-{i}", ""),
                "note_error": self.errors.get(f"note-{i}", ""),
            }
            for i, cell in enumerate(cells)
        ]


def seen_mark(cells: Sequence[Cell]) -> str:
    """The same text for the same lines."""
    stated = repr([(cell.month.isoformat(), cell.plan, cell.note) for cell in cells])
    return blake2b(stated.encode(), digest_size=16).hexdigest()


class CopyForm(forms.Form):
    """Last year's plan into this one."""

    percent = forms.DecimalField(
        label="At how many percent of last year’s amounts",
        initial=100,
        min_value=Decimal(0),
        max_value=Decimal(1000),
        max_digits=6,
        decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="105 plans 5 percent more. Amounts are rounded to the cent.",
        error_messages={
            "invalid": "Write a percentage like 105 or 97.5.",
            "required": "Write a percentage like 105 or 97.5.",
            "min_value": "Give a percentage from 0 to 1000.",
            "max_value": "Give a percentage from 0 to 1000.",
        },
    )
    replace = forms.BooleanField(
        label="Replace what is planned already",
        required=False,
        help_text="Without it only months and teams are filled that have no amount yet.",
    )
    note = forms.CharField(label="Note for the history", required=False, max_length=400)
