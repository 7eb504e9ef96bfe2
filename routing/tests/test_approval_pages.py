"""Asking and deciding in the browser and over HTTP, as the people and keys who do it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets.access.keys import make_key
from budgets.approvals.rules import may_decide
from budgets.approvals.waiting import waiting_for
from budgets.models import (
    NANO,
    ApprovalRequest,
    ApprovalRule,
    AuditEntry,
    Budget,
    Grant,
    Membership,
    Organisation,
    Team,
    Workflow,
)

pytestmark = pytest.mark.django_db
ASK = {"workflow": "briefs", "tier": "3", "runs": "40", "ceiling": "300", "reason": "Launch of <b>Spring</b>"}


@pytest.fixture(autouse=True)
def company():
    Organisation.objects.get_or_create(id=1)
    content = Team.objects.create(slug="content", name="Content")
    other = Team.objects.create(slug="ads", name="Ads")
    Workflow.objects.create(slug="briefs", name="SEO briefs", status="production", team=content, default_tier=1)
    Workflow.objects.create(slug="copy", name="Ad copy", status="production", team=other, default_tier=1)
    Budget.objects.create(slug="all", name="Everything", amount=1000 * NANO)


def client_of(name: str, role: str = "", team: str = "", **values) -> Client:
    user = User.objects.create_user(name, first_name=name.title(), **values)
    if role:
        Membership.objects.create(user=user, role=role, team=Team.objects.filter(slug=team).first())
    client = Client()
    client.force_login(user)
    client.person = user
    return client


@pytest.fixture
def kim():
    return client_of("kim", "budget_owner", "content")


@pytest.fixture
def lena():
    return client_of("lena", "approver", "content")


def asked(client: Client, kind: str = "premium", **values) -> ApprovalRequest:
    answer = client.post(f"/approvals/new/?kind={kind}", ASK | values)
    assert answer.status_code == 302, answer.content.decode()
    return ApprovalRequest.objects.order_by("-pk").first()


def test_asked_approved_and_undone(kim, lena):
    request = asked(kim)
    assert (request.state, request.ceiling, request.runs, request.team.slug) == ("waiting", 300 * NANO, 40, "content")
    own = kim.get(f"/approvals/{request.pk}/").content.decode()
    assert "Someone else has to approve it" in own and ">Approve<" not in own
    assert "Launch of &lt;b&gt;Spring&lt;/b&gt;" in own
    page = lena.get("/approvals/").content.decode()
    assert "Premium models for SEO briefs" in page and "1 waits for you" in page and ">Approve<" in page
    assert lena.post(f"/approvals/{request.pk}/approve/").status_code == 302
    grant = Grant.objects.get()
    assert (grant.tier, grant.ceiling, grant.ceiling_runs, grant.scope) == (3, 300 * NANO, 40, {"workflow": "briefs"})
    page = lena.get(f"/approvals/{request.pk}/").content.decode()
    assert grant.key in page and "$0.00 of at most $300.00 spent in 0 runs of 40" in page
    assert lena.post(f"/approvals/{request.pk}/undo/").status_code == 302
    grant.refresh_from_db()
    assert grant.end == "undone"
    acts = AuditEntry.objects.filter(object_type="budgets.approvalrequest").order_by("pk").values_list("act", "origin")
    assert [act for act, _ in acts] == ["asked", "approved", "undid the approval of"]
    assert {origin for _, origin in acts} == {"web"}


def test_a_fragment_gets_the_row_the_counters_and_a_toast(kim, lena):
    request = asked(kim)
    answer = lena.post(f"/approvals/{request.pk}/approve/", {"row": "1"}, headers={"hx-request": "true"})
    said = answer.content.decode()
    assert answer.status_code == 200 and f'id="req-{request.pk}"' in said and "hx-swap-oob" in said
    assert "toast" in answer["HX-Trigger"] and "Lena approved this" in said and ">Undo<" in said


def test_a_decline_says_why(kim, lena):
    request = asked(kim)
    fragment = {"hx-request": "true"}
    answer = lena.post(f"/approvals/{request.pk}/decline/", {"row": "1", "reason": " "}, headers=fragment)
    assert answer.status_code == 422 and "Say why" in answer.content.decode()
    assert lena.post(f"/approvals/{request.pk}/decline/", {"reason": "Too dear"}).status_code == 302
    assert "Too dear" in kim.get(f"/approvals/{request.pk}/").content.decode()
    assert "Too dear" in kim.get("/approvals/?tab=decided").content.decode()


def test_the_second_is_told_who_decided(kim, lena):
    request = asked(kim)
    omar = client_of("omar", "administrator")
    lena.post(f"/approvals/{request.pk}/decline/", {"reason": "No"})
    page = omar.post(f"/approvals/{request.pk}/approve/")
    assert page.status_code == 409 and "Lena declined this" in page.content.decode()
    row = omar.post(f"/approvals/{request.pk}/approve/", {"row": "1"}, headers={"hx-request": "true"})
    assert row.status_code == 409 and "Lena declined this" in row.content.decode()
    assert not Grant.objects.exists()


def test_nobody_decides_their_own_and_strangers_see_nothing(kim, lena):
    request = asked(lena)
    assert lena.post(f"/approvals/{request.pk}/approve/").status_code == 403
    stranger = client_of("sam", "approver", "ads")
    for act in ("approve", "decline", "undo", "withdraw"):
        assert stranger.post(f"/approvals/{request.pk}/{act}/", {"reason": "x"}).status_code == 404
    assert stranger.get(f"/approvals/{request.pk}/").status_code == 404
    assert "SEO briefs" not in stranger.get("/approvals/").content.decode()
    viewer = client_of("vic", "viewer")
    seen = viewer.get(f"/approvals/{request.pk}/").content.decode()
    assert "SEO briefs" in seen and ">Approve<" not in seen
    assert viewer.post(f"/approvals/{request.pk}/approve/").status_code == 403
    request.refresh_from_db()
    assert request.state == "waiting"
    assert lena.post(f"/approvals/{request.pk}/withdraw/").status_code == 302


def test_a_bigger_budget(kim):
    omar = client_of("omar", "administrator")
    request = asked(client_of("fin", "finance"), "budget", budget="all", amount="1,200.50")
    assert omar.post(f"/approvals/{request.pk}/approve/").status_code == 302
    assert Budget.objects.get(slug="all").amount == 1_200_500_000_000
    omar.post(f"/approvals/{request.pk}/undo/")
    assert Budget.objects.get(slug="all").amount == 1000 * NANO


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"workflow": ""}, "Choose the workflow"),
        ({"workflow": "copy"}, "Select a valid choice"),
        ({"tier": "1"}, "may use"),
        ({"runs": "0"}, "greater than or equal to 1"),
        ({"ceiling": "-5"}, "above zero"),
        ({"ceiling": "1e99"}, "above zero"),
        ({"runs": "", "ceiling": ""}, "Say the most that may be spent"),
        ({"until": "2020-01-01T00:00"}, "This time is over"),
        ({"reason": ""}, "Say why"),
        ({"reason": "\0"}, "Null characters are not allowed"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_asked(kim, values, said):
    answer = kim.post("/approvals/new/?kind=premium", ASK | values)
    assert answer.status_code == 422 and said in answer.content.decode()
    assert not ApprovalRequest.objects.exists()


def test_a_form_sent_twice_asks_once(kim):
    asked(kim, once="same")
    asked(kim, once="same")
    assert ApprovalRequest.objects.count() == 1


def test_the_csv_has_the_pages_rows(kim, lena):
    asked(kim)
    lines = b"".join(lena.get("/export/approvals.csv").streaming_content).decode().splitlines()
    assert len(lines) == 2 and "Premium models for SEO briefs" in lines[1] and "300.00" in lines[1]
    assert len(b"".join(lena.get("/export/approvals.csv?kind=budget").streaming_content).splitlines()) == 1


def test_statements_do_not_grow_with_requests(kim, lena, django_assert_num_queries):
    for n in range(3):
        asked(kim, once=str(n))
    lena.post(f"/approvals/{ApprovalRequest.objects.first().pk}/approve/")
    pages = ("/approvals/", "/approvals/?tab=decided", "/approvals/card/", "/api/v1/approval-requests")
    lena.get("/approvals/")
    few = []
    for path in pages:
        with CaptureQueriesContext(connection) as seen:
            lena.get(path)
        few.append(len(seen))
    for n in range(3, 12):
        one = asked(kim, once=str(n))
        if n % 2:
            lena.post(f"/approvals/{one.pk}/decline/", {"reason": "No"})
    for path, count in zip(pages, few, strict=True):
        with django_assert_num_queries(count):
            lena.get(path)


def test_the_count_and_the_card(kim, lena):
    assert lena.get("/approvals/card/").content.strip() == b""
    asked(kim)
    assert b"1" in lena.get("/approvals/count/").content
    assert lena.get("/approvals/count/?known=1").status_code == 204
    assert b"Waiting for you" in lena.get("/approvals/card/").content
    assert kim.get("/approvals/card/").content.strip() == b""


def test_waiting_for_is_may_decide_for_everyone_and_every_request(kim, lena):
    """Administrators, named people, roles, teams, askers and voters: both answers agree."""
    people = [kim, lena, client_of("omar", "administrator"), client_of("sam", "approver", "ads")]
    people += [client_of("wide", "approver"), client_of("none"), client_of("root", is_superuser=True)]
    users = [one.person for one in people]
    named = ApprovalRule.objects.create(position=1, name="Named", team=Team.objects.get(slug="content"))
    requests = [asked(kim, once="1"), asked(lena, once="2"), asked(people[2], once="3", workflow="copy")]
    for chosen, needed in (([], 1), ([users[0], users[5]], 1), ([users[0]], 2), ([users[1]], 1)):
        named.people.set(chosen)
        ApprovalRule.objects.filter(pk=named.pk).update(approvers_needed=needed)
        ApprovalRequest.objects.filter(team__slug="content").update(rule=named, approvers_needed=needed)
        for user in users:
            at_once = set(waiting_for(user).values_list("pk", flat=True))
            one_by_one = {row.pk for row in ApprovalRequest.objects.filter(pk__in=[r.pk for r in requests])
                          if may_decide(user, row)}  # fmt: skip
            assert at_once == one_by_one, (user.username, [one.username for one in chosen], needed)


def api(client: Client, key: str, path: str, body=None, **headers):
    headers = {"authorization": f"Bearer {key}", **headers}
    if body is None:
        return client.get(f"/api/v1/{path}", headers=headers)
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


@pytest.mark.django_db(transaction=True)
def test_an_agent_asks_once_with_its_key_and_a_person_decides(lena):
    _, key = make_key("agent", ["request"])
    _, reader = make_key("reader", ["read"])
    sent = {"kind": "premium", "workflow": "briefs", "tier": 3, "ceiling": "25.5", "reason": "Hard brief"}
    first = api(Client(), key, "approval-requests", sent, idempotency_key="a1")
    again = api(Client(), key, "approval-requests", sent, idempotency_key="a1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"] and first.json()["ceiling"] == "25.5"
    other = api(Client(), key, "approval-requests", sent | {"tier": 2}, idempotency_key="a1")
    assert other.status_code == 409 and other["Content-Type"] == "application/problem+json"
    path = f"approval-requests/{first.json()['id']}"
    assert api(Client(), key, f"{path}/approve", {}).status_code == 403  # keys do not decide
    assert lena.post(f"/approvals/{first.json()['id']}/approve/").status_code == 302
    seen = api(Client(), key, path).json()
    assert seen["state"] == "approved" and seen["grant"]["ceiling"] == "25.5"
    assert api(Client(), reader, "approval-requests", sent).status_code == 403
    assert [one["id"] for one in api(Client(), reader, "grants?running=1").json()["results"]] == [seen["grant"]["id"]]


def test_people_decide_over_http_too(kim, lena):
    request = asked(kim)
    path = f"/api/v1/approval-requests/{request.pk}"
    said = lena.post(f"{path}/decline", {}, content_type="application/json")
    assert said.status_code == 422, said.content
    answer = lena.post(f"{path}/approve", {"ceiling": "100"}, content_type="application/json")
    assert answer.status_code == 200 and answer.json()["grant"]["ceiling"] == "100"
    again = lena.post(f"{path}/decline", {"reason": "x"}, content_type="application/json")
    assert again.status_code == 409 and "Lena approved this" in again.json()["detail"]


def test_rules_are_made_moved_archived_and_undone():
    boss = client_of("omar", "administrator")
    before = ApprovalRule.objects.count()
    values = {
        "name": "Dear ones", "kinds": ["premium"], "above": "100", "role": "finance", "approvers_needed": "2",
        "second_after_hours": "4", "remind_before_hours": "6", "lapses_after_hours": "48",
    }  # fmt: skip
    assert boss.post("/approvals/rules/new/", values | {"name": ""}).status_code == 422
    assert boss.post("/approvals/rules/new/", values).status_code == 302
    rule = ApprovalRule.objects.get(name="Dear ones")
    page = boss.get("/approvals/rules/").content.decode()
    assert "from $100 extra" in page and "Two of: Finance" in page
    assert boss.post(f"/approvals/rules/{rule.pk}/", values | {"above": "200", "seen": "1"}).status_code == 302
    assert boss.post(f"/approvals/rules/{rule.pk}/", values | {"seen": "1"}).status_code == 409
    boss.post(f"/approvals/rules/{rule.pk}/move/", {"place": "1"})
    rule.refresh_from_db()
    assert (rule.position, rule.above) == (1, 200 * NANO)
    boss.post(f"/approvals/rules/{rule.pk}/archive/")
    entry = AuditEntry.objects.order_by("-pk").first()
    boss.post(f"/approvals/rules/undo/{entry.pk}/")
    rule.refresh_from_db()
    assert rule.archived_at is None and ApprovalRule.objects.count() == before + 1
    assert client_of("vic", "viewer").post("/approvals/rules/new/", values).status_code == 403


def test_one_that_lapsed_cannot_be_approved(kim, lena):
    request = asked(kim)
    ApprovalRequest.objects.update(lapses_at=timezone.now() - timedelta(minutes=1))
    answer = lena.post(f"/approvals/{request.pk}/approve/")
    assert answer.status_code == 409 and "Nobody decided in time" in answer.content.decode()


@pytest.mark.parametrize("query", ["?page=x", "?team=%00", "?tab=%27&kind=zzz&q=%00", "?q=" + "x" * 5000])
def test_hostile_queries_are_ignored(lena, query):
    assert lena.get(f"/approvals/{query}").status_code == 200
