"""The page of outcomes, one run's page, the CSV: what they show, to whom, and setting an outcome by hand."""

import csv
import re
from decimal import Decimal
from io import StringIO

import pytest
from django.utils import timezone

from budgets.models import NANO, AuditEntry, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.pages.amounts import cents
from tests.people import someone
from usage.ledger.check import check_ledger
from usage.models import OutcomeMessage
from usage.tests.events import NOW, price_the_model
from usage.tests.telling import HOUR, call, run, tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def rows(time_machine):
    time_machine.move_to(NOW + 6 * HOUR, tick=False)
    teams = [Team.objects.create(slug=slug, name=slug.title()) for slug in ("brand", "growth")]
    with changing_configuration():
        price_the_model()
        for slug, team in zip(("seo", "ads"), teams, strict=True):
            Workflow.objects.create(slug=slug, name=slug.upper(), team=team, status="production")


@pytest.fixture
def runs(rows):
    """Dear, cheap and reviewed twice; one of another team; one from last month."""
    call("1", "dear", input_tokens=50_000)
    call("2", "cheap", input_tokens=10_000)
    call("3", "twice", input_tokens=11_000)
    call("4", "theirs", workflow="ads", input_tokens=12_000)
    call("5", "old", NOW - 24 * 30 * HOUR, input_tokens=13_000)
    tell("cheap", "approved", reviewer="ann", review_minutes=4)
    tell("twice", "approved", reviewer="ann", now=NOW)
    tell("twice", "rejected", reviewer="ann", now=NOW + HOUR)
    tell("nobody", "shipped")


@pytest.fixture
def boss(client):
    client.force_login(someone("administrator", name="boss", first_name="Bo", last_name="Ss"))
    return client


def names(answer) -> list[str]:
    return re.findall(r'class="row-name" href="/outcomes/\d+/">([^<]+)<', answer.content.decode())


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def lines(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))


def test_before_any_run_it_says_what_outcomes_are_for(boss):
    said = text(boss.get("/outcomes/"))
    assert "No runs yet" in said and "curl -X POST" in said


def test_the_list_is_by_cost_with_and_without_outcome_and_the_csv_has_its_total(boss, runs):
    page = boss.get("/outcomes/")
    assert names(page)[0] == "dear" and set(names(page)) == {"dear", "cheap", "twice", "theirs"}
    said = text(page)
    assert "All runs 4" in said and "Without an outcome 2" in said and "Reviewed twice 1" in said
    assert "1 outcome waits for its run" in said and "nobody" in said
    assert names(boss.get("/outcomes/?outcome=none")) == ["dear", "theirs"]
    assert names(boss.get("/outcomes/?outcome=twice")) == ["twice"]
    assert names(boss.get("/outcomes/?workflow=ads")) == ["theirs"]
    assert names(boss.get("/outcomes/?q=ear")) == ["dear"]
    assert names(boss.get("/outcomes/?period=last-month")) == ["old"]
    for query in ("", "?outcome=none", "?outcome=twice", "?workflow=seo&sort=latest", "?period=last-month"):
        page, rows = boss.get(f"/outcomes/{query}"), lines(boss.get(f"/export/outcomes.csv{query}"))
        assert [row["run_id"] for row in rows] == names(page) != []
        total = sum(Decimal(row["cost"]) for row in rows)
        assert cents(int(total * NANO)) in page.content.decode().split("<tfoot")[1]


def test_the_csv_says_what_is_known_of_each(boss, runs):
    found = {row["run_id"]: row for row in lines(boss.get("/export/outcomes.csv"))}
    assert (found["cheap"]["outcome"], found["cheap"]["reviewer"], found["cheap"]["review_minutes"]) == (
        "approved", "ann", "4.00",
    )  # fmt: skip
    assert (found["dear"]["outcome"], found["dear"]["satisfaction"], found["dear"]["scores"]) == ("", "", "0")
    assert (found["twice"]["reviewed_twice"], found["twice"]["reviews"]) == ("1", "2")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("outcome=best", "“best” is no outcome"),
        ("sort=colour", "cannot be sorted by “colour”"),
        ("workflow=none-such", "There is no workflow “none-such”"),
        ("period=ever", "“ever” is no period"),
        ("period=custom&from=x", "Choose the first and the last day"),
        ("q=%00nothing&page=99&workflow=%00", "No run matches"),
    ],
)
def test_what_an_address_says_that_is_unknown_is_ignored_aloud(boss, runs, query, said):
    answer = boss.get(f"/outcomes/?{query}")
    assert answer.status_code == 200 and said in text(answer)
    assert boss.get(f"/export/outcomes.csv?{query}").status_code == 200


