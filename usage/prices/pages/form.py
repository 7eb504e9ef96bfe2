"""The form of a price set here: from what people type to a PriceEntry's columns, and back."""

import json
import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.forms import formset_factory
from django.http import QueryDict

from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Organisation
from usage.models import PriceEntry
from usage.prices.entry import decimal_text, mistakes
from usage.prices.pages.days import DayField
from usage.prices.pages.words import LABELS, MILLION, TIERS
from usage.prices.price import FIELDS, REQUEST, TOKEN_KINDS
from usage.prices.seed import FAR_PAST

if TYPE_CHECKING:
    FormSet = forms.BaseFormSet[Any]
else:
    FormSet = forms.BaseFormSet  # takes no type arguments when running

WRITTEN: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[0-9]+(\.[0-9]*)?|\.[0-9]+")
UNITS: Final = (
    REQUEST, "web_search", "file_search", "audio_second", "document_page", "annotated_page", "character", "message",
    *TOKEN_KINDS,
)  # fmt: skip


class PriceField(forms.CharField):
    """A price in dollars as people write it, "2.50" or "$1,000"; a Decimal, None where it is empty."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(required=False, max_length=40, widget=widget, **options)

    def clean(self, value: Any) -> Decimal | None:
        text = str(super().clean(value) or "").replace(" ", "").removeprefix("$")
        if not text:
            return None
        if not WRITTEN.fullmatch(text):
            raise forms.ValidationError("Write the price like 2.50 or 0.0375.")
        return Decimal(text.replace(",", ""))


def _rates(named: str = "") -> dict[str, PriceField]:
    return {name: PriceField(label=f"{LABELS[name]}{named}") for name in FIELDS}


class MainForm(forms.Form):
    """Whose price, when, and the four prices of a million tokens."""

    provider = forms.CharField(
        label="Provider",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "providers-seen", "autocomplete": "off"}),
        help_text="Who sends the bill, such as openai. Every spelling of it meets this price.",
    )
    model = forms.CharField(
        label="Model",
        max_length=128,
        widget=forms.TextInput(attrs={"list": "models-seen", "autocomplete": "off"}),
        help_text="As senders name it, or as the price book does.",
    )
    service_tier = forms.ChoiceField(label="Service tier", choices=list(TIERS.items()))
    first_day = DayField(label="First day", error_messages={"required": "Say from which day this price holds."})
    last_day = DayField(label="Last day", required=False, help_text="Empty: until further notice.")
    input = PriceField(label="Input")
    cached_input = PriceField(label="Cached input", help_text="Empty: costs what input costs.")
    cache_write = PriceField(label="Cache write", help_text="Empty: costs what input costs.")
    output = PriceField(label="Output")
    origin_note = forms.CharField(
        label="Agreed in", required=False, max_length=200, help_text="For instance the contract's number."
    )
    reason = forms.CharField(label="Reason", required=False, max_length=500, help_text="Kept in the history.")


class ListedForm(forms.Form):
    """A row of a list; one that is left empty is none. Django ties its errors and hints to the inputs."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        for one in self.fields.values():
            one.widget.attrs["class"] = "in"


class RowForm(ListedForm):
    """One with prices. `more` keeps what its fields cannot show."""

    more = forms.CharField(required=False, widget=forms.HiddenInput, max_length=4000)

    def row(self) -> dict[str, Any]:
        """The row as the entry has it, prices as text; {} for an empty one."""
        values = getattr(self, "cleaned_data", {})
        found = self.stated(values)
        if not found:
            return {}
        found.update({name: decimal_text(values[name]) for name in FIELDS if values.get(name) is not None})
        return {**found, **_object(values.get("more", ""))}

    def stated(self, values: dict[str, Any]) -> dict[str, Any]:
        """What makes the row one."""
        raise NotImplementedError


