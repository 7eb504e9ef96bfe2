"""What has no price yet, on the pages and files of workflows and teams: never nothing."""

import re

import pytest
from django.utils import timezone

from budgets.models import Team, Workflow
from usage.models import Run
from usage.rollups.days import make_days_anew
from usage.tests.test_workflows_pages import rows_of, text, used

pytestmark = pytest.mark.django_db


@pytest.fixture
def flows() -> dict[str, Workflow]:
    team = Team.objects.create(slug="growth", name="Growth")
    seo = Workflow.objects.create(slug="seo", name="SEO", status="production", team=team)
    return {"seo": seo, "stray": Workflow.objects.create(slug="stray", name="STRAY", status="discovered")}


def test_spend_without_a_price_is_never_nothing(admin_client, flows):
    used(flows["stray"], 0, calls=4, unpriced=4, model="mystery")
    for address in ("/workflows/?status=discovered&q=stray", "/workflows/unassigned/?q=stray"):
        page = admin_client.get(address).content.decode()
        cells = re.findall(r'data-label="Spent" class="n">([^<]*)', page)
        assert cells and set(cells) == {"no price yet"}, address
    page = text(admin_client.get("/workflows/stray/"))
    assert "is not known yet" in page and "$0" not in page and page.count("no price yet") == 3
    assert "No price yet for 4 calls that nobody answers for" in text(admin_client.get("/workflows/unassigned/"))
    assert "Its 4 calls, no price yet , will count" in text(admin_client.get("/workflows/stray/merge/?into=seo"))
    used(flows["seo"], 0, calls=2, unpriced=2, model="mystery", team="growth")
    Run.objects.create(
        workflow_id=flows["seo"].pk, run_id="r", first_call=timezone.now(), last_call=timezone.now(), cost=0, calls=2,
        unpriced=2, outcome="approved",
    )  # fmt: skip
    make_days_anew("UTC")
    for address in ("/workflows/?q=seo", "/workflows/seo/"):
        assert re.search(r"no price yet 1 approved", text(admin_client.get(address))), address
    assert 'class="n">no price yet</td>' in admin_client.get("/settings/teams/").content.decode()
    assert rows_of(admin_client.get("/export/teams.csv"))[0]["spent"] == ""
    for name in ("workflows.csv?q=stray&status=all", "workflows/stray.csv"):
        (line,) = rows_of(admin_client.get(f"/export/{name}"))
        assert (line["spent"], line["calls_without_price"]) == ("", "4"), name
