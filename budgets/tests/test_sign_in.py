"""Sign-in as a person does it: sentences, brakes, letters, the second factor and who has to have one."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client

from budgets.models import Delivery, Membership

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-horse-for-tests"


@pytest.fixture(autouse=True)
def no_tries_yet():
    cache.clear()


@pytest.fixture
def lena():
    made = User.objects.create_user("lena", "lena@example.com", PASSWORD)
    EmailAddress.objects.create(user=made, email="lena@example.com", verified=True, primary=True)
    return made


def sign_in(client, password=PASSWORD, name="lena", **extra):
    return client.post("/sign-in/", {"username": name, "password": password}, **extra)


def code_of(secret):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def with_app(client):
    """Set up an app for who is signed in; its secret."""
    page = client.get("/profile/second-factor/app/")
    secret = page.context["form"].secret
    answer = client.post("/profile/second-factor/app/", {"code": code_of(secret)})
    assert answer["Location"] == "/profile/second-factor/codes/"
    return secret


def test_by_name_or_address_in_any_letters(lena, client):
    for name in ("lena", "LENA@example.com", " lena@example.com "):
        assert sign_in(client, name=name)["Location"] == "/"
        assert client.post("/sign-out/")["Location"] == "/sign-in/"


@pytest.mark.parametrize("name", ["lena", "nobody", "lena@example.com", "no@example.com", "a\0b", "x" * 5000, ""])
def test_wrong_is_said_alike_whoever_it_is(lena, client, name):
    answer = sign_in(client, "wrong", name)
    assert answer.status_code == 200
    assert b"is not right" in answer.content or b"Enter your user name" in answer.content


def test_too_many_tries_are_refused_for_a_while_for_that_account_from_there(lena, client):
    for _ in range(8):
        assert sign_in(client, "wrong").status_code == 200
    answer = sign_in(client)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 15 * 60
    assert b"Too many wrong tries. Wait 15 minutes" in answer.content
    User.objects.create_user("otto", password=PASSWORD)
    assert sign_in(client, name="otto").status_code == 302
    elsewhere = Client(REMOTE_ADDR="198.51.100.7")
    assert sign_in(elsewhere).status_code == 302


def test_a_right_one_among_wrong_ones_frees_nothing(lena, client):
    for n in range(8):
        assert sign_in(client, "wrong").status_code == 200
        if n < 7:
            assert sign_in(Client()).status_code == 302
    assert sign_in(client).status_code == 429


def test_the_address_before_a_trusted_proxy_counts(lena, settings):
    settings.TRUSTED_PROXIES = 1
    for _ in range(8):
        sign_in(Client(), "wrong", headers={"x-forwarded-for": "203.0.113.5, 198.51.100.7"})
    assert sign_in(Client(), headers={"x-forwarded-for": "6.6.6.6, 198.51.100.7"}).status_code == 429
    assert sign_in(Client(), headers={"x-forwarded-for": "198.51.100.7, 203.0.113.5"}).status_code == 302
    assert sign_in(Client(), headers={"x-forwarded-for": "nonsense"}).status_code == 302
    assert sign_in(Client(REMOTE_ADDR="")).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_tries_at_once_are_counted_one_by_one():
    """Threads with connections of their own stand for the web processes: what they share is the table."""
    User.objects.create_user("lena", password=PASSWORD)

    def wrong(_):
        try:
            return sign_in(Client(), "wrong").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(wrong, range(24)))
    assert said.count(200) <= 8
    assert set(said) == {200, 429}


def test_the_letter_with_a_new_password(lena, client):
    for address in ("LENA@example.com", "nobody@example.com"):
        assert client.post("/password/", {"email": address})["Location"] == "/password/sent/"
    letter = Delivery.objects.get(kind="account")
    assert letter.address.lower() == "lena@example.com"
    path = letter.payload["path"]
    assert path.startswith("/password/") and "http" not in path
    form = client.get(path)["Location"]
    assert path.split("/")[3] not in form
    new = {"password1": "another-long-horse", "password2": "another-long-horse"}
    assert client.post(form, {"password1": "short", "password2": "short"}).status_code == 422
    assert client.post(form, new)["Location"] == "/password/done/"
    assert b"does not work any more" in Client().get(path).content
    assert sign_in(client, "another-long-horse").status_code == 302
    told = Delivery.objects.filter(kind="account").exclude(pk=letter.pk).get()
    assert "password was changed" in told.payload["title"]


def test_nobody_signs_up_alone(client):
    for path in ("/sign-up/", "/signup/", "/sign-in/new/", "/sign-in/by/company/"):
        assert client.post(path, {"username": "eve", "email": "eve@example.com"}).status_code in {302, 404}
    assert not User.objects.exists()


def test_an_app_is_set_up_and_asked_for(lena, client):
    sign_in(client)
    secret = with_app(client)
    kept = Authenticator.objects.get(type="totp").data["secret"]
    assert secret not in kept and secret not in base64.b64decode(kept).decode("latin-1")
    codes = client.get("/profile/second-factor/codes/").context["unused_codes"]
    assert len(codes) == 10
    client.post("/sign-out/")
    cache.clear()  # the code of a moment ago counts again: half a minute is long for a test
    assert sign_in(client)["Location"] == "/sign-in/second-factor/"
    assert client.get("/").status_code == 302
    wrong = client.post("/sign-in/second-factor/", {"code": "000000"})
    assert wrong.status_code == 422 and b"not right" in wrong.content
    right = code_of(secret)
    assert client.post("/sign-in/second-factor/", {"code": right})["Location"] == "/"
    client.post("/sign-out/")
    sign_in(client)
    assert client.post("/sign-in/second-factor/", {"code": right}).status_code == 422  # a code works once
    assert client.post("/sign-in/second-factor/", {"code": codes[0]})["Location"] == "/"
    client.post("/sign-out/")
    sign_in(client)
    assert client.post("/sign-in/second-factor/", {"code": codes[0]}).status_code == 422


def test_codes_cannot_be_guessed_from_many_addresses(lena, client):
    sign_in(client)
    secret = with_app(client)
    tried = []
    for n in range(9):
        other = Client(REMOTE_ADDR=f"198.51.100.{n}")
        sign_in(other)
        tried.append(other.post("/sign-in/second-factor/", {"code": "000000"}))
    assert b"not right" in tried[7].content
    assert b"Too many wrong tries" in tried[8].content
    last = Client(REMOTE_ADDR="198.51.100.99")
    sign_in(last)
    assert last.post("/sign-in/second-factor/", {"code": code_of(secret)}).status_code == 422


def test_a_session_that_is_old_proves_itself_before_it_changes_sign_in(lena, client):
    client.force_login(lena)
    answer = client.get("/profile/second-factor/app/")
    assert answer["Location"].startswith("/profile/confirm/?next=")
    assert client.post(answer["Location"], {"password": "wrong"}).status_code == 422
    answer = client.post(answer["Location"], {"password": PASSWORD})
    assert answer["Location"] == "/profile/second-factor/app/"
    assert client.get("/profile/second-factor/app/").status_code == 200


def test_another_address_counts_once_it_is_confirmed(lena, client):
    sign_in(client)
    client.post("/profile/emails/", {"action_add": "", "email": "l@example.org"})
    assert not EmailAddress.objects.get(email="l@example.org").verified
    path = Delivery.objects.get(address="l@example.org").payload["path"]
    assert b"Confirm your address" in client.get(path).content
    assert not EmailAddress.objects.get(email="l@example.org").verified
    client.post(path)
    assert EmailAddress.objects.get(email="l@example.org").verified
    assert sign_in(Client(), name="l@example.org").status_code == 302


def test_a_new_password_ends_the_sessions_elsewhere(lena, client):
    other = Client()
    sign_in(other)
    sign_in(client)
    assert b"2 places" in client.get("/profile/sessions/").content
    new = {"oldpassword": PASSWORD, "password1": "another-long-horse", "password2": "another-long-horse"}
    assert client.post("/profile/password/", new | {"oldpassword": "x"}).status_code == 422
    assert client.post("/profile/password/", new)["Location"] == "/profile/"
    assert client.get("/profile/").status_code == 200
    assert other.get("/profile/").status_code == 302


class TestWhoMustHaveASecondFactor:
    @pytest.mark.parametrize(
        ("wanted", "role", "asked"),
        [
            ("off", "administrator", False),
            ("privileged", "viewer", False),
            ("privileged", "budget_owner", False),
            ("privileged", "approver", True),
            ("privileged", "finance", True),
            ("privileged", "policy_admin", True),
            ("privileged", "administrator", True),
            ("all", "viewer", True),
        ],
    )
    def test_the_setting_and_the_role_say_so(self, lena, client, settings, wanted, role, asked):
        settings.SECOND_FACTOR = wanted
        Membership.objects.create(user=lena, role=role)
        sign_in(client)
        answer = client.get("/budgets/")
        assert answer.status_code == (302 if asked else 200)
        assert not asked or answer["Location"] == "/second-factor/?next=%2Fbudgets%2F"

    def test_setting_one_up_opens_the_rest(self, lena, client, settings):
        settings.SECOND_FACTOR = "all"
        Membership.objects.create(user=lena, role="viewer")
        sign_in(client)
        assert b"One more step" in client.get("/second-factor/?next=/budgets/").content
        assert client.post("/budgets/new/", {"name": "x"})["Location"] == "/second-factor/"
        part = {"hx-request": "true"}
        assert "HX-Redirect" not in client.get("/overview/live/", headers=part)
        assert client.post("/budgets/new/", headers=part)["HX-Redirect"] == "/second-factor/"
        assert client.get("/api/v1/budgets").status_code == 403
        assert client.get("/admin/")["Location"].startswith("/second-factor/")
        assert client.get("/healthz").status_code == 200
        with_app(client)
        assert client.get("/budgets/").status_code == 200
        assert client.get("/second-factor/?next=/budgets/")["Location"] == "/budgets/"
        assert client.get("/second-factor/?next=https://evil.example/")["Location"] == "/"

    def test_one_can_always_leave(self, lena, client, settings):
        settings.SECOND_FACTOR = "all"
        sign_in(client)
        assert client.post("/sign-out/")["Location"] == "/sign-in/"

    def test_the_superuser_is_privileged(self, client, settings):
        settings.SECOND_FACTOR = "privileged"
        User.objects.create_superuser("lena", password=PASSWORD)
        sign_in(client)
        assert client.get("/budgets/")["Location"].startswith("/second-factor/")
