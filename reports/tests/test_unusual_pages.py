"""Pages of unusual spend: list, filters, one finding, card, CSV, handling, roles, counts of statements."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from budgets.access.keys import KeyHolder
from budgets.models import NANO, AuditEntry
from reports.models import Finding
from reports.tests.unusual_made import DAY, HOUR, NOW, QUARTER, a_company, a_workflow
from reports.unusual.drawing import labels_of
from reports.unusual.scopes import epoch
from routing.tests.alerting import client_of

pytestmark = pytest.mark.django_db


def a_finding(of, since=NOW - 3 * HOUR, dollars=(40, 30), **more):
    """Some quarter hours, of which two dollars each are usual."""
    points = [
        [epoch(since + n * QUARTER), spent * NANO, 2 * NANO, NANO, 3 * NANO]
        for n, spent in enumerate((1, *dollars), -1)
    ]
    actual, expected = sum(dollars) * NANO, 2 * NANO * len(dollars)
    values = {
        "kind": "usual", "dimension": "workflow", "key": str(of.pk), "workflow": of, "team": of.team,
        "name": of.name, "measures": ["money", "calls"], "grain": 900, "since": since, "found_at": since + HOUR,
        "until": since + len(dollars) * QUARTER, "actual": actual, "expected": expected, "amount": actual - expected,
        "points": points, "peaks": {"money:900": 40.0}, "cause": "More runs: 400 instead of 20.",
    }  # fmt: skip
    return Finding.objects.create(**(values | more))


@pytest.fixture
def finding():
    a_company()
    return a_finding(a_workflow())


@pytest.fixture
def lena(client):
    client.force_login(User.objects.create_superuser("lena", password="a-long-horse-for-tests"))
    return client


def test_the_list_says_what_stands_out(lena, finding, django_assert_num_queries):
    for n in range(3):
        a_finding(finding.workflow, NOW - (n + 2) * DAY, owner=User.objects.get(), ended_at=NOW)
    with django_assert_num_queries(10):
        page = lena.get("/unusual/")
    text = page.content.decode()
    assert "$66 more than usual for Ad copy" in text
    assert "More runs: 400 instead of 20." in text and "To check" in text and "Wed 18 Nov, 10:00" in text


def test_filters_and_what_is_ignored(lena, finding):
    a_finding(finding.workflow, NOW - 2 * DAY, state="fixed", kind="loop", subject="run-7", name="Agent")
    for query, shown in (
        ("?state=fixed", 1), ("?state=open", 1), ("?kind=loop", 1), ("?team=growth", 2), ("?q=agent", 1),
        ("?q=run-7", 1), ("?own=1", 0), ("?state=none&page=x", 2),
    ):  # fmt: skip
        page = lena.get(f"/unusual/{query}")
        assert page.status_code == 200
        assert page.content.decode().count('<li id="unusual-') == shown, query
        csv = b"".join(lena.get(f"/export/unusual.csv{query}").streaming_content).decode()
        assert csv.count("\r\n") == shown + 1, query
    note = lena.get("/unusual/?state=none&thing=1").content.decode()
    assert "“none” is no state of unusual spend; this page has no filter “thing”. It was ignored." in note


def test_nothing_yet_says_from_when(lena):
    a_company()
    text = lena.get("/unusual/").content.decode()
    assert "Unusual spend is looked for from" in text and "Nothing unusual so far" in text
    assert "Starts on" in lena.get("/unusual/card/").content.decode()


def test_one_finding_shows_what_was_spent_against_what_is_usual(lena, finding, django_assert_num_queries):
    with django_assert_num_queries(10):
        page = lena.get(f"/unusual/{finding.pk}/")
    text = page.content.decode()
    for said in ("$66.00", "$70.00", "$4.00", "<polygon", 'class="is"', 'class="was"', "Alert me next time"):
        assert said in text, said
    assert text.count("<tr>") == 4  # head, two quarter hours, total: what was before is in the chart alone
    rows = b"".join(lena.get(f"/export/unusual/{finding.pk}.csv").streaming_content).decode().splitlines()
    assert rows[1] == "2026-11-18T09:00:00+00:00,40.00,2.00,1.00,3.00,38.00,USD"
    assert len(rows) == 3


def test_the_runs_that_it_comes_from_take_one_statement(lena, finding, django_assert_num_queries):
    Finding.objects.update(runs=["r-1", "r-2", "r-3"])
    with django_assert_num_queries(11):
        page = lena.get(f"/unusual/{finding.pk}/")
    assert page.content.decode().count("Stop this run") == 3


def test_what_cannot_be_said_is_not_guessed(lena, finding):
    Finding.objects.update(expected=None, amount=None, points=[[epoch(finding.since), 7 * NANO, None, None, None]])
    text = lena.get(f"/unusual/{finding.pk}/").content.decode()
    assert "Cannot be said: too little was known before" in text and "not known yet" in text
    assert "$70 for Ad copy" in text


def test_the_card_of_the_overview(lena, finding, django_assert_num_queries):
    with django_assert_num_queries(7):
        text = lena.get("/unusual/card/").content.decode()
    assert "$66 more than usual for Ad copy" in text and "This was expected" in text
    Finding.objects.update(state="fixed")
    assert "more than usual" not in lena.get("/unusual/card/").content.decode()


@pytest.mark.parametrize(
    ("what", "state", "taught"),
    [("expected", "expected", True), ("checking", "checking", False), ("fixed", "fixed", False)],
)
def test_saying_how_it_stands_and_undoing_it(lena, finding, what, state, taught):
    answer = lena.post(f"/unusual/{finding.pk}/{what}/", follow=True)
    assert answer.status_code == 200
    finding.refresh_from_db()
    assert (finding.state, finding.taught) == (state, taught)
    assert (finding.owner is not None) == (what == "checking")
    entry = AuditEntry.objects.filter(object_type="reports.finding").latest("pk")
    assert entry.before["state"] == "open" and entry.after["state"] == state
    lena.post(f"/unusual/{finding.pk}/undo/{entry.pk}/")
    finding.refresh_from_db()
    assert (finding.state, finding.taught, finding.owner) == ("open", False, None)
    again = lena.post(f"/unusual/{finding.pk}/undo/{entry.pk}/")
    assert again.status_code == 409 and "Somebody changed this since" in again.content.decode()
    history = lena.get("/history/").content.decode()
    assert "the unusual spend of" in history


def test_a_fragment_gets_the_row_with_a_toast(lena, finding):
    answer = lena.post(f"/unusual/{finding.pk}/expected/", {"row": "1"}, headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert text.startswith(f'<li id="unusual-{finding.pk}"') and "Undo" in text
    assert "will be quiet" in answer["HX-Trigger"]


def test_it_is_given_to_somebody_who_sees_it(lena, finding):
    User.objects.create_user("stranger")
    assert lena.post(f"/unusual/{finding.pk}/owner/", {"owner": "stranger"}).status_code == 422
    assert lena.post(f"/unusual/{finding.pk}/owner/", {"owner": "nobody-is-called-so"}).status_code == 422
    assert lena.post(f"/unusual/{finding.pk}/owner/", {"owner": "lena"}).status_code == 302
    finding.refresh_from_db()
    assert finding.owner.username == "lena"
    lena.post(f"/unusual/{finding.pk}/owner/", {"owner": ""})
    finding.refresh_from_db()
    assert finding.owner is None


def test_people_of_a_team_see_their_workflows_only(finding):
    other = a_workflow("logs", "ops")
    theirs = a_finding(other)
    a_finding(finding.workflow, dimension="model", key="gpt-4.1", name="gpt-4.1", workflow=None, team=None)
    ana = client_of("ana", "budget_owner", finding.team)
    text = ana.get("/unusual/").content.decode()
    assert text.count('<li id="unusual-') == 1 and f"unusual-{finding.pk}" in text
    assert ana.get(f"/unusual/{theirs.pk}/").status_code == 404
    assert ana.post(f"/unusual/{theirs.pk}/expected/").status_code == 404
    assert ana.post(f"/unusual/{finding.pk}/expected/").status_code == 302
    assert client_of("ben", "viewer", finding.team).post(f"/unusual/{finding.pk}/fixed/").status_code == 403
    assert Client().get("/unusual/").status_code == 302


def test_what_was_taken_back_since_is_nothing_above_usual(lena, finding):
    Finding.objects.update(actual=0, expected=4 * NANO, amount=-4 * NANO)
    assert "Nothing above usual is left for Ad copy" in lena.get("/unusual/").content.decode()
    assert "Ad copy" not in lena.get("/unusual/card/").content.decode()


def test_filters_do_not_say_which_other_teams_there_are(finding):
    a_workflow("logs", "ops")
    olga = client_of("olga", "budget_owner", finding.team)
    notes = [olga.get(f"/unusual/?team={team}").context["chosen"].note for team in ("ops", "nobody", "growth")]
    assert [note.replace("ops", "nobody") for note in notes] == [notes[1], notes[1], ""]


def test_a_workflow_that_is_merged_or_moves_takes_its_findings_along(finding):
    other = a_workflow("logs", "ops")
    ben = client_of("ben", "viewer", other.team)
    assert ben.get(f"/unusual/{finding.pk}/").status_code == 404
    finding.workflow.team = other.team
    finding.workflow.save()
    assert ben.get(f"/unusual/{finding.pk}/").status_code == 200


def test_over_http(finding, monkeypatch):
    ops = frozenset({a_workflow("logs", "ops").team.pk})
    known = {
        name: KeyHolder(1, name, 1, "agent", (("agent", 1),), frozenset({scope}), None, teams)
        for name, scope, teams in (
            ("reader", "read", frozenset()),
            ("admin", "admin", frozenset()),
            ("ops", "admin", ops),
        )
    }
    monkeypatch.setattr("budgets.access.drf.find", known.get)
    secret, admin, limited = known

    def ask(method, path, key, body=None):
        client = Client(headers={"authorization": f"Bearer {key}"})
        return getattr(client, method)(f"/api/v1/findings{path}", body, content_type="application/json")

    (one,) = ask("get", "", secret).json()["results"]
    assert (one["above_usual"], one["spent"], one["usual"], one["state"]) == ("66", "70", "4", "open")
    assert [point["spent"] for point in one["points"]] == ["40", "30"]
    assert ask("get", "?state=fixed", secret).json()["results"] == []
    assert ask("get", "?state=gone", secret).status_code == 422
    assert ask("get", f"/{finding.pk}", limited).status_code == 404
    assert ask("post", f"/{finding.pk}/state", secret, {"state": "fixed"}).status_code == 403
    assert ask("post", f"/{finding.pk}/state", admin, {}).status_code == 422
    answer = ask("post", f"/{finding.pk}/state", admin, {"state": "expected", "reason": "A launch"})
    assert (answer.status_code, answer.json()["taught"]) == (200, True)
    assert AuditEntry.objects.latest("pk").reason == "A launch"


def test_only_posts_change(lena, finding):
    for path in ("expected", "checking", "fixed", "reopen", "owner", "take-back", "undo/1"):
        assert lena.get(f"/unusual/{finding.pk}/{path}/").status_code == 405


def test_times_stand_below_the_bars_that_they_are_of():
    hours = [f"Sun 22 Nov, {n:02}:00" for n in range(21, 24)] + [f"Mon 23 Nov, {n:02}:00" for n in range(10)]
    first, second, *_, last = labels_of(hours)
    assert (first.x, first.clock, first.day, first.day_ends) == (0, "21:00", "Sun 22 Nov", False)
    assert (second.x, second.clock, second.day) == (30.77, "01:00", "Mon 23 Nov")  # the fifth of thirteen bars
    assert (last.x, last.clock, last.day, last.clock_ends) == (92.31, "09:00", "", True)
    assert [one.day for one in labels_of([f"{n} Nov" for n in range(1, 4)])] == ["1 Nov", "2 Nov", "3 Nov"]
    assert labels_of([]) == ()
