"""Currency rates from CSV: a line for each day and currency, or the ECB's table with a column for each currency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from babel.core import get_global

from budgets.audit.record import Actor
from budgets.currency.rates import EIGHTH, RateValues, RefusedRate, validate
from budgets.models import CurrencyRate, Organisation
from usage.imports.cells import day_in
from usage.imports.kind import THERE, Column, Kind, Known, LineError, Option, Written
from usage.models import Import, ImportedObject, OtherCost
from usage.rates.bringing import OBJECT_TYPE, bring_rates, known_rates, take_back

DAY, CURRENCY, RATE, SOURCE = "day", "currency", "rate", "source"
ECB = "ecb"
FEWEST = 3  # currencies that make a header the ECB's table


@dataclass(slots=True)
class Prepared:
    """`wanted`: currencies to take from the table; none: all. `seen`: what the file stated before."""

    is_table: bool
    wanted: frozenset[str]
    seen: set[tuple[str, date]] = field(default_factory=set)


def recognise(header: Sequence[str]) -> Known | None:
    """The ECB's eurofxref-hist: Date, then a column for each currency, units for one euro."""
    headings = [one.strip().upper() for one in header]
    codes = [one for one in headings if one in get_global("all_currencies")]
    if "DATE" not in headings or "USD" not in codes or len(codes) < FEWEST:
        return None
    return Known(
        ECB,
        "Reference rates of the European Central Bank",
        "Rates are for one euro; they are converted to one US dollar by the dollar’s own rate of the same day.",
        (
            Option(
                "currencies",
                "Which currencies",
                "Codes with spaces or commas between, EUR among them. Empty: those that are in use here.",
            ),
        ),
    )


def prepare(run: Import) -> Prepared:
    """Three statements at most."""
    is_table = run.options.get("known") == ECB
    text = str(run.options.get("currencies") or "").upper().replace(",", " ")
    return Prepared(is_table, frozenset(text.split()) or (_in_use() if is_table else frozenset()))


def _in_use() -> frozenset[str]:
    """The currency shown, those of other costs, those that have rates; none: everything the table has."""
    used = {Organisation.get().currency}
    used.update(OtherCost.objects.order_by().values_list("currency", flat=True).distinct())
    used.update(CurrencyRate.objects.order_by().values_list("currency", flat=True).distinct())
    return frozenset(used - {"USD"})


def read(line: Mapping[str, str], prepared: Prepared) -> list[RateValues] | None:
    """The line's rates; None where it has none that is wanted. Raises LineError."""
    found = _table_line(line, prepared) if prepared.is_table else [_plain_line(line)]
    for one in found:
        key = (one.currency, one.day)
        if key in prepared.seen:
            raise LineError(DAY, f"{one.currency} on {one.day} was stated before in this file.")
        prepared.seen.add(key)
    return found or None


def _plain_line(line: Mapping[str, str]) -> RateValues:
    values = RateValues(
        line.get(CURRENCY, "").strip().upper(),
        day_in(line, DAY),
        _number(line.get(RATE, ""), RATE),
        line.get(SOURCE, ""),
    ).tidied()
    for name, sentence in validate(values).items():
        raise LineError({"per_dollar": RATE}.get(name, name), sentence)
    return values


def _table_line(line: Mapping[str, str], prepared: Prepared) -> list[RateValues]:
    cells = {heading.strip().upper(): value.strip() for heading, value in line.items()}
    day, dollars = day_in({DAY: cells.get("DATE", "")}, DAY), cells.get("USD", "")
    if not _is_stated(dollars):
        raise LineError("USD", "Without the dollar’s rate nothing of this day can be converted.")
    per_euro = _number(dollars, "USD")
    if per_euro <= 0:
        raise LineError("USD", "A rate is above zero.")
    codes = ["EUR", *(code for code in cells if code in get_global("all_currencies") and code not in {"USD", "EUR"})]
    found = []
    for code in codes:
        stated = "1" if code == "EUR" else cells[code]
        if (prepared.wanted and code not in prepared.wanted) or not _is_stated(stated):
            continue
        rate = (_number(stated, code) / per_euro).quantize(EIGHTH, ROUND_HALF_EVEN)
        values = RateValues(code, day, rate, "ECB")
        for sentence in validate(values).values():
            raise LineError(code, sentence)
        found.append(values)
    return found


