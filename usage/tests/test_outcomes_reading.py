"""Reading outcomes over HTTP: one run with all that was said, the list with its filters, who sees what."""

import csv
from io import StringIO

import pytest
from django.test import Client

from budgets.access import directory
from budgets.access.keys import make_key
from budgets.models import Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.merge import merge_workflow
from tests.people import someone
from usage.tests.events import NOW, price_the_model
from usage.tests.imports_made import ME
from usage.tests.telling import HOUR, call, tell

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/api/v1/outcomes"


@pytest.fixture(autouse=True)
def runs(time_machine):
    time_machine.move_to(NOW + 6 * HOUR, tick=False)
    teams = [Team.objects.create(slug=slug, name=slug.title()) for slug in ("brand", "growth")]
    with changing_configuration():
        price_the_model()
        for slug, team in zip(("seo", "ads"), teams, strict=True):
            Workflow.objects.create(slug=slug, name=slug.upper(), team=team, status="production")
    call("1", "dear", input_tokens=50_000)
    call("2", "said/all", input_tokens=10_000)
    call("3", "theirs", workflow="ads", input_tokens=12_000)
    call("4", "no price", model="nobody-knows")
    call("5", "old", NOW - 24 * 30 * HOUR, input_tokens=13_000)
    tell("said/all", "reworked", reviewer="ann", review_minutes=4, satisfaction=2, now=NOW, id="m-1")
    tell("said/all", "approved", reviewer="ann", revenue_usd="0", misrouted=False, now=NOW + HOUR)
    tell("to come", "shipped", cases=2)


def reader(**limits: list[str]) -> str:
    plain = make_key("reader", ["read"], **limits)[1]
    directory.directory().load()
    return f"Bearer {plain}"


def get(address: str, key: str | None = None, status: int = 200):
    answer = Client().get(address, headers={"authorization": key or reader()})
    assert answer.status_code == status, answer.content
    assert status == 200 or answer["Content-Type"] == "application/problem+json"
    return answer.json()


def test_a_run_is_read_as_it_was_said_and_what_nobody_said_is_null():
    found = get("/api/v1/runs/said/all/outcome?workflow=seo")
    messages = found.pop("messages")
    assert found == {
        "workflow": "seo", "run_id": "said/all", "outcome": "approved", "last_call": "2026-11-18T12:00:00Z",
        "counts_at": "2026-11-18T12:00:00Z", "calls": 1, "cost": "0.021", "reviewer": "ann", "reviews": 2,
        "reviewed_twice": 0, "reworks": 1, "review_minutes": "4.00", "satisfaction": "2.00", "scores": 1,
        "misrouted": False, "revenue_usd": "0", "minutes_saved": None, "cases": None, "asset": "",
    }  # fmt: skip
    assert [(one["outcome"], one["id"], one["misrouted"], one["revenue_usd"]) for one in messages] == [
        ("approved", "", False, "0"), ("reworked", "m-1", None, None),
    ]  # fmt: skip
    assert all(one["applied"] and one["source"] and not one["is_duplicate"] for one in messages)
    nothing = get("/api/v1/runs/dear/outcome?workflow=seo")
    assert [nothing[name] for name in ("outcome", "review_minutes", "satisfaction", "misrouted", "revenue_usd")] == [
        None
    ] * 5
    assert nothing["messages"] == []


def test_a_run_without_calls_has_what_waits_for_it_and_one_without_a_price_no_cost():
    waiting = get("/api/v1/runs/to%20come/outcome?workflow=seo")
    assert (waiting["outcome"], waiting["calls"], waiting["last_call"], waiting["cases"]) == (None, 0, None, None)
    assert [(one["outcome"], one["applied"], one["cases"]) for one in waiting["messages"]] == [("shipped", False, 2)]
    assert get("/api/v1/runs/no%20price/outcome?workflow=seo")["cost"] is None


