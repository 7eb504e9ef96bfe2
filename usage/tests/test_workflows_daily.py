"""A workflow's days by model: chart, legend and table come to the same; five models and all others."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from budgets.models import NANO, Organisation, Workflow
from usage.tests.test_workflows_pages import used
from usage.workflows.reading import Month
from usage.workflows.spending import daily_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 4, 9, tzinfo=UTC)


@pytest.fixture
def flow() -> Workflow:
    made = Workflow.objects.create(slug="briefs", name="Briefs", status="draft")
    for n in range(7):
        for day in (1, 3):
            used(made, (7 - n) * NANO * day + n, model=f"model-{n}", when=NOW - timedelta(days=day))
    used(made, 50 * NANO, model="model-6", when=NOW)
    return made


@time_machine.travel(NOW, tick=False)
def test_five_models_and_all_others_by_complete_days(flow: Workflow) -> None:
    found = daily_of(flow, Organisation.get(), Month.of(Organisation.get(), NOW))
    assert found is not None
    assert [(one.name, one.slot) for one in found.series] == [
        *((f"model-{n}", n + 1) for n in range(5)), ("Other", 6),
    ]  # fmt: skip
    assert [when.day for when, _, _ in found.rows] == [3, 2, 1]
    assert [whole.cost for _, _, whole in found.rows] == [28 * NANO + 21, 0, 84 * NANO + 21]
    assert found.series[5].total == (1 + 2) * 4 * NANO + 2 * (5 + 6)
    assert [one["values"] for one in found.chart["series"]][5] == [9.0, 0.0, 3.0]


@time_machine.travel(NOW, tick=False)
def test_the_page_has_totals_and_a_table_beside_the_chart(flow: Workflow, admin_client: Client) -> None:
    page = admin_client.get("/workflows/briefs/").content.decode()
    assert "model-0 <span>$28</span>" in page and "Other <span>$12</span>" in page
    assert page.count("Tue 3 Nov") >= 2 and ">84.00</td>" in page
    assert "Tue 3 Nov" in admin_client.get("/series/workflows/briefs.json").json()["full"]


@time_machine.travel(NOW, tick=False)
def test_a_day_without_a_price_is_not_a_day_without_a_cost(flow: Workflow, admin_client: Client) -> None:
    used(flow, 0, calls=2, unpriced=2, model="mystery", when=NOW - timedelta(days=2))
    used(flow, 0, calls=1, unmeasured=1, model="model-0", when=NOW - timedelta(days=2))
    found = daily_of(flow, Organisation.get(), Month.of(Organisation.get(), NOW))
    assert found is not None and [one.name for one in found.series][-1] == "Other"
    line = admin_client.get("/workflows/briefs/").content.decode().partition(">Mon 2 Nov</th>")[2].partition("</tr>")[0]
    assert [cell.partition("<")[0] for cell in line.split('class="n">')[1:]] == [
        "not known", *["0.00"] * 4, "no price yet", "no price yet",
    ]  # fmt: skip


@time_machine.travel(NOW.replace(day=1), tick=False)
def test_on_the_first_day_of_a_month_nothing_is_drawn(flow: Workflow, admin_client: Client) -> None:
    assert daily_of(flow, Organisation.get(), Month.of(Organisation.get(), NOW.replace(day=1))) is None
    assert admin_client.get("/series/workflows/briefs.json").json() == {}
