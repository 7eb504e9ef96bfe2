"""The columns of a FOCUS file: names, types and whether they may be empty, by version of the specification. Pure.

From the "Cost and Usage" dataset of the FinOps Open Cost and Usage Specification, 1.2 and 1.4. Columns that only data
with commitments, capacity reservations, regions, provisioned resources, split allocations or invoices has are left
out, as the specification says for who has none of these.
"""

from dataclasses import dataclass

VERSIONS = ("1.4", "1.2")
TEXT, MONEY, TIME, JSON = "text", "decimal", "time", "json"


@dataclass(frozen=True, slots=True)
class Column:
    """`nullable`: whether a row may leave it empty. `versions`: those that know it."""

    name: str
    type: str
    nullable: bool
    versions: tuple[str, ...] = VERSIONS


# In the order of the alphabet, as the specification shows them; our own come last and begin with x_.
COLUMNS = (
    Column("BilledCost", MONEY, False),
    Column("BillingAccountId", TEXT, False),
    Column("BillingAccountName", TEXT, True),
    Column("BillingCurrency", TEXT, False),
    Column("BillingPeriodEnd", TIME, False),
    Column("BillingPeriodStart", TIME, False),
    Column("ChargeCategory", TEXT, False),
    Column("ChargeClass", TEXT, True),
    Column("ChargeDescription", TEXT, True),
    Column("ChargeFrequency", TEXT, False),
    Column("ChargePeriodEnd", TIME, False),
    Column("ChargePeriodStart", TIME, False),
    Column("ConsumedQuantity", MONEY, True),
    Column("ConsumedUnit", TEXT, True),
    Column("ContractedCost", MONEY, False),
    Column("ContractedUnitPrice", MONEY, True),
    Column("EffectiveCost", MONEY, False),
    Column("HostProviderName", TEXT, False, ("1.4",)),
    Column("InvoiceIssuerName", TEXT, False),
    Column("ListCost", MONEY, False),
    Column("ListUnitPrice", MONEY, True),
    Column("PricingCategory", TEXT, True),
    Column("PricingQuantity", MONEY, True),
    Column("PricingUnit", TEXT, True),
    Column("ProviderName", TEXT, False, ("1.2",)),
    Column("PublisherName", TEXT, False, ("1.2",)),
    Column("ServiceCategory", TEXT, False),
    Column("ServiceName", TEXT, False),
    Column("ServiceProviderName", TEXT, False, ("1.4",)),
    Column("ServiceSubcategory", TEXT, False),
    Column("SkuId", TEXT, True),
    Column("SkuMeter", TEXT, True),
    Column("SkuPriceDetails", JSON, True),
    Column("SkuPriceId", TEXT, True),
    Column("SubAccountId", TEXT, True),
    Column("SubAccountName", TEXT, True),
    Column("Tags", JSON, True),
    Column("x_CostCentre", TEXT, True),
    Column("x_LedgerCode", TEXT, True),
    Column("x_ServiceTier", TEXT, True),
    Column("x_WorkflowId", TEXT, True),
    Column("x_WorkflowName", TEXT, True),
)


def columns_of(version: str) -> tuple[Column, ...]:
    """Those of one version, in the order of its files. KeyError for a version that is not made."""
    if version not in VERSIONS:
        raise KeyError(version)
    return tuple(one for one in COLUMNS if version in one.versions)