@pytest.mark.parametrize(
    "address", ["runs/dear/outcome", "runs/dear/outcome?workflow=ads", "runs/no/outcome?workflow=seo",
                "runs/dear/outcome?workflow=no-such", "runs/a%00b/outcome?workflow=seo",
                "runs/dear/outcome?workflow=a%00"],
)  # fmt: skip
def test_what_there_is_not_is_not_found(address):
    get(f"/api/v1/{address}", status=404)


def test_a_run_of_a_merged_workflow_is_read_by_either_name():
    merge_workflow(ME, Workflow.objects.get(slug="ads"), Workflow.objects.get(slug="seo"))
    for slug in ("ads", "seo"):
        found = get(f"/api/v1/runs/theirs/outcome?workflow={slug}")
        assert (found["workflow"], found["run_id"], found["calls"]) == ("seo", "theirs", 1)


def test_the_list_is_that_of_the_csv(admin_client):
    for query in ("", "?outcome=none", "?workflow=seo&sort=latest", "?period=last-month", "?q=ear"):
        body = b"".join(admin_client.get(f"/export/outcomes.csv{query}").streaming_content)
        lines = list(csv.DictReader(StringIO(body.decode())))
        found = get(f"{LIST}{query}")["results"]
        assert [(one["workflow"], one["run_id"]) for one in found] == [
            (line["workflow"], line["run_id"].removeprefix("'")) for line in lines
        ]
        for one, line in zip(found, lines, strict=True):
            assert {name: "" if one[name] is None else str(one[name]) for name in ("outcome", "reviews", "cases")} == {
                name: line[name] for name in ("outcome", "reviews", "cases")
            }
            for name in ("cost", "review_minutes", "satisfaction", "minutes_saved"):
                assert (one[name] is None) == (line[name] == ""), name
    page = get(f"{LIST}?limit=2&offset=1")
    assert (page["count"], len(page["results"])) == (4, 2)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("outcome=best", "outcome"), ("sort=name", "sort"), ("period=ever", "period"), ("workflow=no-such", "workflow"),
        ("period=custom&from=2026-11-20&to=2026-11-01", "from"), ("period=custom&from=x", "from"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_at_its_field(query, field):
    assert field in get(f"{LIST}?{query}", status=422)["errors"]


def test_whoever_is_limited_to_teams_reads_what_is_theirs(client):
    key = reader(teams=["growth"])
    assert [one["run_id"] for one in get(LIST, key)["results"]] == ["theirs"]
    get("/api/v1/runs/theirs/outcome?workflow=ads", key)
    get("/api/v1/runs/dear/outcome?workflow=seo", key, 404)
    client.force_login(someone("viewer", Team.objects.get(slug="brand")))
    assert "theirs" not in {one["run_id"] for one in client.get(LIST).json()["results"]}
    assert client.get("/api/v1/runs/theirs/outcome?workflow=ads").status_code == 404
    assert client.get("/api/v1/runs/dear/outcome?workflow=seo").status_code == 200


def test_reading_needs_the_right_to_read(client):
    sender = make_key("sender", ["ingest"])[1]
    directory.directory().load()
    for address in (LIST, "/api/v1/runs/dear/outcome?workflow=seo"):
        get(address, f"Bearer {sender}", 403)
        assert client.get(address).status_code == 401


def test_statements_do_not_grow_with_runs_or_messages(django_assert_num_queries):
    key = reader()
    get(LIST, key)
    with django_assert_num_queries(4):  # organisation, count, a page of runs, their workflows
        get(LIST, key)
    call("6", "more", input_tokens=9_000)
    for n in range(3):
        tell("said/all", "approved", id=f"more-{n}")
    with django_assert_num_queries(4):
        get(LIST, key)
    with django_assert_num_queries(5):  # workflow, its names, runs, messages, senders
        get("/api/v1/runs/said/all/outcome?workflow=seo", key)
