"""The pages and the API of approved texts."""

import csv
import io

import pytest
from django.urls import reverse

from budgets.access.keys import KeyHolder
from budgets.models import AuditEntry, Organisation, Team, Workflow
from routing.models import Snippet
from routing.snippets.values import digest_of
from routing.tests.test_snippets import ACTOR, VALUES, edit, replace
from tests.people import someone

pytestmark = pytest.mark.django_db
TYPED = {"name": "Tone", "slug": "tone", "kind": "brand", "text": "As we speak.", "workflows": "ads", "team": "ours"}


@pytest.fixture
def company():
    Organisation.objects.get_or_create(id=1)
    ours, theirs = Team.objects.create(slug="ours", name="Ours"), Team.objects.create(slug="theirs", name="Theirs")
    Workflow.objects.create(slug="ads", name="Ads", team=ours)
    Workflow.objects.create(slug="mail", name="Mail", team=theirs)
    return ours, theirs


@pytest.fixture
def admin(client, company):
    user = someone("policy_admin")
    client.force_login(user)
    return client


@pytest.fixture
def tone(company):
    return edit.make_snippet(
        ACTOR, replace(VALUES, team_id=company[0].pk, workflows=(Workflow.objects.get(slug="ads").pk,))
    )


@pytest.fixture
def key_for(monkeypatch):
    """key_for(*scopes, teams=…) → the headers of such a key."""
    known = {}
    monkeypatch.setattr("budgets.access.drf.find", known.get)

    def make(*scopes, teams=()):
        bearer = f"{scopes} {[team.slug for team in teams]}"
        ids, slugs = frozenset(team.pk for team in teams), frozenset(team.slug for team in teams)
        known[bearer] = KeyHolder(7, bearer, 1, "gateway", (("gateway", 1),), frozenset(scopes), None, ids, slugs)
        return {"authorization": f"Bearer {bearer}"}

    return make


def test_from_the_first_text_to_the_second_version_and_back(admin):
    assert b"No approved text yet" in admin.get(reverse("snippets")).content
    answer = admin.post(reverse("snippet-new"), TYPED)
    assert answer["Location"] == "/routing/snippets/tone/"
    page = admin.get(answer["Location"]).content.decode()
    assert "As we speak." in page and "about 3 tokens, an estimate" in page and "not known: no calls yet" in page
    answer = admin.post(
        reverse("snippet-edit", args=["tone"]), {**TYPED, "text": "As they speak.", "note": "Calmer", "seen": "1"}
    )
    assert answer.status_code == 302
    page = admin.get(reverse("snippet-version", args=["tone", 2])).content.decode()
    assert "<del>As we speak.</del>" in page and "<ins>As they speak.</ins>" in page and "Calmer" in page
    entry = AuditEntry.objects.filter(object_type="routing.snippet").latest("id")
    admin.post(reverse("snippet-undo", args=["tone", entry.pk]))
    assert edit.newest_of(Snippet.objects.get()).text == "As we speak."
    assert Snippet.objects.get().versions.count() == 3


def test_what_is_wrong_is_said_at_its_field(admin, tone):
    for wrong, sentence in (
        ({"slug": "tone"}, "There is already a text with this short name"),
        ({"slug": "Not this"}, "Use small letters"),
        ({"text": " "}, "Write the text that is approved."),
        ({"slug": "x", "workflows": "ads, nothing-so"}, "There is no workflow called “nothing-so”."),
        ({"slug": "x", "team": "nobodys"}, "Select a valid choice"),
    ):
        answer = admin.post(reverse("snippet-new"), {**TYPED, **wrong})
        assert answer.status_code == 422, wrong
        assert sentence in answer.content.decode()
    assert Snippet.objects.count() == 1


def test_somebody_elses_change_is_not_lost(admin, tone):
    edit.save_snippet(ACTOR, tone, replace(VALUES, text="Theirs."))
    answer = admin.post(reverse("snippet-edit", args=["tone"]), {**TYPED, "seen": "1"})
    assert answer.status_code == 409
    assert "Somebody changed this text meanwhile" in answer.content.decode()
    assert edit.newest_of(tone).text == "Theirs."


def test_archived_it_leaves_the_list_and_comes_back(admin, tone):
    admin.post(reverse("snippet-archive", args=["tone"]))
    assert b"All texts are archived" in admin.get(reverse("snippets")).content
    assert b"Tone of voice" in admin.get(reverse("snippets") + "?state=archived").content
    admin.post(reverse("snippet-restore", args=["tone"]))
    assert b"Tone of voice" in admin.get(reverse("snippets")).content
    assert b"Tone of voice" not in admin.get(reverse("snippets") + "?kind=facts").content


def test_the_files_say_what_the_pages_say(admin, tone):
    def rows(path):
        return list(csv.DictReader(io.StringIO(admin.get(path).getvalue().decode())))

    (row,) = rows(reverse("snippets-csv"))
    assert (row["id"], row["tokens_estimated"], row["workflows"], row["caching_saves_at_most"]) == (
        "tone", "5", "Ads", "0.00",
    )  # fmt: skip
    (row,) = rows(reverse("snippet-versions-csv", args=["tone"]))
    assert (row["version"], row["sha256"]) == ("1", digest_of(VALUES.text))


