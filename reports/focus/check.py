"""Whether a table conforms to FOCUS: every rule of the specification that our columns can break. Pure.

Rules are those of the "Cost and Usage" dataset and of the attributes (null, date, numeric, currency, key-value and
column handling), versions 1.2 and 1.4. A value is None, or text as CSV has it.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from reports.focus.columns import JSON, MONEY, TIME, Column, columns_of

CATEGORIES = {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}
FREQUENCIES = {"One-Time", "Recurring", "Usage-Based"}
PRICING = {"Standard", "Dynamic", "Committed", "Other"}
SERVICES = {
    "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
    "Multicloud", "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration",
    "Mobile", "Networking", "Security", "Storage", "Web", "Other",
}  # fmt: skip
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?\Z")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
UNIT = re.compile(r"[A-Z][A-Za-z]*( [A-Za-z]+)*\Z")
OWN = re.compile(r"x_[A-Z][A-Za-z0-9]*\Z")
# Each may only stand where the other does.
BESIDE = (
    ("SubAccountName", "SubAccountId"), ("SkuMeter", "SkuId"), ("SkuPriceDetails", "SkuPriceId"),
    ("PricingQuantity", "SkuPriceId"), ("PricingCategory", "SkuPriceId"), ("ListUnitPrice", "SkuPriceId"),
    ("ContractedUnitPrice", "SkuPriceId"),
)  # fmt: skip
PRODUCT = Decimal("0.00001")  # dollars a row's price times quantity may differ by: the price is rounded
Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong where. `row` counts from 1, without the header; 0 is the table itself."""

    row: int
    column: str
    sentence: str


def problems(header: Sequence[str], rows: Iterable[Sequence[str | None]], version: str) -> Iterator[Problem]:
    """Everything in which the table does not conform to `version` ("1.2" or "1.4")."""
    wanted = {one.name: one for one in columns_of(version)}
    yield from _header(header, wanted)
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            yield Problem(number, "", f"has {len(row)} values for {len(header)} columns")
            continue
        values = dict(zip(header, row, strict=True))
        for name, value in values.items():
            if name in wanted:
                yield from (Problem(number, name, said) for said in _value(wanted[name], value))
        for column, said in _row(values):
            yield Problem(number, column, said)


def _header(header: Sequence[str], wanted: Mapping[str, Column]) -> Iterator[Problem]:
    for name in wanted:
        if name not in header and not name.startswith("x_"):
            yield Problem(0, name, "is missing")
    for name in header:
        if header.count(name) > 1:
            yield Problem(0, name, "is there more than once")
        if name not in wanted and not OWN.match(name):
            yield Problem(0, name, "is no column of FOCUS, and own ones begin with x_")
    own = [name.startswith("x_") for name in header]
    if own != sorted(own):
        yield Problem(0, "", "own columns come after those of FOCUS")


def _value(column: Column, value: str | None) -> Iterator[str]:
    if value is None or value == "":
        if value == "":
            yield "is empty text instead of null"
        elif not column.nullable:
            yield "is null"
        return
    if value.strip().upper() == "NULL":
        yield "is a word instead of null"
    if column.type == MONEY and not NUMBER.match(value):
        yield f"“{value}” is no plain number"
    elif column.type == TIME and not _is_instant(value):
        yield f"“{value}” is no instant in UTC to the second"
    elif column.type == JSON and not _is_object(value):
        yield "is no JSON object with plain values"


def _is_instant(value: str) -> bool:
    if not INSTANT.match(value):
        return False
    try:
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def _is_object(value: str) -> bool:
    try:
        found = json.loads(value)
    except ValueError:
        return False
    return isinstance(found, dict) and all(not isinstance(one, dict | list) for one in found.values())


def _number(values: Values, name: str) -> Decimal | None:
    try:
        return Decimal(values.get(name) or "")
    except InvalidOperation:
        return None


def _row(values: Values) -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield from rule(values)


def _words(values: Values) -> Iterator[tuple[str, str]]:
    for name, allowed in (
        ("ChargeCategory", CATEGORIES),
        ("ChargeClass", {"Correction"}),
        ("ChargeFrequency", FREQUENCIES),
        ("PricingCategory", PRICING),
        ("ServiceCategory", SERVICES),
    ):
        if (value := values.get(name)) is not None and value not in allowed:
            yield name, f"“{value}” is not among the allowed values"
    currency = values.get("BillingCurrency")
    if currency is not None and not re.fullmatch(r"[A-Z]{3}", currency):
        yield "BillingCurrency", f"“{currency}” is no currency code"
    for name in ("ConsumedUnit", "PricingUnit"):
        if (unit := values.get(name)) is not None and not UNIT.match(unit):
            yield name, f"“{unit}” is not written as a unit"


def _periods(values: Values) -> Iterator[tuple[str, str]]:
    for name in ("BillingPeriod", "ChargePeriod"):
        starts, ends = values.get(f"{name}Start") or "", values.get(f"{name}End") or ""
        if starts and ends and starts >= ends:
            yield f"{name}End", "is not after its start"
    charged, billed = values.get("ChargePeriodStart") or "", values.get("BillingPeriodStart") or ""
    if charged and billed and charged < billed and values.get("ChargeClass") != "Correction":
        yield "ChargePeriodStart", "lies before the billing period, and the row is no correction"


def _nulls(values: Values) -> Iterator[tuple[str, str]]:
    category, correction = values.get("ChargeCategory"), values.get("ChargeClass") == "Correction"
    priced = ("PricingQuantity", "PricingUnit", "PricingCategory", "SkuId", "SkuPriceId", "ListUnitPrice")
    for name in (*priced, "ContractedUnitPrice", "SkuMeter"):
        if category == "Tax" and values.get(name) is not None:
            yield name, "is not null for a tax"
        if category in {"Usage", "Purchase"} and not correction and values.get(name) is None:
            yield name, f"is null for {category}"
    for name in ("ConsumedQuantity", "ConsumedUnit"):
        if category == "Usage" and not correction and values.get(name) is None:
            yield name, "is null for Usage"
        if category != "Usage" and not correction and values.get(name) is not None:
            yield name, f"is not null for {category}"
    for one, other in BESIDE:
        if values.get(other) is None and values.get(one) is not None:
            yield one, f"is not null though {other} is"
    for one, other in (("ConsumedUnit", "ConsumedQuantity"), ("PricingUnit", "PricingQuantity")):
        if (values.get(one) is None) != (values.get(other) is None):
            yield one, f"and {other} are null together or not at all"
    if category == "Purchase" and values.get("ChargeFrequency") == "Usage-Based":
        yield "ChargeFrequency", "is Usage-Based for a purchase"


def _amounts(values: Values) -> Iterator[tuple[str, str]]:
    correction = values.get("ChargeClass") == "Correction"
    quantity = _number(values, "PricingQuantity")
    for price_name, cost_name in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
        price, cost = _number(values, price_name), _number(values, cost_name)
        if price is not None and price < 0:
            yield price_name, "is below zero"
        if price is None or quantity is None or cost is None or correction:
            continue
        if abs(price * quantity - cost) > PRODUCT:
            yield cost_name, f"is not {price_name} times PricingQuantity"
    cost = _number(values, "BilledCost")
    if values.get("ChargeCategory") == "Credit" and cost is not None and cost > 0 and not correction:
        yield "BilledCost", "is above zero for a credit"


RULES: tuple[Callable[[Values], Iterator[tuple[str, str]]], ...] = (_words, _periods, _nulls, _amounts)
