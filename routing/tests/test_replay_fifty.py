"""Fifty calls worked out by hand (fifty_calls.py): every figure of the engine, the page, the CSVs and the API."""

import csv
import io
import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from routing.models import PolicyReplay
from routing.replay.facts import latest_facts
from routing.replay.result import NOT_MADE, read
from routing.replay.take import ask, replay_waiting
from routing.tests import fifty_calls as fifty
from routing.tests.fifty_calls import DOLLAR

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def replay():
    version = fifty.company()
    asked, new = ask(fifty.ACTOR, version.pk, fifty.STARTS, fifty.ENDS)
    assert new
    assert replay_waiting() == 1
    done = PolicyReplay.objects.select_related("version").get(pk=asked.pk)
    assert (done.state, done.problem) == ("done", "")
    return done


def figures(tally, names):
    return {name: getattr(tally, name) // (DOLLAR if name in {"cost", "spared"} else 1) for name in names}


def test_the_table_by_hand_sums_to_the_figures_by_hand():
    happened, live, draft = (sum(many * (row[n] or 0) for many, *_, row in fifty.CALLS) for n in (0, 2, 4))
    assert (happened, live, draft) == (fifty.HAPPENED["cost"], fifty.LIVE["cost"], fifty.DRAFT["cost"])
    assert sum(many for many, *_ in fifty.CALLS) == 50
    for action, name in (("block", "blocked"), ("require_approval", "approval")):
        for n, by in ((1, fifty.LIVE), (3, fifty.DRAFT)):
            assert sum(many for many, *_, row in fifty.CALLS if row[n] == action) == by[name]
    for side, totals in enumerate((fifty.HAPPENED, fifty.LIVE, fifty.DRAFT)):
        assert sum(tier[side][0] for tier in fifty.TIERS.values()) == 50
        assert sum(tier[side][1] for tier in fifty.TIERS.values()) == totals["cost"]
        assert sum(row[1 + side] for row in fifty.WORKFLOWS.values()) == totals["cost"]


def test_every_figure_that_is_kept(replay):
    result = read(replay.result)
    assert (replay.calls, replay.taken, replay.done) == (50, 50, 50)
    total = result.total
    assert figures(total.happened, fifty.HAPPENED) == fifty.HAPPENED
    assert figures(total.live, fifty.LIVE) == fifty.LIVE
    assert figures(total.draft, fifty.DRAFT) == fifty.DRAFT
    assert total.changed == fifty.CHANGED
    both = (total.compared, total.live_compared // DOLLAR, total.draft_compared // DOLLAR)
    assert both == (fifty.COMPARED, fifty.LIVE_COMPARED, fifty.DRAFT_COMPARED)
    assert (result.live_number, result.runs, result.share) == (77, 2, 10_000)
    found = {
        key: tuple((one.calls, one.cost // DOLLAR) for one in (sides.happened, sides.live, sides.draft))
        for key, sides in result.tiers.items()
    }
    assert found == fifty.TIERS
    assert {slug: workflow_figures(sides) for slug, sides in result.workflows.items()} == fifty.WORKFLOWS
    assert {code: (count.live, count.draft) for code, count in result.reasons.items()} == fifty.REASONS
    assert {rule: (count.live, count.draft) for rule, count in result.rules.items()} == fifty.RULES


def workflow_figures(sides):
    costs = [one.cost // DOLLAR for one in (sides.happened, sides.live, sides.draft)]
    draft = sides.draft
    return (
        sides.happened.calls, *costs, draft.blocked, draft.approval, draft.lowered, draft.review, sides.changed,
    )  # fmt: skip


def test_what_is_told_to_whoever_decides(replay):
    facts = latest_facts(replay.version)
    assert (facts.calls, facts.taken, facts.changed) == (50, 50, fifty.CHANGED)
    assert (facts.cost_happened, facts.cost_before, facts.cost_after) == (285 * DOLLAR, 169 * DOLLAR, 121 * DOLLAR)
    assert (facts.compared, facts.difference) == (45, -46 * DOLLAR)
    assert (facts.blocked_before, facts.blocked, facts.approval, facts.lowered, facts.unknown) == (2, 8, 3, 20, 3)
    replay.version.edit_version += 1
    replay.version.save()
    assert latest_facts(replay.version) is None


def test_the_same_again_is_the_same(replay):
    again, _ = ask(fifty.ACTOR, replay.version_id, fifty.STARTS, fifty.ENDS)
    replay_waiting()
    again.refresh_from_db()
    assert again.pk != replay.pk
    assert again.result == replay.result
    before = PolicyReplay.objects.get(pk=replay.pk)
    assert replay_waiting() == 0
    assert PolicyReplay.objects.get(pk=replay.pk).finished_at == before.finished_at


# The page, the CSVs and the API.


@pytest.fixture
def lena(client):
    client.force_login(User.objects.create_superuser("lena"))
    return client


def cells(page, row):
    """The texts of a table's row that begins with `row`, without what only screen readers are told."""
    for found in re.findall(r"<tr role=\"row\">(.*?)</tr>", page, re.DOTALL):
        texts = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", found, re.DOTALL)
        plain = [re.sub(r"<[^>]+>", "", re.sub(r"<span class=\"(vh|m)\">.*?</span>", "", one)).strip() for one in texts]
        if plain and plain[0] == row:
            return plain[1:]
    raise AssertionError(f"no row {row}")


def money(dollars):
    return f"${dollars:,}.00"


def test_every_figure_on_the_page(replay, lena):
    page = lena.get(reverse("policy-replay", args=[replay.version_id, replay.pk])).content.decode()
    for key, words in (
        ("calls", "Calls looked at"), ("made", "Go through"), ("blocked", "Blocked"),
        ("approval", "Wait for somebody&#x27;s approval"), ("shorten", "Sent back, to be made shorter"),
        ("lowered", "Served by a cheaper tier than asked for"), ("moved", "Served by another model than they were"),
        ("review", "Somebody looks at the result"), ("cut", "Answer longer than it may be"),
        ("unchanged", "Go through as they did"), ("unpriced", "Go through, price not known"),
        ("unmeasured", "Go through, use not measured"),
    ):  # fmt: skip
        happened = str(fifty.HAPPENED[key]) if key in fifty.HAPPENED else "–"
        assert cells(page, words) == [happened, str(fifty.LIVE[key]), str(fifty.DRAFT[key])], words
    assert cells(page, "Cost") == ["$285.00", "$169.00", "$121.00"]
    assert cells(page, "What calls that would not be made did cost") == ["–", "$64.00", "$88.00"]
    assert cells(page, "Decided differently by the two") == ["–", "–", "22"]
    names = {"1": "Economy", "2": "Standard", "3": "Premium", "0": "In no tier", NOT_MADE: "Not made"}
    for key, sides in fifty.TIERS.items():
        assert cells(page, names[key]) == [*(str(calls) for calls, _ in sides), *(money(cost) for _, cost in sides)]
    for name, slug in (("Briefs", "briefs"), ("Ads", "ads"), ("Legal", "legal"), ("stray", "stray")):
        calls, *figures = fifty.WORKFLOWS[slug]
        costs = [money(cost) for cost in figures[:3]]
        if slug == "stray":  # nothing of it has a price; by the draft nothing of it is made
            costs = ["no price yet", "no price yet", "$0.00"]
        assert cells(page, name) == [str(calls), *costs, *(str(one) for one in figures[3:])]
    assert cells(page, "A rule fits") == ["0", "21"]
    assert cells(page, "Night") == ["0", "5"]
    # Not $48 less: L's $2 are not known by the draft, and that is no saving.
    assert "spent $121.00, $46.00 less than the policy in force, of the 45 calls whose cost both know" in page
    assert "They really cost $285.00, beside 3 calls of unknown cost." in page
    assert cells(page, "Of the 45 calls whose cost both know") == ["–", "$167.00", "$121.00"]


def lines(client, name, replay, query=""):
    answer = client.get(reverse(name, args=[replay.version_id, replay.pk]) + query)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_every_figure_in_the_csvs(replay, lena):
    summary = {line["figure"]: line for line in lines(lena, "policy-replay-csv", replay)}
    for side, figures_of in (("live", fifty.LIVE), ("draft", fifty.DRAFT), ("happened", fifty.HAPPENED)):
        for key, value in figures_of.items():
            name = {"spared": "cost_of_calls_not_made"}.get(key, key)
            assert float(summary[name][side]) == value, (side, key)
    assert (summary["cost_known_by_both"]["draft"], summary["changed"]["draft"]) == ("45", "22")
    both = summary["cost_where_both_known"]
    assert (float(both["live"]), float(both["draft"])) == (fifty.LIVE_COMPARED, fifty.DRAFT_COMPARED)
    tiers = {line["tier"]: line for line in lines(lena, "policy-replay-tiers-csv", replay)}
    for key, sides in fifty.TIERS.items():
        for side, (calls, cost) in zip(("happened", "live", "draft"), sides, strict=True):
            assert (int(tiers[key][f"{side}_calls"]), float(tiers[key][f"{side}_cost"])) == (calls, cost)
    for line in lines(lena, "policy-replay-workflows-csv", replay):
        kept = (
            "happened_calls", "happened_cost", "live_cost", "draft_cost", "draft_blocked", "draft_approval",
            "draft_lowered", "draft_review", "changed",
        )  # fmt: skip
        assert tuple(float(line[name]) for name in kept) == fifty.WORKFLOWS[line["workflow"]]
    said = lines(lena, "policy-replay-reasons-csv", replay)
    for kind, expected in (("reason", fifty.REASONS), ("rule", fifty.RULES)):
        found = {line["key"]: (int(line["live"]), int(line["draft"])) for line in said if line["kind"] == kind}
        assert found == expected


def test_every_figure_in_the_api(replay, lena):
    answer = lena.get(reverse("api-policy-replay", args=[replay.version_id, replay.pk])).json()
    assert (answer["state"], answer["is_current"], answer["calls"]) == ("done", True, 50)
    result = answer["result"]
    for side, figures_of in (("live", fifty.LIVE), ("draft", fifty.DRAFT), ("happened", fifty.HAPPENED)):
        for key, value in figures_of.items():
            name = {"spared": "cost_of_calls_not_made"}.get(key, key)
            assert float(result["total"][side][name]) == value, (side, key)
    total = result["total"]
    assert (total["changed"], total["compared"], total["difference"]) == (fifty.CHANGED, fifty.COMPARED, "-46")
    tiers = {row["key"]: row["sides"] for row in result["tiers"]}
    found = {
        key: tuple((sides[side]["calls"], float(sides[side]["cost"])) for side in ("happened", "live", "draft"))
        for key, sides in tiers.items()
    }
    assert found == fifty.TIERS
    assert {row["key"]: row["sides"]["draft"]["blocked"] for row in result["workflows"]} == {
        slug: row[4] for slug, row in fifty.WORKFLOWS.items()
    }
    assert {one["key"]: (one["live"], one["draft"]) for one in result["reasons"]} == fifty.REASONS
    assert {one["key"]: (one["live"], one["draft"]) for one in result["rules"]} == fifty.RULES


def test_the_calls_behind_every_figure(replay, lena):
    for side, figures_of in (("live", fifty.LIVE), ("draft", fifty.DRAFT), ("happened", fifty.HAPPENED)):
        for key, value in figures_of.items():
            if key not in {"cost", "spared"}:
                found = lines(lena, "policy-replay-calls-csv", replay, f"?figure={key}&side={side}")
                assert len(found) == value, (side, key)
        for tier, sides in fifty.TIERS.items():
            found = lines(lena, "policy-replay-calls-csv", replay, f"?side={side}&tier={tier}")
            calls, cost = sides[("happened", "live", "draft").index(side)]
            column = "cost" if side == "happened" else f"{side}_cost"
            assert (len(found), sum(float(line[column] or 0) for line in found)) == (calls, cost), (side, tier)
    for slug, (calls, *_, changed) in fifty.WORKFLOWS.items():
        assert len(lines(lena, "policy-replay-calls-csv", replay, f"?workflow={slug}")) == calls
        assert len(lines(lena, "policy-replay-calls-csv", replay, f"?workflow={slug}&figure=changed")) == changed
    for code, (live, draft) in fifty.REASONS.items():
        assert len(lines(lena, "policy-replay-calls-csv", replay, f"?side=live&code={code}")) == live
        assert len(lines(lena, "policy-replay-calls-csv", replay, f"?code={code}")) == draft
    for rule, (_, draft) in fifty.RULES.items():
        assert len(lines(lena, "policy-replay-calls-csv", replay, f"?rule={rule}")) == draft


def test_the_calls_behind_a_figure_over_http(replay, lena):
    url = reverse("api-policy-replay-calls", args=[replay.version_id, replay.pk])
    for key in ("calls", "blocked", "review", "unpriced"):
        found = lena.get(url + f"?figure={key}").json()
        assert (found["count"], len(found["calls"])) == (fifty.DRAFT[key], fifty.DRAFT[key])
        assert (found["more"], found["ended"]) == (False, False)
    lowered = lena.get(url + "?figure=lowered&workflow=legal").json()
    assert lowered["calls"] == []
    one = lena.get(url + "?rule=night").json()["calls"][0]
    assert (one["cost"], one["live"]["cost"], one["draft"]["cost"], one["draft"]["model"]) == ("4", "4", "2", "cheap")
    assert [reason["code"] for reason in one["draft"]["reasons"]] == ["rule", "tier_lowered"]
    unknown = lena.get(url + "?figure=unpriced").json()["calls"][0]
    assert unknown["draft"]["cost"] is None
    assert lena.get(url + "?figure=zebra").status_code == 404


def test_each_call_as_by_hand(replay, lena):
    """Every line of the table: what is decided of it, and what it costs."""
    found = sorted(lines(lena, "policy-replay-calls-csv", replay), key=lambda line: line["time"])
    expected = []
    n = 0
    for many, when, *_, (happened, live, live_cost, draft, draft_cost) in fifty.CALLS:
        for _ in range(many):
            n += 1
            expected.append((when[:16], n, (happened, live, live_cost, draft, draft_cost)))
    expected.sort(key=lambda one: (one[0], one[1]))

    def known(text):
        return None if text == "" else float(text)

    for line, (_, _, row) in zip(found, expected, strict=True):
        assert (
            known(line["cost"]), line["live_action"], known(line["live_cost"]), line["draft_action"],
            known(line["draft_cost"]),
        ) == row, line  # fmt: skip


def test_the_page_of_calls_shows_fifty_and_says_how_many(replay, lena):
    url = reverse("policy-replay-calls", args=[replay.version_id, replay.pk])
    page = lena.get(url + "?figure=blocked").content.decode()
    assert "8 calls" in page
    assert "in no tier, and only listed models may be used" in page
    assert "Page 1" not in page
    assert lena.get(url + "?figure=zebra&side=zebra&workflow=%00&tier=x&page=-3").status_code == 200
