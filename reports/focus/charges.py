"""From what was spent to rows of a FOCUS file. Pure: no models; docs/focus.md has the mapping.

A row is what one workflow used of one meter (uncached input, cached input, cache writing, output, metered units) of
one model on one day; or what another cost comes to in the month. Amounts are US dollars, as the ledger's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from budgets.pages.csv import safe
from reports.chargeback.statement import Owner

NANO = Decimal(10**9)
PRICE = Decimal(1).scaleb(-15)  # decimals of a unit price: an average of the row's calls
UNKNOWN = "Unknown"  # a provider that nobody named; the columns may not be empty
METERS = (
    ("Input tokens", "Tokens"),
    ("Cached input tokens", "Tokens"),
    ("Cache write tokens", "Tokens"),
    ("Output tokens", "Tokens"),
    ("Metered units", "Calls"),
)
# What is bought for a time is a purchase; the specification has words of their own for the rest.
CATEGORY_OF_KIND = {"credit": "Credit", "tax": "Tax"}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period (month) as instants: `starts` belongs to it, `stops` no more. `account` names who pays."""

    starts: datetime
    stops: datetime
    account: str


@dataclass(frozen=True, slots=True)
class Used:
    """What one workflow used of one model on one day. Each of `meters` is (nano-dollars, quantity), in METERS' order.

    `corrects`: it belongs to a month before, which was closed when it came.
    """

    starts: datetime
    stops: datetime
    corrects: bool
    owner: Owner
    provider: str
    model: str
    service_tier: str
    meters: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Beside:
    """What another cost comes to in the period, nano-dollars, and the part of it that it counts on."""

    starts: datetime
    stops: datetime
    owner: Owner
    name: str
    kind: str
    vendor: str
    cost: int


def rows_of(used: Used, period: Period) -> Iterator[Row]:
    """A row for each meter that anything was used of."""
    for (meter, unit), (cost, quantity) in zip(METERS, used.meters, strict=True):
        if not cost and not quantity:
            continue
        yield _common(period, used.owner, used.starts, used.stops, cost, used.provider) | _usage(
            used, meter, unit, cost, quantity
        )


def _usage(used: Used, meter: str, unit: str, cost: int, quantity: int) -> Row:
    # A price that changed after its calls were counted leaves money without use: an adjustment, not usage. Where money
    # and use do not make a price, there is none, and nothing that the specification allows only beside one.
    category = "Usage" if quantity or used.corrects else "Adjustment"
    priced = quantity != 0 and cost * quantity >= 0
    price = (Decimal(cost) / NANO / quantity).quantize(PRICE, ROUND_HALF_EVEN) if priced else None
    sku = f"{used.provider or UNKNOWN}/{used.model}/{meter.lower().replace(' ', '-')}"
    return {
        "ChargeCategory": category,
        "ChargeClass": "Correction" if used.corrects else None,
        "ChargeDescription": f"{meter} of {used.model}",
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": Decimal(quantity) if category == "Usage" else None,
        "ConsumedUnit": unit if category == "Usage" else None,
        "ContractedUnitPrice": price,
        "ListUnitPrice": price,
        "PricingCategory": "Standard" if priced else None,  # published prices, those of batches too
        "PricingQuantity": Decimal(quantity) if priced else None,
        "PricingUnit": unit if priced else None,
        "ServiceName": "Language models",
        "SkuId": sku,
        "SkuMeter": meter,
        "SkuPriceDetails": json.dumps({"x_ServiceTier": used.service_tier}) if priced else None,
        "SkuPriceId": f"{sku}/{used.service_tier}" if priced else None,
        "x_ServiceTier": used.service_tier,
    }


def row_beside(cost: Beside, period: Period) -> Row:
    """The row of another cost."""
    category = CATEGORY_OF_KIND.get(cost.kind, "Purchase")
    row = _common(period, cost.owner, cost.starts, cost.stops, cost.cost, cost.vendor)
    row |= {
        "ChargeCategory": category,
        "ChargeDescription": cost.name,
        "ChargeFrequency": "Recurring" if cost.kind in {"seats", "subscription"} else "One-Time",
        "ServiceName": cost.name,
    }
    if category == "Purchase":
        price = Decimal(cost.cost) / NANO
        sku = f"{cost.vendor or UNKNOWN}/{cost.name}"
        row |= {
            "ContractedUnitPrice": price,
            "ListUnitPrice": price,
            "PricingCategory": "Standard",
            "PricingQuantity": Decimal(1),
            "PricingUnit": "Months",
            "SkuId": sku,
            "SkuMeter": cost.kind.capitalize(),
            "SkuPriceId": sku,
        }
    return row


def _common(period: Period, owner: Owner, starts: datetime, stops: datetime, cost: int, provider: str) -> Row:
    money, name = Decimal(cost) / NANO, provider or UNKNOWN
    return {
        "BilledCost": money,
        "BillingAccountId": "tokenops",
        "BillingAccountName": period.account or None,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": period.stops,
        "BillingPeriodStart": period.starts,
        "ChargePeriodEnd": stops,
        "ChargePeriodStart": starts,
        "ContractedCost": money,
        "EffectiveCost": money,
        "HostProviderName": name,
        "InvoiceIssuerName": name,
        "ListCost": money,
        "ProviderName": name,
        "PublisherName": name,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceProviderName": name,
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": owner.team or None,
        "SubAccountName": owner.team_name or owner.team or None,
        "Tags": _tags(owner),
        "x_CostCentre": owner.cost_centre or None,
        "x_LedgerCode": owner.ledger_code or None,
        "x_WorkflowId": owner.workflow or None,
        "x_WorkflowName": owner.workflow_name or None,
    }


def _tags(owner: Owner) -> str | None:
    named = (("workflow", owner.workflow), ("team", owner.team), ("cost_centre", owner.cost_centre))
    stated = {name: value for name, value in (*named, ("ledger_code", owner.ledger_code)) if value}
    return json.dumps(stated, ensure_ascii=False) if stated else None


def as_text(value: Any) -> str:
    """A value as CSV has it: nothing for none, UTC to the second, plain decimals."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{value.normalize() + 0:f}" if isinstance(value, Decimal) else safe(str(value))


def picked(row: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    """The row's values under these columns."""
    return [row.get(name) for name in names]