def test_statements_do_not_grow_with_runs(boss, runs, django_assert_num_queries):
    boss.get("/outcomes/")
    with django_assert_num_queries(9):
        boss.get("/outcomes/")
    for n in range(12):
        call(f"more-{n}", f"more-{n}")
        tell(f"more-{n}", "approved")
    with django_assert_num_queries(9):
        boss.get("/outcomes/")


def test_an_outcome_is_set_by_hand_and_undone_and_done_again(boss, runs):
    address = f"/outcomes/{run('dear').pk}/"
    assert "Nobody has said yet" in text(boss.get(address))
    sent = {"outcome": "shipped", "reviewer": "Bo Ss", "review_minutes": "3.5", "satisfaction": "5", "revenue_usd": "9",
            "minutes_saved": "", "cases": "1", "asset": "cms/7", "reason": "By telephone"}  # fmt: skip
    answer = boss.post(address, sent, follow=True)
    assert answer.redirect_chain[0][0] == address
    assert "dear: shipped." in text(answer) and "set here by Bo Ss" in text(answer)
    found = run("dear")
    assert (found.outcome, found.review_minutes, found.revenue, found.cases, found.asset) == (
        "shipped", Decimal("3.5"), 9_000_000_000, 1, "cms/7",
    )  # fmt: skip
    entry = AuditEntry.objects.latest("position")
    assert (entry.act, entry.object_type, entry.reason) == ("set", "usage.outcomemessage", "By telephone")
    told = OutcomeMessage.objects.get(entered_by__username="boss")
    for act, outcome in (("undo", "open"), ("redo", "shipped"), ("undo", "open")):
        answer = boss.post(f"{address}{told.pk}/{act}/", follow=True)
        assert run("dear").outcome == outcome
    assert "taken back" in text(answer)
    assert "taken back already" in text(boss.post(f"{address}{told.pk}/undo/", follow=True))
    assert boss.get("/history/").status_code == 200
    assert check_ledger() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "fine"},
        {"outcome": "approved", "satisfaction": "6"},
        {"outcome": "approved", "review_minutes": "1.234"},
        {"outcome": "approved", "revenue_usd": "-1"},
        {"outcome": "approved", "reviewer": "a\0b"},
        {"outcome": "approved", "cases": "many"},
        {},
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(boss, runs, wrong):
    before = OutcomeMessage.objects.count()
    answer = boss.post(f"/outcomes/{run('dear').pk}/", wrong)
    assert answer.status_code == 422
    assert OutcomeMessage.objects.count() == before


def test_an_outcome_that_is_none_is_refused_with_those_there_are(boss, runs):
    said = text(boss.post(f"/outcomes/{run('dear').pk}/", {"outcome": "fine"}))
    assert "“fine” is no outcome. Use one of: Completed, Approved, Rejected, Sent back, Shipped, Failed." in said


def test_a_team_sees_its_runs_and_its_owner_and_approver_set_them(client, runs):
    brand = Team.objects.get(slug="brand")
    own, theirs = run("dear").pk, run("theirs").pk
    for role, sets in (("viewer", False), ("budget_owner", True), ("approver", True)):
        client.force_login(someone(role, brand))
        assert set(names(client.get("/outcomes/"))) == {"dear", "cheap", "twice"}
        assert {row["workflow"] for row in lines(client.get("/export/outcomes.csv"))} == {"seo"}
        assert client.get(f"/outcomes/{own}/").status_code == 200
        assert client.get(f"/outcomes/{theirs}/").status_code == 404
        assert ("Save outcome" in text(client.get(f"/outcomes/{own}/"))) is sets
        assert client.post(f"/outcomes/{own}/", {"outcome": "approved"}).status_code == (302 if sets else 403)
        assert client.post(f"/outcomes/{theirs}/", {"outcome": "approved"}).status_code == (404 if sets else 403)
    told = OutcomeMessage.objects.filter(run_id="dear").latest("id")
    assert client.post(f"/outcomes/{theirs}/{told.pk}/undo/").status_code == 404
    assert client.post(f"/outcomes/{run('cheap').pk}/{told.pk}/undo/").status_code == 404
    client.logout()
    for path in ("/outcomes/", f"/outcomes/{own}/", "/export/outcomes.csv"):
        assert client.get(path)["Location"].startswith("/sign-in/")


def test_the_company_viewer_is_told_who_may(client, runs):
    client.force_login(someone("viewer"))
    assert "takes the right" in text(client.get("/outcomes/"))
    assert client.post(f"/outcomes/{run('dear').pk}/", {"outcome": "approved"}).status_code == 403


def test_a_run_of_before_its_first_call_is_not_there(boss):
    tell("soon", "approved", now=timezone.now())
    assert "1 outcome waits" in text(boss.get("/outcomes/"))
    assert boss.get("/outcomes/1/").status_code == 404
