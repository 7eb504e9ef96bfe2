"""Roles, accounts and invitations: who may be what, and what two at once come to."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from budgets.access.keys import make_key
from budgets.audit.record import Actor
from budgets.models import AuditEntry, Delivery, Invitation, Membership, Profile, Team
from budgets.people import accept, invite, membership
from budgets.people.membership import Held, RefusedPeople, administrators, roles_of

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-horse-for-tests"


@pytest.fixture
def lena():
    return User.objects.create_superuser("lena", "lena@example.com", PASSWORD, first_name="Lena", last_name="Kraus")


@pytest.fixture
def priya():
    return User.objects.create_user("priya", "priya@example.com", PASSWORD)


@pytest.fixture
def brand():
    return Team.objects.create(slug="brand", name="Brand")


@pytest.fixture
def by(lena):
    return Actor(lena, "lena", "web")


def test_a_role_is_given_taken_and_given_back(by, priya, brand):
    given = membership.give_role(by, priya, "approver", brand)
    assert roles_of(priya) == {Held("approver", brand.pk)}
    assert membership.give_role(by, priya, "approver", brand) is None
    assert given.after == {"roles": [{"role": "approver", "team_id": brand.pk, "team": "Brand"}]}
    taken = membership.take_role(by, priya, "approver", brand.pk)
    assert roles_of(priya) == set()
    membership.undo_roles(by, priya, taken)
    assert roles_of(priya) == {Held("approver", brand.pk)}
    with pytest.raises(RefusedPeople, match="changed again"):
        membership.undo_roles(by, priya, taken)


def test_some_roles_are_for_the_whole_company(by, priya, brand):
    with pytest.raises(RefusedPeople, match="whole company"):
        membership.give_role(by, priya, "finance", brand)
    with pytest.raises(RefusedPeople, match="Choose a role"):
        membership.give_role(by, priya, "king", None)


def test_the_last_administrator_stays_one(by, lena, priya):
    for act in (
        lambda: membership.take_role(by, lena, "administrator", None),
        lambda: membership.close_account(Actor(priya, "priya", "web"), lena),
    ):
        with pytest.raises(RefusedPeople, match="only administrator"):
            act()
    membership.give_role(by, priya, "administrator", None)
    membership.take_role(by, lena, "administrator", None)
    lena.refresh_from_db()
    assert not lena.is_superuser and not lena.is_staff
    assert list(administrators()) == [priya]


def test_nobody_closes_their_own_account(by, lena, priya):
    membership.give_role(by, priya, "administrator", None)
    with pytest.raises(RefusedPeople, match="your own"):
        membership.close_account(by, lena)


def test_a_closed_account_is_signed_out_and_stays_out(by, priya, client):
    client.post("/sign-in/", {"username": "priya", "password": PASSWORD})
    assert client.get("/profile/").status_code == 200
    membership.close_account(by, priya, "Left")
    assert client.get("/profile/").status_code == 302
    answer = client.post("/sign-in/", {"username": "priya", "password": PASSWORD}, follow=True)
    assert b"This account is closed" in answer.content
    membership.open_account(by, priya)
    assert client.post("/sign-in/", {"username": "priya", "password": PASSWORD})["Location"] == "/"


def test_an_invitation_is_sent_once_and_makes_one_person(by, brand, client):
    _, token = invite.invite(by, "Sam@Example.com", "approver", brand)
    delivery = Delivery.objects.get(kind="invitation")
    assert (delivery.transport, delivery.address) == ("email", "Sam@Example.com")
    assert delivery.payload["path"] == f"/invitation/{token}/"
    assert token not in str(list(AuditEntry.objects.values_list("after", flat=True)))
    assert bytes(Invitation.objects.get().digest) == invite.digest(token)
    before = list(User.objects.values_list("pk", flat=True))
    page = client.get(delivery.payload["path"])
    assert page.status_code == 200 and page["Referrer-Policy"] == "same-origin"
    assert b"Approver of Brand" in page.content
    assert list(User.objects.values_list("pk", flat=True)) == before and Invitation.objects.get().accepted_at is None
    weak = client.post(delivery.payload["path"], {"name": "Sam Ray", "password": "password"})
    assert weak.status_code == 422 and b"too common" in weak.content
    assert client.post(delivery.payload["path"], {"name": "Sam Ray", "password": PASSWORD})["Location"] == "/"
    sam = User.objects.get(email="sam@example.com")
    assert (sam.username, sam.get_full_name(), roles_of(sam)) == ("sam", "Sam Ray", {Held("approver", brand.pk)})
    assert client.session["_auth_user_id"] == str(sam.pk)
    assert EmailAddress.objects.get(user=sam).verified
    client.logout()
    again = client.get(delivery.payload["path"])
    assert again.status_code == 410 and b"accepted already" in again.content
    assert client.post("/sign-in/", {"username": "SAM@example.com", "password": PASSWORD})["Location"] == "/"


def test_one_invitation_is_open_for_an_address(by, priya):
    invite.invite(by, "sam@example.com", "viewer")
    with pytest.raises(RefusedPeople, match="open invitation"):
        invite.invite(by, "SAM@example.com", "approver")
    with pytest.raises(RefusedPeople, match="has an account"):
        invite.invite(by, "PRIYA@example.com", "viewer")
    for nonsense in ("sam", "", "a\0b@example.com", "x" * 250 + "@example.com"):
        with pytest.raises(RefusedPeople, match="e-mail address"):
            invite.invite(by, nonsense, "viewer")


def test_an_invitation_ends_is_sent_again_and_revoked(by, client):
    made, first = invite.invite(by, "sam@example.com", "viewer")
    later = timezone.now() + timedelta(days=7, minutes=1)
    with pytest.raises(RefusedPeople, match="does not work"):
        accept.found(first, later)
    second = invite.send_again(by, made, later)
    assert accept.found(second, later).pk == made.pk
    with pytest.raises(RefusedPeople, match="does not work"):
        accept.found(first, later)
    assert Delivery.objects.filter(kind="invitation").count() == 2
    invite.revoke(by, made)
    assert client.get(f"/invitation/{second}/").status_code == 410
    with pytest.raises(RefusedPeople, match="revoked already"):
        invite.revoke(by, made)
    invite.undo_revoke(by, made)
    assert client.get(f"/invitation/{second}/").status_code == 200
    Invitation.objects.update(expires_at=later - timedelta(days=1))
    anew, _ = invite.invite(by, "sam@example.com", "viewer", now=later)  # the old one is over: it gives way
    made.refresh_from_db()
    assert made.revoked_at == later and anew.pk != made.pk


@pytest.mark.django_db(transaction=True)
def test_two_who_accept_at_once_make_one_person():
    _, token = invite.invite(Actor(None, "test", "web"), "sam@example.com", "viewer")
    together = Barrier(4)

    def take_it(number):
        together.wait()
        try:
            return accept.accept(token, f"Sam {number}", PASSWORD).username
        except RefusedPeople as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(take_it, range(4)))
    assert said == [accept.USED] * 3 + ["sam"]
    assert User.objects.count() == Membership.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_unmake_each_other_leave_one():
    two = [User.objects.create_superuser(name) for name in ("lena", "priya")]
    together = Barrier(2)

    def unmake(other):
        together.wait()
        try:
            return membership.take_role(Actor(None, "test", "web"), other, "administrator", None) is not None
        except RefusedPeople:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(unmake, two)) == [False, True]
    assert administrators().count() == 1


def test_the_pages_of_people(by, lena, priya, brand, client):
    client.force_login(lena)
    url = reverse("person", args=[priya.pk])
    assert client.post(f"{url}give/", {"role": "approver", "team": brand.pk})["Location"] == url
    assert b"Approver of Brand" in client.get(url).content
    entry = AuditEntry.objects.filter(object_type="auth.user").first()
    client.post(f"{url}undo/{entry.pk}/")
    assert roles_of(priya) == set()
    assert client.post(f"{url}give/", {"role": "finance", "team": brand.pk}).status_code == 422
    assert client.post(f"{url}give/", {"role": "king"}).status_code == 422
    client.post(f"{url}take/", {"role": "approver", "team": "99999999999999999999"})
    client.post(f"{url}close/", {"reason": "Left"})
    assert b"priya@example.com" not in client.get("/settings/people/").content
    assert b"priya" in client.get("/settings/people/?state=closed&q=PRIYA@").content
    client.post(f"{url}open/")
    answer = client.post("/settings/people/invite/", {"email": "sam@example.com", "role": "viewer", "team": ""})
    assert answer["Location"] == "/settings/people/"
    made = Invitation.objects.get()
    assert b"sam@example.com" in client.get("/settings/people/").content
    assert client.post("/settings/people/invite/", {"email": "sam@example.com", "role": "viewer"}).status_code == 422
    for act in ("again", "revoke", "open", "revoke"):
        client.post(f"/settings/people/invitations/{made.pk}/{act}/")
    made.refresh_from_db()
    assert made.revoked_at is not None
    assert b"priya@example.com" in b"".join(client.get("/export/people.csv"))


def test_who_may_not_change_people_does_not_see_them(priya, lena, client):
    client.force_login(priya)
    page = client.get("/settings/people/")
    assert page.status_code == 403 and b"Lena Kraus can give" in page.content
    assert b"lena@example.com" not in page.content
    assert client.get(reverse("person", args=[lena.pk])).status_code == 403
    assert client.get("/export/people.csv").status_code == 403
    assert client.get("/api/v1/people").status_code == 403


def test_a_lost_second_factor_is_removed_by_an_administrator(lena, priya, client):
    Authenticator.objects.create(user=priya, type="totp", data={"secret": "x"})
    client.force_login(lena)
    assert b"They lost their phone" in client.get(reverse("person", args=[priya.pk])).content
    client.post(reverse("person-second-factor", args=[priya.pk]))
    assert not Authenticator.objects.exists()
    assert AuditEntry.objects.filter(act="removed the second factor of").exists()


def test_ones_own_profile(priya, client):
    client.force_login(priya)
    shown = client.get("/profile/").context["form"].initial
    assert (shown["slack_id"], shown["by_email"]) == ("", True)
    values = {"first_name": "Priya", "last_name": "Shah", "slack_id": "u012ab3cd"}
    assert client.post("/profile/", values).status_code == 302
    own = Profile.objects.get(user=priya)
    assert (own.slack_id, own.by_email) == ("U012AB3CD", False)
    for slack_id in ("nonsense", "U1"):
        assert client.post("/profile/", values | {"slack_id": slack_id}).status_code == 422
    other = User.objects.create_user("otto")
    client.force_login(other)
    assert b"somebody else" in client.post("/profile/", values).content


@pytest.mark.django_db(transaction=True)
def test_people_over_the_api(by, priya, brand, client):
    _, key = make_key("hr", ["admin"])
    _, reader = make_key("reader", ["read"])
    headers = {"authorization": f"Bearer {key}"}
    found = client.get("/api/v1/people", headers=headers).json()["results"]
    assert {one["username"]: one["roles"] for one in found} == {
        "lena": [{"role": "administrator", "team": ""}],
        "priya": [],
    }
    url = f"/api/v1/people/{priya.pk}/roles"
    role = {"role": "approver", "team": "brand"}
    given = client.post(url, role, content_type="application/json", headers=headers)
    assert given.json()["roles"] == [{"role": "approver", "team": "Brand"}]
    taken = client.delete(f"{url}?role=approver&team=brand", headers=headers)
    assert taken.json()["roles"] == []
    for wrong, status in (
        ({"role": "king"}, 422),
        ({"role": "finance", "team": "brand"}, 422),
        ({"role": "viewer", "team": "none-such"}, 422),
        ({"role": "administrator"}, 403),
    ):
        assert client.post(url, wrong, content_type="application/json", headers=headers).status_code == status, wrong
    new = {"email": "sam@example.com", "role": "viewer"}
    assert client.post("/api/v1/people", new, content_type="application/json", headers=headers).status_code == 201
    assert client.post("/api/v1/people", new, content_type="application/json", headers=headers).status_code == 422
    assert client.get("/api/v1/people", headers={"authorization": f"Bearer {reader}"}).status_code == 403
