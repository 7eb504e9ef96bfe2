"""The pages of previews, and asking for one over HTTP."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from budgets.access.keys import make_key
from budgets.models import Organisation
from routing.models import PolicyReplay, PolicyVersion
from routing.replay.basis import offsets_between
from routing.replay.take import ask, replay_waiting
from routing.tests import replaying
from routing.tests.replaying import ACTOR, ENDS, STARTS
from tests.people import someone, viewer

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = {"first_day": "2026-10-01", "last_day": "2026-10-31", "workflow": ""}


@pytest.fixture
def draft():
    version = replaying.company()
    replaying.add_calls(120)
    return version


@pytest.fixture
def lena(client):
    client.force_login(User.objects.create_superuser("lena"))
    return client


@pytest.fixture
def done(draft):
    replay, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    replay_waiting()
    replay.refresh_from_db()
    assert replay.state == "done"
    return replay


def test_asked_for_watched_and_done(draft, lena):
    url = reverse("policy-preview", args=[draft.pk])
    page = lena.get(url).content.decode()
    assert "No preview yet" in page
    today = Organisation.get().local(timezone.now()).date()
    last = today.replace(day=1) - timedelta(days=1)
    assert f'value="{last.isoformat()}"' in page  # last month
    answer = lena.post(url, DAYS)
    replay = PolicyReplay.objects.get()
    # Midnights of Berlin, on both sides of the clocks' change.
    assert (replay.starts_at.isoformat(), replay.ends_at.isoformat()) == (
        "2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00",
    )  # fmt: skip
    assert answer["Location"] == reverse("policy-replay", args=[draft.pk, replay.pk])
    progress = reverse("policy-replay-progress", args=[draft.pk, replay.pk])
    assert "It starts in a moment" in lena.get(answer["Location"]).content.decode()
    assert progress in lena.get(progress).content.decode()
    PolicyReplay.objects.update(state="running", calls=3000, taken=1000, done=250)
    body = lena.get(progress).content.decode()
    assert "250 of 1,000 calls, a sample of 3,000" in body
    PolicyReplay.objects.update(state="waiting")
    replay_waiting()
    body = lena.get(progress).content.decode()
    assert progress not in body
    assert "<html" not in body
    assert "On the 120 calls of 1–31 Oct 2026 this draft would have spent" in body
    assert "On the 120 calls" in lena.get(url).content.decode()


def test_a_second_click_is_the_same_preview(draft, lena):
    url = reverse("policy-preview", args=[draft.pk])
    first, second = lena.post(url, DAYS), lena.post(url, DAYS)
    assert first["Location"] == second["Location"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"first_day": "2026-10-31", "last_day": "2026-10-01"}, "must not come before"),
        ({"first_day": "2020-10-01"}, "at most 400 days"),
        ({"first_day": "yesterday"}, "Choose a day"),
        ({"first_day": "1900-01-01"}, "Choose a day from 2000"),
        ({"workflow": "nobody"}, "no such workflow"),
        ({"workflow": "\0"}, ""),
    ],
)
def test_what_is_refused_is_said_beside_its_field(draft, lena, values, said):
    answer = lena.post(reverse("policy-preview", args=[draft.pk]), DAYS | values)
    if said:
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert not PolicyReplay.objects.exists()
    else:
        assert answer.status_code in {302, 422}


def test_a_workflow_is_found_by_its_name(draft, lena):
    lena.post(reverse("policy-preview", args=[draft.pk]), DAYS | {"workflow": "many 1"})
    assert PolicyReplay.objects.get().workflow == "many-1"


def test_stopped(draft, lena):
    lena.post(reverse("policy-preview", args=[draft.pk]), DAYS)
    replay = PolicyReplay.objects.get()
    stop = reverse("policy-replay-stop", args=[draft.pk, replay.pk])
    assert lena.get(stop).status_code == 405
    lena.post(stop)
    page = lena.get(reverse("policy-replay", args=[draft.pk, replay.pk])).content.decode()
    assert "Called off" in page
    assert lena.get(reverse("policy-replay-csv", args=[draft.pk, replay.pk])).status_code == 404
    assert lena.get(reverse("policy-replay-calls", args=[draft.pk, replay.pk])).status_code == 404


def test_an_edit_since_is_said(draft, done, lena):
    url = reverse("policy-replay", args=[draft.pk, done.pk])
    assert "changed since" not in lena.get(url).content.decode()
    draft.edit_version += 1
    draft.save()
    assert "The draft was changed since" in lena.get(url).content.decode()


def test_a_discarded_draft_is_not_tried(draft, lena):
    draft.state = "discarded"
    draft.save()
    url = reverse("policy-preview", args=[draft.pk])
    assert "was discarded" in lena.get(url).content.decode()
    assert lena.post(url, DAYS).status_code == 422
    assert not PolicyReplay.objects.exists()


def test_who_may_look_and_who_may_ask(draft, done, client):
    client.force_login(viewer())
    url = reverse("policy-preview", args=[draft.pk])
    page = client.get(url).content.decode()
    assert "takes the right to change the policy" in page
    assert '<form class="body form"' not in page
    assert client.post(url, DAYS).status_code == 403
    assert client.post(reverse("policy-replay-stop", args=[draft.pk, done.pk])).status_code == 403
    client.force_login(someone("policy_admin"))
    assert client.post(url, DAYS).status_code == 302


def test_not_of_another_draft(draft, done, lena):
    for name in ("policy-replay", "policy-replay-progress", "policy-replay-calls", "policy-replay-csv"):
        assert lena.get(reverse(name, args=[draft.pk + 1, done.pk])).status_code == 404
    assert lena.get(reverse("policy-preview", args=[draft.pk + 1])).status_code == 404


def test_no_calls_at_all(draft, lena):
    ask(ACTOR, draft.pk, STARTS.replace(year=2025), ENDS.replace(year=2025))
    replay_waiting()
    page = lena.get(reverse("policy-preview", args=[draft.pk])).content.decode()
    assert "There are no calls in" in page


@pytest.mark.parametrize(("calls", "workflows"), [(30, 3), (600, 30)])
def test_however_many_calls_the_page_asks_as_often(client, django_assert_num_queries, calls, workflows):
    version = replaying.company(workflows)
    replaying.add_calls(calls)
    replay, _ = ask(ACTOR, version.pk, STARTS, ENDS)
    replay_waiting()
    client.force_login(User.objects.create_superuser("lena"))
    one = reverse("policy-replay", args=[version.pk, replay.pk])
    client.get(one)
    with django_assert_num_queries(9):
        client.get(one)
    with django_assert_num_queries(9):
        client.get(reverse("policy-replay-calls", args=[version.pk, replay.pk]))


def test_a_list_of_calls_page_by_page(draft, done, lena):
    url = reverse("policy-replay-calls", args=[draft.pk, done.pk])
    first, last = lena.get(url).content.decode(), lena.get(url + "?page=3").content.decode()
    assert first.count("run run-") == 50
    assert "?page=2" in first
    assert last.count("run run-") == 20
    assert 'rel="next"' not in last
    assert "No such calls" in lena.get(url + "?page=4").content.decode()


def test_a_list_that_takes_too_long_says_where_it_ended(draft, done, lena, monkeypatch):
    from routing.replay import lists

    monkeypatch.setattr(lists, "LOOKED_AT", 40)
    page = lena.get(reverse("policy-replay-calls", args=[draft.pk, done.pk])).content.decode()
    assert "Only the first 40 calls were looked at" in page


# Over HTTP.


def test_asked_over_http(draft, client):
    _, plain = make_key("admin", ["admin"])
    _, reading = make_key("reader", ["read"])
    headers = {"authorization": f"Bearer {plain}"}
    url = reverse("api-policy-replays", args=[draft.pk])
    days = {"first_day": "2026-10-01", "last_day": "2026-10-31"}
    answer = client.post(url, days, "application/json", headers=headers)
    assert answer.status_code == 202
    asked = answer.json()
    assert (asked["state"], asked["result"], asked["is_current"]) == ("waiting", None, True)
    assert client.post(url, days, "application/json", headers=headers).status_code == 200
    assert client.post(url, days, "application/json", headers={"authorization": f"Bearer {reading}"}).status_code == 403
    replay_waiting()
    one = reverse("api-policy-replay", args=[draft.pk, asked["id"]])
    found = client.get(one, headers={"authorization": f"Bearer {reading}"}).json()
    assert (found["state"], found["result"]["total"]["happened"]["calls"]) == ("done", 120)
    listed = client.get(url, headers=headers).json()["results"]
    assert [row["id"] for row in listed] == [asked["id"]]
    assert "result" not in listed[0]
    assert client.post(one + "/stop", headers=headers).status_code == 409
    assert client.get(reverse("api-policy-replays", args=[draft.pk + 1]), headers=headers).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"first_day": "2026-10-31", "last_day": "2026-10-01"},
        {"first_day": "2020-10-01", "last_day": "2026-10-01"},
        {"first_day": "0001-01-01", "last_day": "0001-01-02"},
        {"first_day": "9999-12-31", "last_day": "9999-12-31"},
        {"workflow": "nobody"},
        {"workflow": 7.5},
        {"first_day": "x"},
        [],
    ],
)
def test_what_is_refused_over_http(draft, client, body):
    _, plain = make_key("admin", ["admin"])
    answer = client.post(
        reverse("api-policy-replays", args=[draft.pk]), body, "application/json",
        headers={"authorization": f"Bearer {plain}"},
    )  # fmt: skip
    assert answer.status_code in {400, 422}
    assert answer["Content-Type"] == "application/problem+json"
    assert not PolicyReplay.objects.exists()


def test_a_key_of_a_team_does_not_come_in(draft, client):
    from budgets.models import Team

    key, plain = make_key("team", ["admin", "read"])
    key.teams.set(Team.objects.all())
    answer = client.get(reverse("api-policy-replays", args=[draft.pk]), headers={"authorization": f"Bearer {plain}"})
    assert answer.status_code == 403


def test_a_published_version_is_tried_too(draft, lena):
    """Before going back to it, for instance."""
    live = PolicyVersion.objects.get(live=True)
    ask(ACTOR, live.pk, STARTS, ENDS)
    replay_waiting()
    page = lena.get(reverse("policy-preview", args=[live.pk])).content.decode()
    assert "this version would have spent" in page
    assert "as much as the policy in force" in page
    assert "This version" in page
    assert "his draft" not in page.split("How it is worked out")[0]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"])
def test_the_clocks_of_a_long_window(zone):
    """Every change of the clocks within 400 days is known to the decision."""
    organisation = Organisation(time_zone=zone)
    starts = datetime(2025, 1, 10, tzinfo=UTC)
    ends = starts + timedelta(days=400)
    offsets = [(datetime.fromisoformat(one.since), one.minutes) for one in offsets_between(organisation, starts, ends)]
    at = starts
    while at < ends:
        minutes = [minutes for since, minutes in offsets if since <= at][-1]
        assert timedelta(minutes=minutes) == at.astimezone(ZoneInfo(zone)).utcoffset(), at
        at += timedelta(hours=5)