def _is_stated(text: str) -> bool:
    return text.upper() not in {"", "N/A", "-"}


def _number(text: str, column: str) -> Decimal:
    try:
        found = Decimal(text.strip())
    except ArithmeticError:
        found = Decimal("NaN")
    if not found.is_finite() or abs(found.adjusted()) > 20:
        raise LineError(column, f"“{text[:40]}” is not a number.")
    return found


def judge(values: Sequence[list[RateValues]], prepared: Prepared) -> Sequence[str | LineError | None]:
    """Lines all of whose rates are there with the same number. One statement."""
    known = known_rates([(one.currency, one.day) for line in values for one in line])

    def is_there(one: RateValues) -> bool:
        row = known.get((one.currency, one.day))
        return row is not None and row.per_dollar == one.per_dollar

    return [THERE if all(map(is_there, line)) else None for line in values]


def write(actor: Actor, values: Sequence[list[RateValues]], run: Import) -> Written:
    """All rates of the chunk, and other costs converted by them."""
    flat = [one for line in values for one in line]
    try:
        new, _ = bring_rates(actor, flat, _mark(run))
    except RefusedRate as error:
        return Written(errors=[(index, LineError("", str(error))) for index in range(len(values))])
    return Written(good=len(values), made=[(OBJECT_TYPE, row.pk) for row in new])


def undo(actor: Actor, run: Import) -> str:
    """Everything that nobody changed since."""
    made = list(
        ImportedObject.objects.filter(imported_by=run, object_type=OBJECT_TYPE).values_list("object_id", flat=True)
    )
    try:
        done, kept = take_back(actor, made, _mark(run))
    except RefusedRate as error:
        return f"Nothing was taken back. {error}"
    rest = f" {kept} had been changed since and stay." if kept else ""
    return f"{done} rate{' is' if done == 1 else 's are'} as before.{rest}"


def _mark(run: Import) -> str:
    return f"Import {run.pk} of {run.file_name}"[:480]


def summary(values: Sequence[list[RateValues]]) -> Sequence[tuple[str, str]]:
    flat: list[Any] = [one for line in values for one in line]
    if not flat:
        return ()
    codes, days = sorted({one.currency for one in flat}), [one.day for one in flat]
    shown = ", ".join(codes[:12]) + (f" and {len(codes) - 12} more" if len(codes) > 12 else "")
    return (("Currencies", shown), ("Days", f"{min(days)} to {max(days)}"), ("Rates", f"{len(flat):,}"))


KIND = Kind(
    key="rates",
    title="Currency rates",
    noun="rate",
    columns=(
        Column(
            DAY, "Day", "From which the rate holds", required=True, aliases=("date", "from", "valid_from"), type="day"
        ),
        Column(CURRENCY, "Currency", "A code such as EUR", required=True, aliases=("code", "currency_code", "iso")),
        Column(
            RATE,
            "Rate",
            "How much of it one US dollar buys",
            required=True,
            aliases=("per_dollar", "value", "exchange_rate", "fx"),
            type="number",
        ),
        Column(SOURCE, "Where it is from", "Kept beside the rate", aliases=("origin", "provider")),
    ),
    read=read,
    write=write,
    prepare=prepare,
    judge=judge,
    summary=summary,
    undo=undo,
    recognise=recognise,
    permission="budgets.change_currencyrate",
    example="day,currency,rate,source\n2026-11-02,EUR,0.92,Bank\n2026-11-02,JPY,151.3,Bank\n",
    about="What one US dollar buys, by day; also the table of the European Central Bank.",
)
