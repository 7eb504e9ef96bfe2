"""The explorer's pages and files: they show what the query says, say what they left out, and keep to their reader."""

import csv
import io
import json
import re
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from budgets.models import Membership, Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from reports.asking.scope import DIMENSIONS, NAMES
from reports.spend import explore as explore_module
from reports.spend import sums
from reports.spend.asked import asked_of
from reports.spend.drawing import figure
from reports.spend.explore import explore
from reports.spend.views import points
from reports.tests.spent import NOW, fill_ledger, ledger_rows, plain_used, values_of
from tests.clean import forget_caches
from usage.rollups.fold import fold_all
from usage.tests.events import an_event, price_the_model, take

DAYS = "period=custom&from=2026-10-25&to=2026-11-04"


pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def filled(lasting, django_db_blocker):
    with django_db_blocker.unblock():
        forget_caches()
        fill_ledger("America/New_York", 220)


@pytest.fixture
def lena(filled: None) -> Client:
    user = User.objects.create_superuser("lena", password="a-long-horse-for-tests")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


def rows_of(client: Client, name: str, query: str) -> list[dict[str, str]]:
    answer = client.get(f"{reverse(name)}?{query}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content[:300]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_page_csv_and_json_have_the_same_totals_for_every_grouping(lena: Client, dimension: str) -> None:
    query = f"{DAYS}&group={dimension}"
    page = text_of(lena, f"/spend/?{query}")
    assert f"by {NAMES[dimension].lower()}" in page
    drawn = lena.get(f"/series/spend.json?{query}").json()
    lines = rows_of(lena, "explorer-csv", query)
    assert [line[dimension].removeprefix("'") for line in lines] == [
        row[dimension] or "" for row in drawn["figures"]["rows"]
    ]
    for name in ("cost", "calls", "input_tokens", "calls_without_price"):
        assert [line[name] and Decimal(line[name]) for line in lines] == [
            "" if row[name] is None else Decimal(row[name]) for row in drawn["figures"]["rows"]
        ]
    whole = drawn["figures"]["all"]
    if dimension != "tag":
        assert sum(Decimal(line["cost"] or 0) for line in lines) == Decimal(whole["cost"])
        assert sum(int(line["calls"]) for line in lines) == whole["calls"]
    else:
        assert drawn["figures"]["rows_sum_to_all"] is False
        assert "come to more than the total" in page
    assert f"{whole['calls']:,}" in page
    in_days = [row for row in ledger_rows() if "2026-10-25" <= day_of(row) <= "2026-11-04"]
    assert whole["calls"] == plain_used(in_days).calls
    assert Decimal(whole["cost"]) * 10**9 == plain_used(in_days).cost


def test_what_has_no_price_costs_nothing_that_is_known(lena: Client) -> None:
    lines = {line["model"]: line for line in rows_of(lena, "explorer-csv", f"{DAYS}&group=model&compare=previous")}
    (unknown,) = [name for name, line in lines.items() if line["cost"] == ""]
    assert int(lines[unknown]["calls_without_price"]) == int(lines[unknown]["calls"]) > 0
    assert lines[unknown]["money_complete_days"] == ""
    only = f"{DAYS}&model={unknown}"
    drawn = lena.get(f"/series/spend.json?{only}&group=workflow").json()["figures"]
    assert {row["cost"] for row in drawn["rows"]} | {drawn["all"]["cost"]} == {None}
    page = text_of(lena, f"/spend/?{only}&group=workflow&compare=previous")
    assert "no price yet" in page and "$0" not in page and "new" not in page
    assert {line["cost"] for line in rows_of(lena, "spend-calls-csv", only)} == {""}
    partly = next(line for line in rows_of(lena, "explorer-csv", f"{DAYS}&group=workflow")
                  if 0 < int(line["calls_without_price"]) < int(line["calls"]))  # fmt: skip
    assert Decimal(partly["cost"]) > 0


def test_a_day_of_which_nothing_has_a_price_is_no_0_in_the_charts_table(lena: Client) -> None:
    with changing_configuration():
        price_the_model()
    usual = {"workflow": "only-here", "output_tokens": 1000}
    take([an_event("known", time="2026-11-02T17:00:00Z", **usual),
          an_event("unknown", time="2026-11-03T17:00:00Z", model="nobody-knows", **usual)], now=NOW)  # fmt: skip
    fold_all()
    days = QueryDict("period=custom&from=2026-11-01&to=2026-11-03&workflow=only-here")
    asked = asked_of(days, User.objects.get(username="lena"), Organisation.get(), NOW)
    assert [row["total"] for row in points(explore(asked))] == ["no price yet", "0.01", "0.00"]


def day_of(row: dict) -> str:
    from zoneinfo import ZoneInfo

    return row["posted_at"].astimezone(ZoneInfo("America/New_York")).date().isoformat()


def test_the_chart_holds_every_day_and_sums_to_the_total(lena: Client) -> None:
    drawn = lena.get(f"/series/spend.json?{DAYS}&group=user&metric=calls").json()
    assert drawn["labels"][0] == "25 Oct" and len(drawn["labels"]) == 11
    assert drawn["unit"] == "calls"
    assert sum(sum(one["values"]) for one in drawn["series"]) == drawn["sum"] == drawn["figures"]["all"]["calls"]
    assert drawn["drill"][3] == "/spend/?period=custom&from=2026-10-28&to=2026-10-28&group=user&metric=calls"


def test_a_day_of_25_hours_has_25_bars(lena: Client) -> None:
    drawn = lena.get("/series/spend.json?period=custom&from=2026-11-01&to=2026-11-01&metric=calls").json()
    assert len(drawn["labels"]) == 25
    assert drawn["labels"][:4] == ["00:00", "01:00", "01:00", "02:00"]
    assert drawn["full"][1:3] == ["Sun 1 Nov, 01:00 EDT", "Sun 1 Nov, 01:00 EST"]
    assert sum(sum(one["values"]) for one in drawn["series"]) == drawn["figures"]["all"]["calls"]


def test_two_dimensions_are_columns_that_are_split(lena: Client) -> None:
    drawn = lena.get(f"/series/spend.json?{DAYS}&group=workflow&stack=model&metric=calls").json()
    assert drawn["bars"] is True
    assert set(drawn["labels"]) >= {"Ads", "SEO drafts"}
    assert sum(sum(one["values"]) for one in drawn["series"]) == drawn["figures"]["all"]["calls"]
    line = rows_of(lena, "explorer-csv", f"{DAYS}&group=workflow&stack=model")[0]
    assert {"workflow", "model", "workflow_name", "model_name", "cost"} <= set(line)


def test_comparisons_are_of_complete_days_and_say_which(lena: Client) -> None:
    lines = rows_of(lena, "explorer-csv", "group=workflow&compare=previous")
    rows = ledger_rows()
    for line in lines:
        mine = [row for row in rows if row["workflow"] == line["workflow"]]
        now = plain_used(row for row in mine if "2026-11-01" <= day_of(row) <= "2026-11-04").cost
        before = plain_used(row for row in mine if "2026-10-01" <= day_of(row) <= "2026-10-04").cost
        assert Decimal(line["money_complete_days"]) * 10**9 == now
        assert Decimal(line["money_before"]) * 10**9 == before
    page = text_of(lena, "/spend/?group=workflow&compare=previous")
    assert "Complete days against same days in Oct" in page
    dotted = lena.get("/series/spend.json?group=workflow&compare=weekdays&metric=calls").json()["dotted"]
    expected = plain_used(row for row in rows if "2026-10-04" <= day_of(row) <= "2026-10-07").calls
    assert sum(dotted["values"]) == expected


@pytest.mark.parametrize("group", ["user", "user&stack=model"])
def test_what_is_not_listed_is_compared_with_all_that_is_not_listed(
    lena: Client, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = f"{DAYS}&compare=previous&metric=calls&group={group}"
    organisation, root = Organisation.get(), User.objects.get(username="lena")
    asked = asked_of(QueryDict(query), root, organisation, NOW)
    whole = {line.keys: line for line in explore(asked).lines}
    monkeypatch.setattr(explore_module, "LISTED", 2)
    few = explore(asked)
    *listed, rest = few.lines
    assert len(listed) == 2 and set(rest.keys) == {None}
    for line in listed:
        assert (line.now, line.before) == (whole[line.keys].now, whole[line.keys].before)
    others = [line for keys, line in whole.items() if keys not in {one.keys for one in listed}]
    assert (rest.now, rest.before) == (sum(one.now for one in others), sum(one.before or 0 for one in others))
    assert few.before_total.calls == sum(line.before for line in few.lines)
    monkeypatch.setattr(sums, "MOST_ROWS", 1)
    one, others = explore(asked).lines  # what was before and has no row of its own may be either of these
    assert one.before in {None, whole[one.keys].before}
    assert others.before == (None if one.before is None else few.before_total.calls - one.before)


def test_columns_are_of_all_pairs_also_of_those_not_listed(lena: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    query = f"{DAYS}&group=workflow&stack=user&metric=calls"
    whole = lena.get(f"/series/spend.json?{query}").json()
    monkeypatch.setattr(explore_module, "LISTED", 2)
    drawn = lena.get(f"/series/spend.json?{query}").json()
    assert len(drawn["figures"]["rows"]) == 3 < len(whole["figures"]["rows"])
    assert drawn["figures"]["rows"][2]["names"] == ["Everything else", "Everything else"]
    assert (drawn["labels"], drawn["series"]) == (whole["labels"], whole["series"])
    assert drawn["figures"]["all"] == whole["figures"]["all"]
    assert sum(row["calls"] for row in drawn["figures"]["rows"]) == whole["figures"]["all"]["calls"]
    assert "dearest have a row" in text_of(lena, f"/spend/?{query}")


def test_the_chart_has_what_has_most_of_its_figure_also_where_that_is_not_listed(
    lena: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = f"{DAYS}&group=model&metric=calls"
    whole = lena.get(f"/series/spend.json?{query}").json()
    assert "nobody-prices-this" in {one["name"] for one in whole["series"]}  # which costs nothing
    monkeypatch.setattr(explore_module, "LISTED", 1)
    drawn = lena.get(f"/series/spend.json?{query}").json()
    assert len(drawn["figures"]["rows"]) == 2
    assert drawn["series"] == whole["series"]


def test_days_of_two_years_say_which(lena: Client) -> None:
    drawn = lena.get("/series/spend.json?period=custom&from=2025-11-01&to=2026-11-04").json()
    assert (drawn["labels"][0], drawn["full"][-1]) == ("1 Nov 2025", "Wed 4 Nov 2026")


def test_a_long_chart_is_drawn_by_weeks_which_open_their_days(lena: Client) -> None:
    asked = "period=custom&from=2025-11-05&to=2026-11-04&group=workflow&metric=calls&compare=previous"
    drawn = lena.get(f"/series/spend.json?{asked}").json()
    by_week = drawn["weeks"]
    assert len(by_week["labels"]) == len(by_week["drill"]) == 53 and by_week["first"] == 1
    assert by_week["series"] and [sum(one["values"]) for one in by_week["series"]] == [
        sum(one["values"]) for one in drawn["series"]
    ]
    assert "from=2026-10-29&to=2026-11-04" in by_week["drill"][-1] and "group=workflow" in by_week["drill"][-1]
    page = text_of(lena, f"/spend/?{asked}")
    assert "Seven complete days each, 1 in the first;" in page and "A click opens a week." in page
    assert lena.get(f"/series/spend.json?{DAYS}").json()["weeks"] is None
    assert lena.get(f"/series/spend.json?{asked.replace('compare', 'stack=model&compare')}").json()["weeks"] is None


def test_one_call_is_not_said_as_many(lena: Client) -> None:
    assert (figure(1, "calls"), figure(2, "input"), figure(0, "calls")) == ("1 call", "2 tokens", "0 calls")


def test_why_there_is_no_comparison_is_said(lena: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    today = "period=custom&from=2026-11-05&to=2026-11-05&compare=previous"
    assert "only complete days are compared" in text_of(lena, f"/spend/?{today}")
    asked = f"{DAYS}&customer=acme&stage=draft&compare=previous"
    assert "There is no comparison" not in text_of(lena, f"/spend/?{asked}")
    monkeypatch.setattr(sums, "READ_MOST", 30)
    assert "not all days of both times could be read" in text_of(lena, f"/spend/?{asked}")
    assert "could be read" in lena.get(f"/series/spend.json?{asked}").json()["figures"]["notes"][0]
    listed = text_of(lena, f"/spend/values/stage/?{DAYS}&customer=acme")
    assert "What there is in 25 Oct" not in listed


def test_calls_of_a_month_that_began_today_are_all_listed(lena: Client) -> None:
    with time_machine.travel("2026-11-01T20:00:00Z", tick=False):
        assert "All of them are listed" in text_of(lena, "/spend/calls/")


def test_nothing_is_said_of_an_address_that_is_understood(lena: Client) -> None:
    for query in ("", f"{DAYS}&group=team&stack=model&compare=none&metric=calls&sort=name&page=1&team=&user=ana"):
        for address in ("/spend/", "/spend/values/team/"):
            assert 'class="alert watch' not in lena.get(f"{address}?{query}").content.decode(), (address, query)
    for address in (f"/spend/runs/?{DAYS}&sort=steps&outcome=", f"/spend/calls/?{DAYS}&workflow=ads"):
        assert 'class="alert watch' not in lena.get(address).content.decode(), address


def test_what_is_not_understood_is_said_and_left_out(lena: Client) -> None:
    query = "period=moon&group=price&stack=x&compare=y&metric=z&sort=q&workflow=nobody&colour=red&page=x&tier=high"
    page = text_of(lena, f"/spend/?{query}")
    for said in ("moon", "price", "“x”", "“y”", "“z”", "“q”", "nobody", "colour", "high"):
        assert said in page, said
    for address in (f"/series/spend.json?{query}", f"/export/spend.csv?{query}", f"/spend/values/user/?{query}"):
        assert lena.get(address).status_code == 200
    assert lena.get("/spend/values/price/").status_code == 404
    assert "Nothing matches these filters" in text_of(lena, "/spend/?model=no-such-model")


def test_opening_rows_leads_from_a_workflow_to_a_run_to_a_call(lena: Client) -> None:
    page = lena.get(f"/spend/?{DAYS}&group=workflow").content.decode()
    opened = re.search(r'row-name" href="\?([^"]+)">Ads<', page)
    assert opened
    query = opened[1].replace("&amp;", "&")
    assert "workflow=ads" in query
    assert "Workflow: <b>Ads</b>" in lena.get(f"/spend/?{query}").content.decode()
    runs = lena.get(f"/spend/runs/?{DAYS}&workflow=ads").content.decode()
    address = re.search(r'row-name" href="(/spend/runs/ads/[^"]+)"', runs)
    assert address
    run = lena.get(address[1]).content.decode()
    call = re.search(r'href="(/spend/calls/\d+/\d+/)"', run)
    assert call
    assert "What is known of it" in text_of(lena, call[1])


def test_values_to_filter_by_are_those_that_there_are(lena: Client) -> None:
    page = lena.get(f"/spend/values/user/?{DAYS}&group=team&user=ana").content.decode()
    assert re.findall(r'name="user" value="([^"]*)"( checked)?', page)
    found = {value for value, _ in re.findall(r'name="user" value="([^"]*)"( checked)?', page)}
    assert found == {"ana", "bo", "--", "-"}
    assert 'name="user" value="ana" checked' in page
    assert 'name="group" value="team"' in page
    answer = lena.get(f"/series/spend.json?{DAYS}&group=team&user=-&user=--").json()
    rows = [row for row in ledger_rows() if "2026-10-25" <= day_of(row) <= "2026-11-04"]
    expected = plain_used(row for row in rows if values_of(row, "user")[0] in {"", "-"})
    assert answer["figures"]["all"]["calls"] == expected.calls


def test_people_of_a_team_see_their_own_workflows_only(filled: None) -> None:
    sam = User.objects.create_user("sam")
    Membership.objects.create(user=sam, role="viewer", team=Team.objects.get(slug="web"))
    client = Client()
    client.force_login(sam)
    mine = [row for row in ledger_rows() if row["workflow"] == "seo" and "2026-10-25" <= day_of(row) <= "2026-11-04"]
    for query in ("group=workflow", "group=user", "group=stage&customer=acme&channel=mail", "workflow=ads"):
        for row in rows_of(client, "explorer-csv", f"{DAYS}&{query}"):
            assert row.get("workflow", "seo") == "seo"
    whole = client.get(f"/series/spend.json?{DAYS}").json()["figures"]["all"]
    assert whole["calls"] == plain_used(mine).calls
    assert {row["workflow"] for row in rows_of(client, "spend-calls-csv", DAYS)} == {"seo"}
    assert {row["workflow"] for row in rows_of(client, "spend-runs-csv", DAYS)} == {"seo"}
    root = User.objects.create_superuser("lena")
    other = Client()
    other.force_login(root)
    listed = other.get(f"/spend/calls/?{DAYS}&workflow=ads").content.decode()
    call = re.search(r'href="(/spend/calls/\d+/\d+/)"', listed)
    assert call
    assert (other.get(call[1]).status_code, client.get(call[1]).status_code) == (200, 404)
    run = rows_of(other, "spend-runs-csv", f"{DAYS}&workflow=ads")[0]["run"]
    assert client.get(reverse("spend-run", args=["ads", run])).status_code == 404
    assert client.get(reverse("spend-run-csv", args=["ads", run])).status_code == 404


def test_what_another_team_is_called_is_said_to_nobody_but_its_own(filled: None) -> None:
    Team.objects.filter(slug="brand").update(name="Secret name")
    Team.objects.filter(slug="web").update(name="Own name")
    sam = User.objects.create_user("sam")
    Membership.objects.create(user=sam, role="viewer", team=Team.objects.get(slug="web"))
    client = Client()
    client.force_login(sam)
    query = f"{DAYS}&team=brand&team=web"
    for address in (
        f"/spend/?{query}", f"/spend/?{DAYS}&group=team", f"/spend/values/team/?{query}", f"/spend/runs/?{query}",
        f"/spend/calls/?{query}", f"/spend/why/?{query}", f"/figures/?{query}", f"/export/spend.csv?{DAYS}&group=team",
    ):  # fmt: skip
        said = client.get(address).getvalue().decode()
        assert "Secret name" not in said, address
        assert "Own name" in said, address


@pytest.mark.parametrize(
    ("query", "many"), [("", 9), ("group=workflow&compare=previous&model=alpha", 12), ("group=user&stack=model", 8)]
)
def test_the_page_asks_a_fixed_number_of_questions(lena: Client, query: str, many: int, django_assert_num_queries):
    lena.get(f"/spend/?{query}")
    with django_assert_num_queries(many):
        lena.get(f"/spend/?{query}")


def test_workflow_names_are_shown_and_merged_ones_count_as_their_target(lena: Client) -> None:
    names = {row["workflow_name"] for row in rows_of(lena, "explorer-csv", f"{DAYS}&group=workflow")}
    assert names == {"Ads", "SEO drafts", Workflow.objects.get(slug="found-in-calls").name}
    assert json.loads(lena.get(f"/series/spend.json?{DAYS}&workflow=old-ads").content)["figures"]["all"]["calls"]