def test_a_list_of_fifty_takes_no_more_statements(admin, company, django_assert_max_num_queries):
    for n in range(30):
        edit.make_snippet(ACTOR, replace(VALUES, slug=f"s{n}", workflows=(Workflow.objects.get(slug="ads").pk,)))
    admin.get(reverse("snippets"))
    with django_assert_max_num_queries(14):
        admin.get(reverse("snippets"))


def test_who_is_limited_to_a_team_reads_its_texts_and_those_that_its_workflows_use(client, company, tone):
    shared = edit.make_snippet(ACTOR, replace(VALUES, slug="shared", name="Shared", workflows=tone_workflows(tone)))
    edit.make_snippet(ACTOR, replace(VALUES, slug="secret", name="Secret", team_id=company[1].pk))
    client.force_login(someone("budget_owner", company[0]))
    page = client.get(reverse("snippets")).content.decode()
    assert "Tone of voice" in page and "Shared" in page and "Secret" not in page
    assert client.get(reverse("snippet", args=["secret"])).status_code == 404
    assert client.get(reverse("snippet", args=[shared.slug])).status_code == 200
    assert client.get(reverse("snippet-edit", args=[shared.slug])).status_code == 403
    assert client.post(reverse("snippet-archive", args=["secret"])).status_code == 404
    assert client.post(reverse("snippet-archive", args=["tone"])).status_code == 302


def tone_workflows(tone):
    return tuple(tone.workflows.values_list("pk", flat=True))


def test_a_viewer_changes_nothing(client, company, tone):
    client.force_login(someone("viewer"))
    assert client.get(reverse("snippet", args=["tone"])).status_code == 200
    for name, args in (("snippet-new", []), ("snippet-edit", ["tone"]), ("snippet-archive", ["tone"])):
        assert client.post(reverse(name, args=args), TYPED).status_code == 403
    assert b"New text" not in client.get(reverse("snippets")).content


# Over HTTP.


def test_a_gateway_reads_by_id_and_asks_again_for_nothing(client, tone, key_for):
    key = key_for("bundle")
    answer = client.get("/api/v1/snippets/tone", headers=key)
    told = answer.json()
    assert (told["id"], told["text"], told["version"], told["workflows"]) == ("tone", VALUES.text, 1, ["ads"])
    assert told["digest"] == digest_of(told["text"])
    again = client.get("/api/v1/snippets/tone", headers={**key, "if-none-match": answer["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])
    edit.save_snippet(ACTOR, tone, replace(VALUES, text="Other."))
    assert client.get("/api/v1/snippets/tone", headers={**key, "if-none-match": answer["ETag"]}).status_code == 200
    (listed,) = client.get("/api/v1/snippets", headers=key).json()["results"]
    assert listed["version"] == 2 and "text" not in listed


def test_keys_by_scope_and_team(client, company, tone, key_for):
    ours, theirs = company
    path = "/api/v1/snippets/tone"
    for headers, status in (
        ({}, 401),
        (key_for("ingest"), 403),
        (key_for("bundle"), 200),
        (key_for("read"), 200),
        (key_for("read", teams=[ours]), 200),
        (key_for("read", teams=[theirs]), 404),
    ):
        assert client.get(path, headers=headers).status_code == status
    sent = {"name": "Tone", "kind": "brand", "text": "New.", "team": "ours"}
    for headers, status in (
        (key_for("bundle", "read"), 403),
        (key_for("admin", teams=[theirs]), 404),
        (key_for("admin", teams=[ours]), 200),
    ):
        assert client.put(path, sent, "application/json", headers=headers).status_code == status
    assert client.post(
        "/api/v1/snippets", {**sent, "id": "company", "team": None}, "application/json",
        headers=key_for("admin", teams=[ours]),
    ).status_code == 422  # fmt: skip


def test_made_replaced_and_archived_over_http(client, company, key_for):
    key = key_for("admin")
    sent = {"id": "tone", "name": "Tone", "kind": "brand", "text": "One.", "workflows": ["ads"], "note": "First"}
    made = client.post("/api/v1/snippets", sent, "application/json", headers=key)
    assert (made.status_code, made.json()["tokens"]) == (201, 1)
    path = "/api/v1/snippets/tone"
    put = {**sent, "text": "Two.", "workflows": []}
    stale = client.put(path, put, "application/json", headers={**key, "if-match": '"0-9"'})
    assert (stale.status_code, stale.json()["type"].rpartition("/")[2]) == (412, "changed-meanwhile")
    saved = client.put(path, put, "application/json", headers={**key, "if-match": made["ETag"]})
    assert (saved.status_code, saved.json()["version"], saved.json()["workflows"]) == (200, 2, [])
    assert client.delete(path, headers=key).status_code == 204
    assert client.delete(path, headers=key).status_code == 409
    assert client.get("/api/v1/snippets", headers=key).json()["results"] == []
    assert len(client.get("/api/v1/snippets?state=archived", headers=key).json()["results"]) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "No Good"}, "id"),
        ({"kind": "poem"}, "kind"),
        ({"text": "\n"}, "text"),
        ({"team": "nobodys"}, "team"),
        ({"owner": "nobody"}, "owner"),
        ({"workflows": ["nothing-so"]}, "workflows"),
        ({"workflows": "ads"}, "workflows"),
    ],
)
def test_what_is_refused_over_http(client, company, key_for, wrong, field):
    sent = {"id": "tone", "name": "Tone", "kind": "brand", "text": "One.", **wrong}
    answer = client.post("/api/v1/snippets", sent, "application/json", headers=key_for("admin"))
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
