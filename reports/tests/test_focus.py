"""FOCUS files: what they hold equals the ledger, they conform, and the checker sees every kind of damage."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from pyarrow import parquet

from budgets.audit.record import Actor
from budgets.models import Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.organisation.edit import close_days, open_days
from reports.chargeback.statement import Owner
from reports.focus.charges import Period, Used, rows_of
from reports.focus.check import problems
from reports.focus.columns import VERSIONS, columns_of
from reports.focus.reading import charges, left_out
from reports.focus.write import csv_lines
from reports.tests.repriced import price_later
from usage.costs.edit import create_costs
from usage.costs.values import CostValues
from usage.models import LedgerEntry, OtherCost
from usage.rollups.fold import fold_all
from usage.rollups.zone import follow_time_zone
from usage.tests.events import an_event, price_the_model, take

pytestmark = pytest.mark.django_db
LATER = datetime(2026, 11, 18, 12, tzinfo=UTC)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
ME = Actor.command("test")


@pytest.fixture
def books(db):
    """Two days of Kathmandu on one of UTC, every meter, a correction, all kinds of other costs, and what is unknown."""
    Organisation.objects.update(time_zone="Asia/Kathmandu", name="Acme")
    follow_time_zone()
    price_the_model()
    with changing_configuration():
        team = Team.objects.create(slug="growth", name="Growth", cost_centre="CC-7")
        Workflow.objects.create(slug="briefs", name="Briefs", team=team, status="production", ledger_code="6401")
    more = {"workflow": "briefs", "cached_input_tokens": 300, "cache_write_tokens": 100}
    take(
        [
            an_event("a", time="2026-11-10T18:00:00Z", **more),
            an_event("b", time="2026-11-10T18:30:00Z", service_tier="batch", **more),
            an_event("c", time="2026-11-10T18:31:00Z", provider="", model="=nobody"),
            an_event("d", time="2026-11-10T18:31:00Z", input_tokens=None, output_tokens=None),
            an_event("e", time="2026-10-10T18:31:00Z", workflow="briefs"),
        ],
        now=LATER,
    )
    for kind, amount in (("seats", 90), ("subscription", 30), ("credit", -12), ("tax", 7), ("other", 3)):
        first, last = date(2026, 10, 15), date(2026, 11, 14)
        create_costs(ME, [CostValues(kind.title(), amount * 10**9, first, last, kind, "USD", "acme", team.pk)])
    close_days(ME, NOVEMBER, "done")
    take([an_event("late", time="2026-10-31T10:00:00Z", workflow="briefs")], now=LATER)
    fold_all()


def file_of(month, version):
    """Header, and rows with None for null."""
    text = "".join(csv_lines(charges(Organisation.get(), month), version))
    header, *rows = csv.reader(io.StringIO(text))
    return header, [[value or None for value in row] for row in rows]


def sum_of(header, rows, column="BilledCost"):
    return sum(Decimal(row[header.index(column)]) for row in rows)


@time_machine.travel(LATER, tick=False)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("month", [OCTOBER, NOVEMBER])
def test_files_conform_and_sum_to_the_ledger(books, month, version):
    header, rows = file_of(month, version)
    assert list(problems(header, rows, version)) == []
    assert header == [one.name for one in columns_of(version)]
    starts = datetime(2026, month.month, 1, tzinfo=Organisation.get().zone)
    stops = datetime(2026, month.month + 1, 1, tzinfo=Organisation.get().zone)
    posted = LedgerEntry.objects.filter(posted_at__gte=starts, posted_at__lt=stops)
    spent = sum(cost or 0 for cost in posted.values_list("cost", flat=True))
    names = [row[header.index("ServiceName")] for row in rows]
    metered = [row for row, name in zip(rows, names, strict=True) if name == "Language models"]
    assert sum_of(header, metered) == Decimal(spent) / 10**9
    beside = [row for row, name in zip(rows, names, strict=True) if name != "Language models"]
    days = 17 if month == OCTOBER else 14
    assert sum_of(header, beside) == pytest.approx(Decimal(118 * days) / 31, abs=Decimal("1e-7"))
    assert OtherCost.objects.count() == len(beside) == 5


@time_machine.travel(LATER, tick=False)
def test_meters_days_and_corrections(books):
    header, rows = file_of(NOVEMBER, "1.4")
    at = {name: header.index(name) for name in header}
    used = [row for row in rows if row[at["ServiceName"]] == "Language models"]
    plain = [row for row in used if row[at["SkuMeter"]] == "Input tokens" and row[at["ChargeClass"]] is None]
    assert [(row[at["ChargePeriodStart"]], row[at["x_ServiceTier"]]) for row in plain] == [
        ("2026-11-09T18:15:00Z", "standard")
    ]  # batch has no price here, nor has the model that nobody knows
    (cached,) = [row for row in used if row[at["SkuMeter"]] == "Cached input tokens"]
    assert (cached[at["PricingQuantity"]], cached[at["ListUnitPrice"]], cached[at["ListCost"]]) == (
        "300", "0.0000002", "0.00006",
    )  # fmt: skip
    late = [row for row in used if row[at["ChargeClass"]] == "Correction"]
    assert {row[at["ChargePeriodStart"]] for row in late} == {"2026-10-30T18:15:00Z"}
    assert {row[at["BillingPeriodStart"]] for row in rows} == {"2026-10-31T18:15:00Z"}
    assert {row[at["x_LedgerCode"]] for row in used} == {"6401"}
    assert {row[at["x_CostCentre"]] for row in used} == {"CC-7"}


@time_machine.travel(LATER, tick=False)
def test_the_page_says_what_is_missing_and_gives_both_forms(books, client, tmp_path, capsys):
    client.force_login(User.objects.create_superuser("lena"))
    page = client.get(reverse("focus"), {"month": "2026-11"}).content.decode()
    assert "2 calls without a price and 1 without token counts are not in the files" in page
    assert "already closed" in page or "still runs" in page
    as_csv = client.get(reverse("focus-file", args=["1.4", NOVEMBER, "csv"]))
    text = b"".join(as_csv.streaming_content)
    binary = client.get(reverse("focus-file", args=["1.4", NOVEMBER, "parquet"]))
    body = b"".join(binary.streaming_content)
    table = parquet.read_table(io.BytesIO(body))
    assert table.schema.metadata[b"FocusVersion"] == b"1.4"
    header, *rows = csv.reader(io.StringIO(text.decode()))
    assert table.column_names == header
    assert table.num_rows == len(rows) > 8
    assert sum(table["BilledCost"].to_pylist()) == sum_of(header, rows)
    for name, content in (("f.csv", text), ("f.parquet", body)):
        (tmp_path / name).write_bytes(content)
        call_command("check_focus", str(tmp_path / name))
        assert "Conforms." in capsys.readouterr().out
    (tmp_path / "f.csv").write_text("BilledCost\nmuch\n")
    with pytest.raises(CommandError):
        call_command("check_focus", str(tmp_path / "f.csv"))
    (tmp_path / "g.parquet").write_text("no")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("check_focus", str(tmp_path / "g.parquet"))
    for version, month, form in (("1.0", "2026-11", "csv"), ("1.4", "2026-12", "csv"), ("1.4", "2026-11", "xml")):
        assert client.get(f"/export/focus/{version}/{month}.{form}").status_code == 404


@time_machine.travel(LATER, tick=False)
def test_a_call_that_got_its_price_later_stands_with_its_tokens(books):
    take([an_event("f", time="2026-11-11T10:00:00Z", workflow="briefs", model="new-model")], now=LATER)
    fold_all()
    assert left_out(Organisation.get(), NOVEMBER).unpriced == 3
    price_later("new-model")
    assert left_out(Organisation.get(), NOVEMBER).unpriced == 2
    header, rows = file_of(NOVEMBER, "1.4")
    at = {name: header.index(name) for name in header}
    mine = {row[at["SkuMeter"]]: row for row in rows if (row[at["SkuId"]] or "").find("new-model") >= 0}
    assert {
        meter: (row[at["ChargeCategory"]], row[at["PricingQuantity"]], row[at["ListUnitPrice"]])
        for meter, row in mine.items()
    } == {"Input tokens": ("Usage", "1000", "0.000002"), "Output tokens": ("Usage", "100", "0.00001")}
    assert list(problems(header, rows, "1.4")) == []


@time_machine.travel(LATER, tick=False)
def test_a_price_for_a_closed_month_is_money_alone_and_hides_no_call(books):
    open_days(ME, None, "One more call")
    take([an_event("h", time="2026-10-20T10:00:00Z", workflow="briefs", model="newer")], now=LATER)
    fold_all()
    close_days(ME, NOVEMBER, "done")
    before = file_of(OCTOBER, "1.4")
    price_later("newer")
    assert [left_out(Organisation.get(), month).unpriced for month in (OCTOBER, NOVEMBER)] == [1, 2]
    assert file_of(OCTOBER, "1.4") == before
    header, rows = file_of(NOVEMBER, "1.4")
    assert list(problems(header, rows, "1.4")) == []
    at = {name: header.index(name) for name in header}
    late = [row for row in rows if "newer" in (row[at["SkuId"]] or "")]
    assert {row[at["BilledCost"]] for row in late} == {"0.002", "0.001"}
    assert {(row[at["ChargeClass"]], row[at["SkuPriceId"]]) for row in late} == {("Correction", None)}


def test_the_header_leaves_before_anything_is_read():
    def read():
        raise AssertionError
        yield {}

    assert next(csv_lines(read(), "1.4")).startswith("BilledCost,BillingAccountId")


@time_machine.travel(LATER, tick=False)
def test_no_file_of_a_month_whose_calls_are_not_there_any_more(books, client):
    # Kathmandu's October begins on 30 September 18:15 UTC.
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO usage_detached_month (month, row_count) VALUES ('2026-09-01', 5)")
    client.force_login(User.objects.create_superuser("lena"))
    for month, status in ((OCTOBER, 404), (NOVEMBER, 200)):
        assert client.get(reverse("focus-file", args=["1.4", month, "csv"])).status_code == status
        page = client.get(reverse("focus"), {"month": f"{month:%Y-%m}"}).content.decode()
        assert ("There are no files of this month" in page, ".parquet" in page) == (status == 404, status == 200)


@pytest.mark.parametrize(("cost", "quantity", "price"), [(-600, -300, "0.000000002"), (600, 0, None), (5, -3, None)])
def test_money_and_use_that_make_no_price(cost, quantity, price):
    now = datetime(2026, 11, 2, tzinfo=UTC)
    used = Used(now, now, True, Owner(), "p", "m", "batch", ((cost, quantity), *[(0, 0)] * 4))
    (row,) = rows_of(used, Period(now, now, "Acme"))
    assert row["PricingCategory"] == (price and "Standard")
    for name in ("ListUnitPrice", "ContractedUnitPrice"):
        assert row[name] == (price and Decimal(price))
    for name in ("SkuPriceId", "SkuPriceDetails", "PricingQuantity", "PricingUnit"):
        assert (row[name] is None) == (price is None), name
    assert row["SkuId"] == "p/m/input-tokens"


GOOD = {
    "BilledCost": "2", "BillingAccountId": "a", "BillingCurrency": "USD", "BillingPeriodEnd": "2026-12-01T00:00:00Z",
    "BillingPeriodStart": "2026-11-01T00:00:00Z", "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based",
    "ChargePeriodEnd": "2026-11-03T00:00:00Z", "ChargePeriodStart": "2026-11-02T00:00:00Z", "ConsumedQuantity": "4",
    "ConsumedUnit": "Tokens", "ContractedCost": "2", "ContractedUnitPrice": "0.5", "EffectiveCost": "2",
    "HostProviderName": "acme", "InvoiceIssuerName": "acme", "ListCost": "2", "ListUnitPrice": "0.5",
    "PricingCategory": "Standard", "PricingQuantity": "4", "PricingUnit": "Tokens",
    "ServiceCategory": "AI and Machine Learning", "ServiceName": "m", "ServiceProviderName": "acme",
    "ServiceSubcategory": "Generative AI", "SkuId": "s", "SkuMeter": "m", "SkuPriceId": "s/p",
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("BilledCost", None), ("BilledCost", "1,5"), ("BilledCost", ""), ("BillingAccountId", "NULL"),
        ("BillingCurrency", "usd"), ("BillingPeriodEnd", "2026-11-01"), ("ChargePeriodEnd", "2026-11-31T00:00:00Z"),
        ("ChargePeriodEnd", "2026-11-02T00:00:00Z"), ("ChargePeriodStart", "2026-10-02T00:00:00Z"),
        ("ChargeCategory", "Use"), ("ChargeCategory", "Tax"), ("ChargeCategory", "Credit"), ("ChargeClass", "Other"),
        ("ChargeFrequency", "Sometimes"), ("ConsumedQuantity", None), ("ConsumedUnit", "tokens"), ("ListCost", "3"),
        ("ContractedUnitPrice", "-1"), ("ListUnitPrice", None), ("PricingCategory", "Cheap"), ("PricingUnit", None),
        ("ServiceCategory", "Wonders"), ("SkuPriceId", None), ("SkuId", None), ("SubAccountName", "Growth"),
        ("SkuPriceDetails", "[1]"), ("Tags", '{"a": {"b": 1}}'), ("SkuPriceDetails", "{"),
        ("ChargeCategory", "Purchase"),
    ],
)  # fmt: skip
def test_the_checker_sees_each_damage(column, value):
    header = [one.name for one in columns_of("1.4")]
    good = [GOOD.get(name) for name in header]
    assert list(problems(header, [good], "1.4")) == []
    bad = [value if name == column else GOOD.get(name) for name in header]
    assert [one.row for one in problems(header, [bad], "1.4")]


def test_the_checker_sees_a_damaged_header():
    header = [one.name for one in columns_of("1.2")]
    assert [one.column for one in problems(header[1:], [], "1.2")] == ["BilledCost"]
    assert "ProviderName" in {one.column for one in problems(header, [], "1.4")}
    assert next(one.column for one in problems([*header, "Mine"], [], "1.2")) == "Mine"
    assert list(problems([*header, "x_Mine"], [], "1.2")) == []
    assert [one.sentence for one in problems(["x_Mine", *header], [], "1.2")] == [
        "own columns come after those of FOCUS"
    ]
    assert [one.row for one in problems(header, [["1"]], "1.2")] == [1]
