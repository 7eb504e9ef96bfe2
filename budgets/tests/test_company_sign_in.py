"""Sign-in by the company's provider: a real one, in a process of its own. Who is let in, and as whom."""

import urllib.error
import urllib.parse
import urllib.request

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.core.cache import cache

from budgets.audit.record import Actor
from budgets.models import AuditEntry, Invitation
from budgets.people.invite import invite
from budgets.people.membership import Held, roles_of
from tests.provider import running_provider

pytestmark = pytest.mark.django_db
BY = Actor(None, "test", "web")


class StaysHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


@pytest.fixture(scope="module")
def provider():
    with running_provider() as found:
        yield found


@pytest.fixture
def company(provider, settings):
    cache.clear()

    def configure(new_people=""):
        settings.COMPANY_SIGN_IN = provider.as_setting(new_people)
        settings.SOCIALACCOUNT_PROVIDERS = settings.COMPANY_SIGN_IN.as_providers()
        return provider

    configure()
    return configure


def come(client, name, query=""):
    """From our button to the provider's page, where `name` is typed, and back; our last answer."""
    away = client.post(f"/sign-in/by/company/{query}")
    assert away.status_code == 302, away.content
    typed = urllib.parse.urlencode({"sub": name}).encode()
    try:
        urllib.request.build_opener(StaysHere).open(away["Location"], typed, timeout=10)
    except urllib.error.HTTPError as answer:
        back = answer.headers["Location"]
    path = urllib.parse.urlsplit(back)
    return client.get(f"{path.path}?{path.query}")


def test_a_stranger_is_refused_with_who_can_help(client, company):
    company().knows("eve", email="eve@example.com", email_verified=True, name="Eve Ray")
    answer = come(client, "eve")
    assert answer.status_code == 403
    assert b"Ask an administrator of TokenOps for an invitation to eve@example.com." in answer.content
    assert not User.objects.exists() and "_auth_user_id" not in client.session


def test_the_invited_come_in_with_their_role(client, company):
    company().knows("sam", email="Sam@example.com", email_verified=True, name="Sam Ray")
    invite(BY, "sam@example.com", "finance")
    assert come(client, "sam")["Location"] == "/"
    sam = User.objects.get()
    assert (sam.email, sam.get_full_name(), sam.has_usable_password()) == ("sam@example.com", "Sam Ray", False)
    assert roles_of(sam) == {Held("finance")}
    assert Invitation.objects.get().accepted_by == sam
    assert AuditEntry.objects.filter(act="accepted").exists()
    client.post("/sign-out/")
    assert come(client, "sam")["Location"] == "/"
    assert User.objects.count() == 1


def test_an_address_that_the_provider_does_not_vouch_for_opens_nothing(client, company):
    company().knows("sam2", email="sam@example.com", email_verified=False)
    invite(BY, "sam@example.com", "finance")
    lena = User.objects.create_user("lena", "lena@example.com")
    EmailAddress.objects.create(user=lena, email="lena@example.com", verified=True, primary=True)
    company().knows("mallory", email="lena@example.com", email_verified=False)
    for name in ("sam2", "mallory"):
        answer = come(client, name)
        assert answer.status_code == 403 and b"no confirmed e-mail address" in answer.content
    company().knows("nobody")
    assert come(client, "nobody").status_code == 403
    assert User.objects.count() == 1 and not SocialAccount.objects.exists()


def test_an_account_is_connected_by_an_address_confirmed_on_both_sides(client, company):
    lena = User.objects.create_user("lena", "lena@example.com", "a-long-horse-for-tests")
    address = EmailAddress.objects.create(user=lena, email="lena@example.com", verified=False, primary=True)
    company().knows("lena", email="Lena@example.com", email_verified=True)
    answer = come(client, "lena")
    assert answer.status_code == 403 and b"not confirmed there" in answer.content
    assert not SocialAccount.objects.exists()
    address.verified = True
    address.save()
    assert come(client, "lena")["Location"] == "/"
    assert SocialAccount.objects.get().user == lena
    lena.refresh_from_db()
    assert lena.has_usable_password()


def test_connecting_in_the_profile(client, company):
    lena = User.objects.create_user("lena", "other@example.com", "a-long-horse-for-tests")
    company().knows("lena-at-acme", email="lena@acme.example", email_verified=True)
    client.post("/sign-in/", {"username": "lena", "password": "a-long-horse-for-tests"})
    assert come(client, "lena-at-acme", "?process=connect")["Location"] == "/profile/company/"
    assert SocialAccount.objects.get().user == lena
    client.post("/sign-out/")
    come(client, "lena-at-acme")
    assert client.session["_auth_user_id"] == str(lena.pk)


def test_a_closed_account_stays_closed(client, company):
    lena = User.objects.create_user("lena", "lena@example.com", is_active=False)
    EmailAddress.objects.create(user=lena, email="lena@example.com", verified=True, primary=True)
    company().knows("lena", email="lena@example.com", email_verified=True)
    assert come(client, "lena")["Location"] == "/sign-in/closed/"
    assert "_auth_user_id" not in client.session


def test_the_setting_may_let_everybody_of_the_company_in(client, company):
    company("viewer").knows("eve", email="eve@example.com", email_verified=True)
    assert come(client, "eve")["Location"] == "/"
    assert roles_of(User.objects.get()) == {Held("viewer")}


def test_who_comes_that_way_needs_no_second_factor_of_ours(client, company, settings):
    settings.SECOND_FACTOR = "all"
    company("viewer").knows("eve", email="eve@example.com", email_verified=True)
    come(client, "eve")
    assert client.get("/budgets/").status_code == 200


def test_what_goes_wrong_is_a_page(client, company, provider, settings):
    company()
    away = urllib.parse.urlsplit(client.post("/sign-in/by/company/")["Location"])
    state = urllib.parse.parse_qs(away.query)["state"][0]
    answer = client.get(f"/sign-in/by/company/back/?error=access_denied&state={state}")
    assert answer["Location"] == "/sign-in/cancelled/"
    for query in ("", "?code=x", "?state=x&code=y", "?error=server_error", "?state=%00"):
        assert client.get(f"/sign-in/by/company/back/{query}").status_code == 401, query
    assert client.get("/sign-in/by/company/").status_code == 200
    assert client.get("/sign-in/by/other/").status_code == 404
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "APPS": [{"provider_id": "company", "name": "Acme", "client_id": "x", "secret": "x",
                      "settings": {"server_url": "http://localhost:1"}}],
        }
    }  # fmt: skip
    answer = client.post("/sign-in/by/company/")
    assert answer.status_code == 503 and b"does not answer" in answer.content


def test_the_button_is_there_where_it_is_configured(client, company):
    assert b"Go on with Acme" in client.get("/sign-in/").content
    _, token = invite(BY, "sam@example.com", "viewer")
    assert b"Accept with Acme" in client.get(f"/invitation/{token}/").content
