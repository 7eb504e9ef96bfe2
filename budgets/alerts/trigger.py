"""What a trigger is: the kind of thing a rule tells of. A new one is one small file and a line in `TRIGGERS`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Protocol

from django.urls import NoReverseMatch, reverse

from budgets.alerts.findings import Finding, Over
from budgets.models import Alert, AlertRule, Budget, Workflow
from budgets.pages.amounts import MONEY, NANO, typed, written

LONGEST = 257  # letters of a text: a tag, written key=value
HUNDREDTH = Decimal("0.01")


class Kind(StrEnum):
    """How an option is asked for, and how it is kept in `AlertRule.options`."""

    MONEY = "money"  # US dollars as decimal text ("1500.50"), so that it reads back as it was written
    WHOLE = "whole"  # an integer from `least` to `most`
    FACTOR = "factor"  # decimal text with two digits at most ("2.5")
    CHOICE = "choice"  # one of `choices`
    TEXT = "text"
    BUDGET = "budget"  # the slug of a budget; "": all of them
    WORKFLOW = "workflow"  # the slug of a workflow; "": all of them


@dataclass(frozen=True, slots=True)
class Field:
    """One option of a trigger. `label` and `unit` stand around its field on a page; `help` says more in a sentence.

    An option that is not `required` may be left empty: "" for texts and choices, None for numbers.
    """

    name: str
    label: str
    kind: Kind
    default: Any = None
    required: bool = True
    choices: tuple[tuple[str, str], ...] = ()
    least: int = 1
    most: int = 1_000_000
    unit: str = ""
    help: str = ""

    @property
    def nothing(self) -> Any:
        return None if self.kind in {Kind.MONEY, Kind.WHOLE, Kind.FACTOR} else ""


class InvalidOptions(ValueError):
    """`problems`: option → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class TooMuchHistory(Exception):
    """A replay would read more than somebody waits for."""


class Trigger(Protocol):
    """A kind of thing to tell of. It holds no state: everything is in the rule and in the database.

    `key` is what `AlertRule.trigger` holds, `words` what the menu calls it, `every` how long a look holds at least.
    """

    key: str
    words: str
    every: timedelta

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its options, in the order in which they are asked for."""

    def clean(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options in their one written form, ready for `AlertRule.options`. Raises InvalidOptions."""

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        """ "Tell me when one run costs more than $5." `options` are clean; `team` is the name of the rule's team."""

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        """What there is to tell as of `now`; may repeat what was told, never under another cause."""

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """Which of these open alerts of the rule are over."""

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """What the rule would have told from `since` up to `until`, had it been there (it may not be saved)."""


class Declared:
    """A trigger whose options are just its fields."""

    fields: tuple[Field, ...] = ()
    every = timedelta(seconds=15)

    def clean(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return cleaned(self.fields, options)


def cleaned(fields: Iterable[Field], options: Mapping[str, Any]) -> dict[str, Any]:
    """Every field's option, tidied; what is not stated has its default. Raises InvalidOptions."""
    known = {one.name: one for one in fields}
    problems = {str(name)[:64]: "This trigger has no such option." for name in options if name not in known}
    found: dict[str, Any] = {}
    for name, one in known.items():
        value = options.get(name, one.default)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            found[name] = one.nothing
            if one.required:
                problems[name] = f"Fill this in: {one.label[:1].lower()}{one.label[1:]}."
            continue
        try:
            found[name] = CHECKS[one.kind](one, value)
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise InvalidOptions(problems)
    return found


def page(name: str, *args: object) -> str:
    """The address of a page by its name; "" where there is none, or nothing that it could show."""
    try:
        return reverse(name, args=args) if all(args) else ""
    except NoReverseMatch:
        return ""


def dollars_of(options: Mapping[str, Any], name: str) -> int | None:
    """A money option in nano-dollars."""
    stated = options.get(name)
    return None if stated in (None, "") else int(Decimal(stated) * NANO)


def _money(field: Field, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("Write the amount like 1,500 or 1500.50.")
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return typed(written(text[:64], MONEY), MONEY).replace(",", "")


def _whole(field: Field, value: Any) -> int:
    text = str(value).replace(",", "")
    if isinstance(value, bool) or not isinstance(value, str | int) or not (text.isascii() and text.isdecimal()):
        raise ValueError(f"Enter a whole number from {field.least:,} to {field.most:,}.")
    if len(text) > 12 or not field.least <= int(text) <= field.most:
        raise ValueError(f"Enter a whole number from {field.least:,} to {field.most:,}.")
    return int(text)


def _factor(field: Field, value: Any) -> str:
    sentence = f"Enter how many times the usual, from {field.least} to {field.most:,}, for example 2.5."
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(sentence)
    try:
        number = Decimal(str(value)[:32])
    except InvalidOperation:
        raise ValueError(sentence) from None
    if not number.is_finite() or not field.least <= number <= field.most or number != number.quantize(HUNDREDTH):
        raise ValueError(sentence)
    return f"{number.normalize():f}"


def _choice(field: Field, value: Any) -> str:
    if not isinstance(value, str) or value not in dict(field.choices):
        raise ValueError(f"Choose from: {', '.join(label for _, label in field.choices)}.")
    return value


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST:
        raise ValueError(f"Write at most {LONGEST} letters.")
    return value


def _budget(field: Field, value: Any) -> str:
    text = _text(field, value)
    if not Budget.objects.filter(slug=text).exists():
        raise ValueError("There is no such budget. Choose one of the list.")
    return text


def _workflow(field: Field, value: Any) -> str:
    text = _text(field, value)
    if not Workflow.objects.filter(slug=text).exists():
        raise ValueError("There is no such workflow. Choose one of the list.")
    return text


CHECKS: dict[Kind, Callable[[Field, Any], Any]] = {
    Kind.MONEY: _money,
    Kind.WHOLE: _whole,
    Kind.FACTOR: _factor,
    Kind.CHOICE: _choice,
    Kind.TEXT: _text,
    Kind.BUDGET: _budget,
    Kind.WORKFLOW: _workflow,
}
