"""Every figure against values worked out by hand, and the page, its files and the API that show them."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import User
from django.urls import reverse

from budgets.models import Membership, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from reports.asking.scope import Scope
from reports.asking.window import Window, compared, window_of
from reports.figures.figures import figures
from reports.figures.meaning import MEANINGS
from reports.models import Finding, Watch
from usage.models import Run
from usage.rollups.days import make_days_anew
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, an_event, price_the_model, take

pytestmark = pytest.mark.django_db
ZONE = ZoneInfo("UTC")
DEAR = "dear-model"
MILLION = 1_000_000
PAGE = 30  # statements


def the_calls() -> list[dict[str, Any]]:
    """In November briefs, an agent of four runs, and chats without runs, today; in October half as much of briefs."""
    calls = [
        an_event(
            f"brief-{n}",
            time=(NOW - timedelta(days=1, minutes=n)).isoformat(),
            workflow="briefs", run_id=f"r{n // 2}", step=1 + 4 * (n % 2) if n < 6 else 1, attempt=1 + (n == 7),
            tier=3 if n % 4 == 0 else 1, default_tier=1, model=DEAR if n % 4 == 0 else "test-model",
            agent="writer" if n % 2 else "finder", customer="acme" if n < 4 else "zeta", user="ada",
            cached_input_tokens=500 if n == 1 else None, cache="prompt" if n == 1 else None,
            context={"system": 200, "retrieval": 300, "tools": 100, "user": 400},
        )
        for n in range(8)
    ]  # fmt: skip
    calls += [an_event(f"chat-{n}", workflow="chats", application="desk", output_tokens=200) for n in range(2)]
    calls.append(an_event("unpriced", workflow="chats", model="nobody-knows"))
    october = datetime(2026, 10, 5, 9, tzinfo=UTC).isoformat()
    calls += [
        an_event(f"then-{n}", time=october, workflow="briefs", run_id=f"then-{n // 2}", step=1, tier=1)
        for n in range(4)
    ]
    return calls


@pytest.fixture
def used() -> Iterator[None]:
    """The calls, priced, folded and judged. Briefs is a team's and allows four steps; chats is nobody's."""
    with time_machine.travel(NOW, tick=False):
        with changing_configuration():
            price_the_model()
            price_the_model("10", "50", DEAR)
            Workflow.objects.create(
                slug="briefs", name="Briefs", status="production", guardrails={"max_run_steps": 4},
                team=Team.objects.create(slug="growth", name="Growth"),
            )  # fmt: skip
        assert take(the_calls()).accepted == 15
        fold_all()
        Run.objects.filter(run_id="r0").update(outcome="shipped", revenue=200 * MILLION, minutes_saved=6, reviews=1)
        Run.objects.filter(run_id="r1").update(outcome="approved", reviews=1, scored=2, satisfaction=9)
        Run.objects.filter(run_id="r2").update(
            outcome="rejected", reworks=1, misrouted=True, reviews=2, review_minutes=Decimal("12.5"), timed=1, cases=3
        )
        make_days_anew(ZONE.key)
        yield


def month() -> Window:
    return window_of({}, NOW, ZONE)


# Nano-dollars: 1,000 in and 100 out are 3 million, of the dear model 15; 500 of them cached 2.1; a chat is 4.
BRIEFS = 2 * 15 * MILLION + 2_100_000 + 5 * 3 * MILLION
ALL = BRIEFS + 2 * 4 * MILLION


def test_every_figure_by_hand(used):
    found = figures(Scope(), month())
    assert (found.cost, found.calls, found.runs) == (ALL, 11, 4)
    expected = {
        "cost_per_approved": Fraction(BRIEFS, 2),
        "cost_per_completed": Fraction(BRIEFS, 2),
        "tokens_per_shipped": 8 * 1100,  # chats have no runs
        "cost_per_user": BRIEFS,
        "cost_per_customer": Fraction(BRIEFS, 2),
        "cost_per_application": 8 * MILLION,
        "cost_per_team": BRIEFS,
        "escalation_rate": Fraction(2, 11),
        "premium_share": Fraction(30 * MILLION, ALL),
        "input_to_output": Fraction(11_000, 1_300),
        "cache_hits.prompt": Fraction(1, 11),
        "cache_hits.semantic": 0,
        "cached_input_share": Fraction(500, 11_000),
        "saved": 900_000,
        "retry_rate": Fraction(1, 11),
        "steps_per_run": 4,
        "loop_rate": Fraction(3, 4),
        "context.retrieval": Fraction(3, 10),
        "context.memory": 0,
        "rework_rate": Fraction(1, 3),
        "misrouted_share": Fraction(1, 3),
        "review_minutes": Fraction(25, 2),  # only one of four reviews says how long it took
        "satisfaction": Fraction(9, 2),
        "value_per_dollar": Fraction(200 * MILLION, BRIEFS),
        "minutes_saved_per_dollar": Fraction(6 * 10**9, BRIEFS),
        "cost_per_case": Fraction(BRIEFS, 3),
        "priced_share": Fraction(10, 11),
        "claimed_share": Fraction(BRIEFS, ALL),
        "run_share": Fraction(BRIEFS, ALL),
        "outcome_share": Fraction(BRIEFS - 6 * MILLION, BRIEFS),
    }
    assert {name: found.value(name) for name in expected} == expected
    assert found.elasticity is None and "compare" in found.why["elasticity"]
    assert found.anomaly_rate is None and "looked" in found.why["anomaly_rate"]


def test_growth_is_of_complete_days_and_of_runs_where_every_call_names_one(used):
    window = month()
    complete = window.complete
    assert complete
    found = figures(Scope(), complete, compared(window, "previous"))
    # From 12 to 47.1 million by twice the runs.
    assert found.elasticity == Fraction(BRIEFS - 12 * MILLION, 12 * MILLION)
    same = figures(Scope(), complete, complete)
    assert same.elasticity is None and "less than 5%" in same.why["elasticity"]


def test_what_is_not_known_is_not_said_and_never_zero(used):
    found = figures(Scope(workflow=("chats",)), month())
    assert (found.cost, found.runs) == (8 * MILLION, 0)
    for name in ("cost_per_approved", "steps_per_run", "loop_rate", "saved", "escalation_rate", "context.system",
                 "cache_hits.prompt", "rework_rate", "value_per_dollar", "cost_per_user", "cost_per_team"):  # fmt: skip
        assert found.value(name) is None, name
        assert found.why[name], name
    nothing = figures(Scope(workflow=("chats",)), window_of({"period": "last-month"}, NOW, ZONE))
    assert {nothing.value(one.name) for one in MEANINGS} == {None}
    assert not [one.name for one in MEANINGS if not nothing.why[one.name]]


def test_what_rollups_do_not_hold_is_read_from_the_ledger_and_says_the_same(used, monkeypatch):
    whole = figures(Scope(workflow=("briefs",)), month())
    same = figures(Scope(user=("ada",)), month())
    names = ("premium_share", "escalation_rate", "retry_rate", "saved", "context.tools", "cost_per_customer",
             "input_to_output", "cached_input_share", "priced_share", "cost_per_team")  # fmt: skip
    assert {name: same.value(name) for name in names} == {name: whole.value(name) for name in names}
    assert same.cost == BRIEFS and same.cost_per_approved is None
    assert "known by its workflow and team, not by user" in same.why["cost_per_approved"]
    acme = figures(Scope(customer=("acme",), tier=("3",)), month())
    assert (acme.cost, acme.calls) == (15 * MILLION, 1)
    monkeypatch.setattr("reports.spend.sums.READ_MOST", 5)
    many = figures(Scope(user=("ada",)), month())
    assert many.cost is None and many.premium_share is None
    assert "choose fewer days" in many.why["premium_share"]


def test_a_team_is_its_workflows_and_a_merged_one_counts_where_it_was_merged_into(used):
    team = figures(Scope(team=("growth",)), month())
    assert (team.cost, team.runs, team.cost_per_approved) == (BRIEFS, 4, Fraction(BRIEFS, 2))
    briefs = Workflow.objects.get(slug="briefs")
    Workflow.objects.filter(slug="chats").update(merged_into=briefs, status="merged")
    merged = figures(Scope(workflow=("briefs",)), month())
    assert merged.loop_rate == Fraction(3, 4), "also where runs of two names are one"
    assert (merged.cost, merged.claimed_share, merged.tokens_per_shipped) == (ALL, 1, 8 * 1100 + 2 * 1200 + 1100)


def test_a_cache_that_a_workflow_may_not_use_is_not_missed(used):
    Workflow.objects.filter(slug="chats").update(guardrails={"cache": {"kinds": ["semantic"]}})
    found = figures(Scope(), month())
    assert found.value("cache_hits.prompt") == Fraction(1, 8)
    assert found.value("cache_hits.semantic") == 0
    Workflow.objects.update(risk_categories=["sensitive"])
    found = figures(Scope(), month())
    assert found.value("cache_hits.prompt") is None
    assert found.why["cache_hits.prompt"] == "no workflow may use this one"


def test_unusual_spend_for_each_thousand_runs(used):
    Watch.objects.update_or_create(pk=1, defaults={"looked_at": NOW})
    briefs = Workflow.objects.get(slug="briefs")
    for n, state in enumerate(("open", "fixed", "expected")):
        Finding.objects.create(
            kind="loop", dimension="workflow", key=str(briefs.pk), subject=f"r{n}", workflow=briefs, name="Briefs",
            grain=900, since=NOW - timedelta(hours=n + 1), until=NOW, found_at=NOW, actual=0, state=state,
            ended_at=NOW,
        )  # fmt: skip
    assert figures(Scope(), month()).anomaly_rate == Fraction(2 * 1000, 4)
    assert figures(Scope(team=("growth",)), month()).anomaly_rate == 500


def sign_in(client: Any, team: Team | None = None) -> Any:
    user = User.objects.create_user("kim", password="a-long-horse-for-tests")
    Membership.objects.create(user=user, role="viewer", team=team)
    client.force_login(user)
    return client


def csv_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_page_answers_five_questions_and_shows_every_figure(client, used, django_assert_num_queries):
    sign_in(client)
    client.get(reverse("figures"))
    with django_assert_num_queries(PAGE):
        answer = client.get(reverse("figures"))
    page = " ".join(answer.content.decode().split())
    for said in (
        "Briefs uses most: $0.05, 85.5% of all spend. Then comes chats",
        "dear-model costs most: $0.03",
        "3 runs of 4 took more steps than their limit, most of Briefs. The agent writer repeats most: 25% of its",
        "Team Growth costs most: $0.05. Of the products, desk: ",
        "Briefs brings in most for its cost: 4.25 for each 1 spent.",
        "no price yet",
        "Nothing has looked for unusual spend yet.",
    ):
        assert said in page, (said, re.findall(r'class="lead">([^<]*)', page))
    assert page.count("<dd") == len(MEANINGS)


def test_page_json_csv_and_api_say_the_same(client, used):
    sign_in(client)
    asked = "?period=this-month&workflow=briefs"
    document = client.get(f"/series/figures.json{asked}").json()
    lines = csv_of(client.get(f"/export/figures.csv{asked}"))
    api = client.get(f"/api/v1/figures{asked}").json()
    as_text = [[one[key] or "" for key in ("name", "value", "complete_days", "before")] for one in document["figures"]]
    assert [[one["figure"], one["value"], one["complete_days"], one["before"]] for one in lines] == as_text
    assert api["figures"] == document["figures"] and api["tables"] == document["tables"]
    by_name = {one["name"]: one for one in api["figures"]}
    assert by_name["cost_per_approved"]["value"] == "0.02355"
    assert by_name["elasticity"]["value"] == "2.925000"
    for name, rows in document["tables"].items():
        found = csv_of(client.get(f"/export/figures/{name}.csv{asked}"))
        assert [{key: str(row[key] if row[key] is not None else "") for key in row} for row in rows] == [
            {key: one[key] for key in one if key not in {"from", "to", "currency"}} for one in found
        ], name
    assert client.get("/export/figures/nothing.csv").status_code == 404


def test_the_tables_by_hand(client, used):
    sign_in(client)
    tables = client.get("/series/figures.json").json()["tables"]
    assert tables["repeats"][0] | {"workflow": ""} == {
        "workflow": "", "repeated": 1, "repeated_share": "0.125000", "runs": 4, "steps_per_run": "4.000000",
        "longest_run": 5, "over_limit": 3, "over_limit_share": "0.750000",
    }  # fmt: skip
    assert [(one["agent"], one["calls"], one["repeated"]) for one in tables["agents"]] == [
        ("writer", 4, 1),
        ("finder", 4, 0),
    ]
    assert [(one["workflow"], one["kind"]) for one in tables["shapes"]] == [("Briefs", "Agent"), ("chats", "Not known")]
    assert tables["value"][0]["verdict"] == "Earns more than it costs"
    acme = next(one for one in tables["customers"] if one["customer"] == "acme")
    assert (acme["spend"], acme["revenue"], acme["margin"]) == ("0.0231", "0.20", "0.1769")
    assert tables["growth"] == [
        {"workflow": "Briefs", "growth_of_cost": "292% more", "growth_of_use": "100% more", "use": "runs",
         "elasticity": "2.925000"}
    ]  # fmt: skip
    # Sent back, rejected and misrouted: at most one of each of the three that were reviewed.
    review = tables["review"][0]
    assert (review["reviewed"], review["found"], review["cost_of_it"]) == (3, "1.000000", "0.0471")
    unpriced = next(one for one in tables["models"] if one["model"] == "nobody-knows")
    assert unpriced["spend"] is None


def test_a_team_sees_its_own_only(client, used):
    other = Team.objects.create(slug="sales", name="Sales")
    sign_in(client, other)
    page = client.get(reverse("figures")).content.decode()
    assert "Nothing was used in these days" in page and "Briefs" not in page
    growth = Team.objects.get(slug="growth")
    Membership.objects.filter(team=other).update(team=growth)
    document = client.get("/series/figures.json").json()
    assert [one["workflow"] for one in document["tables"]["workflows"]] == ["Briefs"]
    assert document["spend"] == "0.0471"
    assert [one["agent"] for one in document["tables"]["agents"]] == ["writer", "finder"]
    asked = client.get("/figures/?team=sales").content.decode()
    assert "Team: <b>sales</b>" in asked and "Sales" not in asked, "what another team is called is not told"
    ignored = client.get("/figures/?workflow=chats").content.decode()
    assert "No workflow is called “chats”" in ignored


def test_hostile_addresses_are_told_and_never_an_error(client, used):
    sign_in(client)
    page = client.get("/figures/?period=%00&compare=x&tier=abc&status=no&nonsense=1&tag=a&from=z").content.decode()
    for said in ("is no period", "is no comparison", "cannot be a tier", "no filter “nonsense”"):
        assert said in page, said
    nothing = client.get("/figures/?model=no-such").content.decode()
    assert "Nothing matches these filters" in nothing and "Clear filters" in nothing


def test_answers_say_what_is_not_known(client, used):
    sign_in(client)

    def answers(query: str) -> list[str]:
        return [one["answer"] for one in client.get(f"/series/figures.json{query}").json()["questions"]]

    assert answers("?workflow=chats") == [
        "chats uses most: $0.01, 100% of all spend.",
        "test-model costs most: $0.01, 100% of all spend.",
        "No call of these days names its run or is a repeated one.",
        "No team answers for what was spent. Of the products, desk: $0.01.",
        "It cannot be said: no call names its run.",
    ]
    assert answers("?model=nobody-knows")[:2] == ["Nothing of it has a price yet."] * 2
    assert "a run is known by its workflow and team, not by model" in answers("?model=nobody-knows")[-1]
    Run.objects.update(revenue=0)
    make_days_anew(ZONE.key)
    why = "no outcome states that a run brought anything in"
    assert answers("?period=this-month")[-1] == f"It cannot be said yet: {why}."
    Run.objects.update(revenue=1)
    make_days_anew(ZONE.key)
    assert (
        answers("")[-1]
        == "Briefs brings in most for its cost: under 0.01 for each 1 spent. Briefs costs more than it earns."
    )
    assert answers("?period=last-month&workflow=chats")[0] == "There were no calls in these days."