class UnitForm(ListedForm):
    """A thing that is billed by itself."""

    name = forms.CharField(
        label="What", required=False, max_length=64, widget=forms.TextInput(attrs={"list": "units-known"})
    )
    price = PriceField(label="Price")
    per = forms.ChoiceField(
        label="For", required=False, choices=[("1", "each"), ("1000", "a thousand"), (str(MILLION), "a million")]
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("name") and values.get("price") is None and "price" not in self.errors:
            self.add_error("price", "Say what it costs; 0 is free.")
        if values.get("price") is not None and not values.get("name"):
            self.add_error("name", "Say what this is the price of, such as web_search.")
        return values


class StepForm(RowForm):
    """Long context: prices of a whole call whose input reaches a size."""

    from_input_tokens = forms.IntegerField(label="From tokens of input", required=False, min_value=1)
    input, cached_input, cache_write, output = _rates().values()

    def stated(self, values: dict[str, Any]) -> dict[str, Any]:
        start = values.get("from_input_tokens")
        return {} if start is None else {"from_input_tokens": start}


class HourForm(RowForm):
    """Other prices at some hours, UTC."""

    starts = forms.TimeField(label="From, UTC", required=False, widget=forms.TimeInput(attrs={"type": "time"}))
    ends = forms.TimeField(label="To, UTC", required=False, widget=forms.TimeInput(attrs={"type": "time"}))
    weekdays = forms.CharField(
        label="Days", required=False, max_length=20, help_text="1 is Monday: 1, 2, 3, 4, 5. Empty: every day."
    )
    besides = forms.CharField(label="Not on", required=False, max_length=2000, help_text="2026-10-01, 2026-10-02")
    input, cached_input, cache_write, output = _rates().values()

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if (values.get("starts") is None) != (values.get("ends") is None) and not self.errors:
            self.add_error("ends", "Say from when and until when, or leave both empty.")
        if re.search(r"[^1-7,\s]", values.get("weekdays") or ""):
            self.add_error("weekdays", "Write days as numbers from 1 for Monday to 7, with commas between.")
        return values

    def stated(self, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("starts") is None or values.get("ends") is None:
            return {}
        found: dict[str, Any] = {"from": f"{values['starts']:%H:%M}", "to": f"{values['ends']:%H:%M}"}
        if days := sorted({int(one) for one in re.findall(r"[1-7]", values.get("weekdays") or "")}):
            found["weekdays"] = days
        if besides := [one for one in re.split(r"[,\s]+", values.get("besides") or "") if one]:
            found["except"] = besides
        return found


Units = formset_factory(UnitForm, extra=2, max_num=50)
Steps = formset_factory(StepForm, extra=2, max_num=20)
Hours = formset_factory(HourForm, extra=1, max_num=20)


class PriceForm:
    """All parts of the form together."""

    def __init__(
        self,
        organisation: Organisation,
        data: QueryDict | None = None,
        initial: dict[str, Any] | None = None,
        edited: PriceEntry | None = None,
    ) -> None:
        values = initial or (_initial(edited, organisation) if edited else {})
        self.organisation, self.edited = organisation, edited
        self.main = MainForm(data, initial=values)
        self.units: FormSet = Units(data, initial=values.get("units"), prefix="units")
        self.steps: FormSet = Steps(data, initial=values.get("steps"), prefix="steps")
        self.hours: FormSet = Hours(data, initial=values.get("hours"), prefix="hours")

    def values(self) -> dict[str, Any] | None:
        """Checked columns of a PriceEntry; None where something is wrong, which the parts then say."""
        lists = (self.units, self.steps, self.hours)
        fine = [self.main.is_valid(), *(one.is_valid() for one in lists)]
        if not all(fine):
            if fine[0]:
                self.main.add_error(None, "Something in the lists below needs a change. Nothing was saved.")
            return None
        values = self._columns()
        for name, sentence in mistakes(values).items():
            field = {"valid_from": "first_day", "valid_to": "last_day"}.get(name, name)
            self.refuse({field if field in self.main.fields else "": sentence})
        return None if self.main.errors else values

    def refuse(self, errors: dict[str, str]) -> None:
        """Say what a field, or with "" the whole, does not allow."""
        for name, sentence in errors.items():
            field = {"valid_from": "first_day", "valid_to": "last_day"}.get(name, name)
            self.main.add_error(field if field in self.main.fields else None, sentence)

    @property
    def reason(self) -> str:
        return str(self.main.cleaned_data.get("reason", ""))

    def _columns(self) -> dict[str, Any]:
        typed = self.main.cleaned_data
        units = {
            one.cleaned_data["name"].strip(): decimal_text(
                one.cleaned_data["price"] / int(one.cleaned_data["per"] or 1)
            )
            for one in self.units.forms
            if one.cleaned_data.get("name")
        }
        return {
            **{name: typed[name] for name in ("provider", "model", "service_tier", "origin_note", *FIELDS)},
            "valid_from": self._starts(),
            "valid_to": self._ends(),
            "units": units,
            "steps": sorted(_rows(self.steps), key=lambda one: int(one["from_input_tokens"])),
            "hours": _rows(self.hours),
        }

    def _starts(self) -> datetime:
        """Midnight of the day; an edited price that began within that day, or long before all days, keeps its start."""
        day, old = self.main.cleaned_data["first_day"], self.edited
        if old is not None and day_of(old.valid_from, self.organisation.zone) == day:
            return old.valid_from
        return day_starts_at(day, self.organisation.zone)

    def _ends(self) -> datetime | None:
        day, old = self.main.cleaned_data["last_day"], self.edited
        if day is None:
            return None
        if old is not None and old.valid_to is not None and _last_day(old.valid_to, self.organisation) == day:
            return old.valid_to
        return day_starts_at(day + DAY, self.organisation.zone)


def _rows(found: FormSet) -> list[dict[str, Any]]:
    return [row for one in found.forms if (row := one.row())]


def _last_day(valid_to: datetime, organisation: Organisation) -> Any:
    return day_of(valid_to - timedelta(microseconds=1), organisation.zone)


def _initial(entry: PriceEntry, organisation: Organisation) -> dict[str, Any]:
    """An entry as it stands in the form."""
    return {
        **{name: getattr(entry, name) for name in ("provider", "model", "service_tier", "origin_note")},
        **prices_typed({name: getattr(entry, name) for name in (*FIELDS, "units", "steps", "hours")}),
        "first_day": day_of(max(entry.valid_from, FAR_PAST), organisation.zone),
        "last_day": _last_day(entry.valid_to, organisation) if entry.valid_to else None,
    }


def prices_typed(values: dict[str, Any]) -> dict[str, Any]:
    """Price columns as the form's fields have them."""
    return {
        **{name: decimal_text(values[name]) for name in FIELDS},
        "units": [_unit(name, each) for name, each in (values["units"] or {}).items()],
        "steps": [{**one, "more": _rest(one, {"from_input_tokens"})} for one in values["steps"] or []],
        "hours": [
            {
                **one,
                "starts": one["from"],
                "ends": one["to"],
                "weekdays": ", ".join(map(str, one.get("weekdays") or [])),
                "besides": ", ".join(one.get("except") or []),
                "more": _rest(one, {"from", "to", "weekdays", "except"}),
            }
            for one in values["hours"] or []
        ],
    }


def _unit(name: str, each: str) -> dict[str, str | None]:
    per = MILLION if name in TOKEN_KINDS else 1
    return {"name": name, "price": decimal_text(Decimal(str(each)) * per), "per": str(per)}


def _rest(part: dict[str, Any], shown: set[str]) -> str:
    rest = {name: value for name, value in part.items() if name not in {*shown, *FIELDS}}
    return json.dumps(rest) if rest else ""


def _object(text: str) -> dict[str, Any]:
    """The JSON object that a hidden field brought back; {} for what is none."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError, InvalidOperation):
        return {}
    return {name: found[name] for name in ("units", "steps") if name in found} if isinstance(found, dict) else {}
