"""What is stated about another AI cost, and what it may be."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from babel.core import get_global

from budgets.pages.amounts import MOST
from usage.models import OtherCost

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)
MOST_DAYS = 3_660
Kind = OtherCost.Kind


@dataclass(frozen=True, slots=True)
class CostValues:
    """`amount` in billionths of `currency`, below zero for a credit, for `first_day` to `last_day`, both included."""

    name: str
    amount: int
    first_day: date
    last_day: date
    kind: str = Kind.SUBSCRIPTION.value
    currency: str = "USD"
    vendor: str = ""
    team_id: int | None = None
    workflow_id: int | None = None
    reference: str = ""
    note: str = ""

    def tidied(self) -> "CostValues":
        """A credit is below zero, however it was written."""
        return replace(
            self,
            name=_line(self.name),
            amount=-abs(self.amount) if self.kind == Kind.CREDIT else self.amount,
            currency=self.currency.strip().upper(),
            vendor=_line(self.vendor),
            reference=_line(self.reference),
            note=_line(self.note),
        )

    def as_json(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {"first_day": self.first_day.isoformat(), "last_day": self.last_day.isoformat()}

    @classmethod
    def of_row(cls, row: OtherCost) -> "CostValues":
        return cls(**{name: getattr(row, name) for name in cls.__slots__})

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> "CostValues":
        known = {name: kept[name] for name in cls.__slots__}
        days = {name: date.fromisoformat(kept[name]) for name in ("first_day", "last_day")}
        return cls(**(known | days))


def _line(text: str) -> str:
    return " ".join(text.replace("\0", "").split())


def validate(values: CostValues) -> dict[str, str]:
    """What is wrong with tidied values, by field. Whether there is a rate is found when it is converted."""
    problems: dict[str, str] = {}
    lengths = {"vendor": 128, "reference": 128, "note": 500}
    problems |= {
        name: f"Write at most {most} characters." for name, most in lengths.items() if len(getattr(values, name)) > most
    }
    if not values.name or len(values.name) > 200:
        problems["name"] = "Give it a name of at most 200 characters."
    if values.kind not in Kind.values:
        problems["kind"] = f"Choose from: {', '.join(Kind.values)}."
    if values.currency not in get_global("all_currencies"):
        problems["currency"] = f"“{values.currency[:20]}” is no currency. Use a code such as EUR."
    if not values.amount:
        problems["amount"] = "Enter an amount other than zero."
    elif values.amount < 0 and values.kind != Kind.CREDIT:
        problems["amount"] = "Only a credit is below zero. Choose the kind Credit for it."
    elif abs(values.amount) > MOST:
        problems["amount"] = "That is more than TokenOps can count. Enter a smaller amount."
    for name in ("first_day", "last_day"):
        if not FIRST_DAY <= getattr(values, name) <= LAST_DAY:
            problems[name] = "Choose a day between 2000 and 2100."
    if values.last_day < values.first_day:
        problems.setdefault("last_day", "The last day is before the first. Choose the same day or a later one.")
    elif (values.last_day - values.first_day).days >= MOST_DAYS:
        problems.setdefault("last_day", "A cost may run for ten years at most.")
    return problems
