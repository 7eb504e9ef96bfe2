"""The key pages and their API: what they show, refuse, undo, and that a key's text is in one answer only."""

import csv
import io
import logging
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from budgets.access.change import KeyValues, create_key, rotate_key
from budgets.access.keys import digest
from budgets.access.revoke import revoke_key
from budgets.models import ApiKey, AuditEntry, Source, Team
from budgets.tests.made import ACTOR
from budgets.workflows.teams import RefusedTeam, delete_team
from tests.people import someone

pytestmark = pytest.mark.django_db
LIST, NEW = "/settings/keys/", "/settings/keys/new/"
GOOD = {"name": "Gateway", "scopes": ["ingest"], "source": "", "also": "", "expires": "90"}
TEXT = re.compile(r"tok_[A-Za-z0-9_-]{43}")


def signed_in(name: str, role: str = "viewer") -> Client:
    client = Client()
    client.force_login(someone(role, name=name))
    return client


@pytest.fixture
def ada() -> Client:
    return signed_in("ada", "administrator")


@pytest.fixture
def bob() -> Client:
    return signed_in("bob")


def refused(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 403
    return answer.content.decode()


def page(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_says_what_keys_are_while_there_is_none(ada, bob):
    assert "Make the first key" in page(ada, LIST)
    assert "needs the right to change them" in refused(bob, LIST)


def test_a_new_key_is_shown_in_one_answer_that_nobody_keeps(ada, caplog):
    with caplog.at_level(logging.DEBUG):
        answer = ada.post(NEW, GOOD)
    assert (answer.status_code, answer["Referrer-Policy"]) == (201, "no-referrer")
    assert "no-store" in answer["Cache-Control"]
    texts = set(TEXT.findall(answer.content.decode()))
    assert len(texts) == 1
    plain = texts.pop()
    key = ApiKey.objects.get()
    assert bytes(key.digest) == digest(plain)
    assert key.created_by.username == "ada"
    assert "/api/v1/events" in answer.content.decode()
    assert plain not in caplog.text
    assert plain not in str(list(AuditEntry.objects.values()))
    assert plain not in str(dict(ada.session))
    for url in (LIST, NEW, reverse("key", args=[key.pk])):
        assert plain not in page(ada, url)


def test_the_answer_sent_again_makes_no_second_key(ada):
    ada.post(NEW, GOOD)
    again = ada.post(NEW, GOOD)
    assert again.status_code == 422
    assert "is there already" in again.content.decode() and not TEXT.search(again.content.decode())
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"name": ""}, "Say what the key is for."),
        ({"name": "…"}, "letters or digits"),
        ({"scopes": []}, "Choose at least one"),
        ({"expires": "on"}, "Choose the key’s last day"),
        ({"expires": "on", "expires_on": "2020-01-01"}, "That time has passed"),
        ({"expires": "on", "expires_on": "soon"}, "year-month-day"),
        ({"source": "!!!"}, "letter or digit"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(ada, typed, words):
    answer = ada.post(NEW, GOOD | typed)
    assert answer.status_code == 422
    assert words in answer.content.decode() and 'aria-invalid="true"' in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_the_list_tells_states_apart_filters_and_equals_its_file(ada):
    now = timezone.now()
    for name, ends in (("Always", None), ("Soon", now + timedelta(days=3)), ("Gone", now + timedelta(days=1))):
        create_key(ACTOR, KeyValues(name, ("ingest", "bundle"), (), ends))
    ApiKey.objects.filter(name="Gone").update(expires_at=now - timedelta(days=1))
    revoke_key(ACTOR, create_key(ACTOR, KeyValues("Ended", ("read",)), "reports")[0])
    rotate_key(ACTOR, create_key(ACTOR, KeyValues("Turned", ("admin",)))[0], timedelta(hours=2))
    shown = page(ada, LIST)
    for words in ("Active", "Expires soon", "Expired", "Revoked", "Being replaced", "Send usage", "6 keys"):
        assert words in shown
    for state, names in (("revoked", {"Ended"}), ("expiring", {"Soon"}), ("active", {"Always", "Turned"})):
        found = page(ada, f"{LIST}?state={state}")
        listed = set(re.findall(r'class="row-name"[^>]*>([^<]+)<', found))
        rows = list(csv.DictReader(io.StringIO(file_of(ada, f"?state={state}"))))
        assert listed == {row["name"] for row in rows} == names
    assert "reports" in page(ada, f"{LIST}?q=repor") and "No key matches" in page(ada, f"{LIST}?q=nothing")
    assert "is no state that TokenOps knows" in page(ada, f"{LIST}?state=lost")


def file_of(client: Client, query: str = "") -> str:
    answer = client.get(f"/export/keys.csv{query}")
    return b"".join(answer.streaming_content).decode()


def test_a_key_pasted_into_the_search_finds_it_and_goes_no_further(ada):
    _, plain = create_key(ACTOR, KeyValues("Gateway", ("ingest",)))
    found = page(ada, f"{LIST}?q={plain}")
    assert "Gateway" in found
    assert f'value="{plain[:10]}"' in found


def test_statements_do_not_grow_with_keys(ada, django_assert_num_queries):
    for n in range(3):
        create_key(ACTOR, KeyValues(f"Key {n}", ("ingest",), ("crm", "web")))
    page(ada, LIST)
    with django_assert_num_queries(8) as few:
        page(ada, LIST)
    for n in range(60):
        create_key(ACTOR, KeyValues(f"More {n}", ("ingest",), (f"s{n}",)))
    with django_assert_num_queries(len(few)):
        assert "Page 1 of 2" in page(ada, LIST)


def test_a_change_is_saved_told_and_undone(ada):
    key, _ = create_key(ACTOR, KeyValues("Gateway", ("ingest",)))
    url = reverse("key-edit", args=[key.pk])
    seen = re.search(r'name="seen" value="(\w+)"', page(ada, url))[1]
    typed = {"name": "Edge", "scopes": ["ingest", "read"], "also": "crm, web", "expires": "keep", "seen": seen}
    answer = ada.post(url, typed, follow=True)
    shown = answer.content.decode()
    assert "Edge is saved" in shown and "Read figures" in shown and "crm" in shown
    undo = re.search(r'action="(/settings/keys/\d+/undo/\d+/)"', shown)[1]
    shown = ada.post(undo, follow=True).content.decode()
    assert "as it was before" in shown
    assert ApiKey.objects.get().name == "Gateway"
    assert "nothing was undone" in ada.post(undo, follow=True).content.decode()


def test_a_form_that_was_overtaken_shows_the_key_as_it_is_now(ada):
    key, _ = create_key(ACTOR, KeyValues("Gateway", ("ingest",)))
    url = reverse("key-edit", args=[key.pk])
    seen = re.search(r'name="seen" value="(\w+)"', page(ada, url))[1]
    ada.post(url, {"name": "Edge", "scopes": ["ingest"], "expires": "keep"})
    answer = ada.post(url, {"name": "Other", "scopes": ["ingest"], "expires": "keep", "seen": seen})
    shown = answer.content.decode()
    assert answer.status_code == 409
    assert "changed this key meanwhile" in shown and 'value="Edge"' in shown
    assert ApiKey.objects.get().name == "Edge"


def test_a_chosen_last_day_ends_with_the_organisations_day(ada):
    from budgets.models import Organisation

    Organisation.objects.update(time_zone="Asia/Kolkata")
    ada.post(NEW, GOOD | {"expires": "on", "expires_on": "2099-01-31"})
    assert ApiKey.objects.get().expires_at.isoformat() == "2099-01-31T18:30:00+00:00"


def test_rotating_shows_the_new_text_once_and_the_old_end(ada):
    key, old = create_key(ACTOR, KeyValues("Gateway", ("ingest",)))
    url = reverse("key-rotate", args=[key.pk])
    assert "same name, rights and source" in page(ada, url)
    answer = ada.post(url, {"overlap": "72", "reason": "yearly"})
    assert answer.status_code == 201 and "no-store" in answer["Cache-Control"]
    texts = set(TEXT.findall(answer.content.decode()))
    assert len(texts) == 1 and old not in texts
    assert "works until" in answer.content.decode()
    again = ada.post(url, {"overlap": "72"})
    assert again.status_code == 409 and "was rotated already" in again.content.decode()
    assert ada.post(url, {"overlap": "5"}).status_code == 422
    assert "Replaced by" in page(ada, reverse("key", args=[key.pk]))


def test_revoking_asks_for_a_reason_first(ada):
    key, _ = create_key(ACTOR, KeyValues("Gateway", ("ingest",)))
    url = reverse("key-revoke", args=[key.pk])
    assert "cannot be undone" in page(ada, url)
    assert ada.post(url, {"reason": ""}).status_code == 422
    assert ApiKey.objects.get().revoked_at is None
    shown = ada.post(url, {"reason": "left in a repository"}, follow=True).content.decode()
    assert "is revoked" in shown and "left in a repository" in shown
    assert "was revoked before" in ada.post(url, {"reason": "x"}, follow=True).content.decode()


@pytest.mark.parametrize("act", ["edit", "rotate", "revoke"])
def test_without_the_right_nothing_is_changed(bob, act):
    key, _ = create_key(ACTOR, KeyValues("Gateway", ("ingest",)))
    for answer in (bob.post(reverse(f"key-{act}", args=[key.pk]), GOOD), bob.post(NEW, GOOD), bob.get(NEW)):
        assert answer.status_code == 403 and "administrator" in answer.content.decode()
    for url in (LIST, reverse("key", args=[key.pk]), reverse("keys-csv")):
        assert key.prefix not in refused(bob, url)
    assert ApiKey.objects.count() == 1


def test_who_is_not_signed_in_is_sent_to_the_door(client):
    assert client.get(LIST)["Location"].startswith("/sign-in/")
    assert client.get("/settings/keys/99999/").status_code == 302


@pytest.fixture
def admin_key() -> dict[str, str]:
    _, plain = create_key(ACTOR, KeyValues("Robot", ("admin",)))
    return {"authorization": f"Bearer {plain}"}


@pytest.mark.django_db(transaction=True)
class TestApi:
    """`/api/v1/keys`, with a key of scope admin."""

    def test_make_list_rotate_revoke(self, client, admin_key):
        made = client.post(
            "/api/v1/keys", {"name": "Edge", "scopes": ["ingest"], "also": ["crm"]}, "application/json",
            headers=admin_key,
        )  # fmt: skip
        assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
        body = made.json()
        assert bytes(ApiKey.objects.get(pk=body["id"]).digest) == digest(body["key"])
        assert (body["source"], body["also"], body["state"], body["created_by"]) == ("edge", ["crm"], "active", None)
        turned = client.post(
            f"/api/v1/keys/{body['id']}/rotate", {"overlap_hours": 2}, "application/json", headers=admin_key
        ).json()
        assert turned["replaces"] == body["id"] and turned["key"] != body["key"]
        listed = client.get("/api/v1/keys?state=rotating", headers=admin_key)
        assert [one["id"] for one in listed.json()["results"]] == [body["id"]]
        assert not TEXT.search(listed.content.decode())
        url = f"/api/v1/keys/{turned['id']}/revoke"
        ended = client.post(url, {"reason": "test"}, "application/json", headers=admin_key)
        assert ended.json()["state"] == "revoked"
        who = AuditEntry.objects.filter(object_id=str(turned["id"]), act="revoked").get()
        assert (who.who_text, who.origin, who.reason) == ("key Robot", "api", "test")

    def test_refusals_have_their_status_and_sentence(self, client, admin_key):
        def post(url: str, **values: object):
            return client.post(url, values, "application/json", headers=admin_key)

        assert post("/api/v1/keys", name="Edge", scopes=["root"]).status_code == 422
        assert "is there already" in str(post("/api/v1/keys", name="Robot", scopes=["read"]).json())
        key, _ = create_key(ACTOR, KeyValues("Old", ("ingest",)))
        revoke_key(ACTOR, key)
        assert post(f"/api/v1/keys/{key.pk}/rotate").status_code == 409
        assert post(f"/api/v1/keys/{key.pk}/rotate", overlap_hours=721).status_code == 422
        assert post("/api/v1/keys/99999/revoke").status_code == 404
        assert client.get("/api/v1/keys?state=lost", headers=admin_key).status_code == 422

    def test_other_scopes_do_not_reach_keys(self, client):
        _, plain = create_key(ACTOR, KeyValues("Reader", ("read", "ingest", "bundle")))
        headers = {"authorization": f"Bearer {plain}"}
        assert client.get("/api/v1/keys", headers=headers).status_code == 403
        assert client.post("/api/v1/keys", {"name": "x", "scopes": ["admin"]}, headers=headers).status_code == 403
        assert Source.objects.count() == 1


class TestTeams:
    """A key that is limited to teams."""

    def test_they_are_chosen_shown_changed_undone_and_kept_by_rotation(self, ada):
        for slug in ("brand", "growth"):
            Team.objects.create(slug=slug, name=slug.capitalize())
        assert ada.post(NEW, GOOD | {"scopes": ["read"], "teams": ["brand"]}).status_code == 201
        key = ApiKey.objects.get()
        assert [team.slug for team in key.teams.all()] == ["brand"]
        assert "only for Brand" in page(ada, LIST) and "Only for" in page(ada, reverse("key", args=[key.pk]))
        assert b",brand," in ada.get(reverse("keys-csv")).getvalue()
        edit = reverse("key-edit", args=[key.pk])
        form = {"name": key.name, "scopes": ["read"], "teams": ["growth"], "expires": "keep", "seen": ""}
        assert ada.post(edit, form).status_code == 302
        changed = AuditEntry.objects.get(act="changed")
        assert (changed.before["teams"], changed.after["teams"]) == (["brand"], ["growth"])
        assert ada.post(reverse("key-undo", args=[key.pk, changed.pk])).status_code == 302
        assert [team.slug for team in key.teams.all()] == ["brand"]
        assert ada.post(reverse("key-rotate", args=[key.pk]), {"overlap": 24}).status_code == 201
        assert [team.slug for team in ApiKey.objects.get(replaces=key).teams.all()] == ["brand"]
        with pytest.raises(RefusedTeam, match="2 keys"):
            delete_team(ACTOR, Team.objects.get(slug="brand"))

    @pytest.mark.django_db(transaction=True)
    def test_over_the_api_and_what_makes_no_sense(self, client, admin_key):
        Team.objects.create(slug="brand", name="Brand")
        values = {"name": "Limited", "scopes": ["read"], "teams": ["brand"]}
        made = client.post("/api/v1/keys", values, content_type="application/json", headers=admin_key)
        assert made.status_code == 201 and made.json()["teams"] == ["brand"]
        for wrong in ({"teams": ["none-such"]}, {"scopes": ["bundle"]}, {"teams": ["\0"]}):
            sent = values | {"name": "Other"} | wrong
            answer = client.post("/api/v1/keys", sent, content_type="application/json", headers=admin_key)
            assert answer.status_code == 422 and "teams" in answer.json()["errors"], wrong
