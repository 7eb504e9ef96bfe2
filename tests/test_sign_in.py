"""Sign-in in the browser: an invitation and the first sign-in with a second factor, a passkey, the company's provider.

Each page is looked at in both themes and widths; the console stays empty and the policy stops nothing.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.core.cache import cache

from budgets.audit.record import Actor
from budgets.delivery.send import send_due
from budgets.models import Delivery, Membership, Organisation
from budgets.people.invite import invite
from tests.browser import axe_findings
from tests.mail_server import running_mail_server
from tests.provider import running_provider

PASSWORD = "a-long-horse-for-tests"
BY = Actor(None, "Lena", "web")


@pytest.fixture
def nothing_yet(transactional_db):
    cache.clear()
    Organisation.objects.get_or_create(id=1)


@pytest.fixture
def look(page, nothing_yet):
    """Look at the page as it stands in both themes and widths; nothing serious, and not too wide."""

    def look():
        found = []
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            for width in (1440, 390):
                page.set_viewport_size({"width": width, "height": 900})
                found += [f"{page.url} {theme} {width}: {one}" for one in axe_findings(page)]
                if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                    found.append(f"{page.url} {width}: wider than the window")
        assert found == []

    return look


@pytest.fixture
def lena(nothing_yet):
    made = User.objects.create_user("lena", "lena@example.com", PASSWORD)
    EmailAddress.objects.create(user=made, email="lena@example.com", verified=True, primary=True)
    Membership.objects.create(user=made, role="viewer")
    return made


def sign_in(page, url, name="lena", password=PASSWORD):
    page.goto(f"{url}/sign-in/")
    page.fill("#id_username", name)
    page.fill("#id_password", password)
    page.get_by_role("button", name="Sign in").click()


def code_of(secret):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


@pytest.mark.browser
def test_from_an_invitation_to_the_first_sign_in_with_a_second_factor(page, look, live_server, settings):
    settings.SECOND_FACTOR = "privileged"
    with running_mail_server() as mail_server:
        mail_server.use(settings, live_server.url)
        invite(BY, "sam@example.com", "approver")
        assert send_due() == 1
        mail = mail_server.next_mail()
    assert mail["to"] == "sam@example.com"
    text = mail.get_body(("plain",)).get_content()
    (link,) = set(re.findall(rf"{live_server.url}/\S+", text))
    assert link in mail.get_body(("html",)).get_content()
    assert Delivery.objects.get(kind="invitation").payload["path"] == ""  # lets nobody in once it was sent
    page.goto(link)
    look()
    page.fill("#id_name", "Sam Ray")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Accept and sign in").click()
    page.get_by_role("heading", name="One more step").wait_for()
    look()
    page.get_by_role("link", name="Use an app on my phone").click()
    page.locator("#totp-key").wait_for()
    look()
    secret = page.locator("#totp-key").inner_text()
    assert page.locator(".qr svg path").get_attribute("d").startswith("M")
    page.fill("#id_code", code_of(secret))
    page.get_by_role("button", name="Finish").click()
    assert page.locator("#codes").inner_text().strip().count("\n") == 9
    look()
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url(f"{live_server.url}/")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Sign out").click()
    cache.clear()  # a code works once in half a minute; the test is quicker
    sign_in(page, live_server.url, "sam@example.com")
    page.get_by_role("heading", name="Second step").wait_for()
    look()
    page.fill("#id_code", code_of(secret))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{live_server.url}/")
    for own in ("/profile/", "/profile/second-factor/", "/profile/emails/", "/profile/sessions/", "/profile/password/"):
        page.goto(live_server.url + own)
        look()
    sam = User.objects.get(email="sam@example.com")
    assert Membership.objects.get(user=sam).role == "approver"
    assert Authenticator.objects.filter(user=sam, type="totp").exists()


@pytest.fixture
def device(page):
    """A device with a fingerprint reader, as Chromium pretends one."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    def verified(yes):
        told = {"authenticatorId": made["authenticatorId"], "isUserVerified": yes}
        session.send("WebAuthn.setUserVerified", told)

    return verified


@pytest.mark.browser
def test_a_passkey_is_added_and_is_enough_to_sign_in(page, look, live_server, lena, device):
    assert "localhost" in live_server.url  # passkeys work there without TLS
    sign_in(page, live_server.url)
    page.wait_for_url(f"{live_server.url}/")
    page.goto(f"{live_server.url}/profile/passkeys/add/")
    look()
    page.fill("#id_name", "Laptop")
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url("**/profile/second-factor/codes/")
    page.goto(f"{live_server.url}/profile/passkeys/")
    assert page.locator("li b").inner_text() == "Laptop"
    look()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{live_server.url}/budgets/")
    look()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/budgets/")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, live_server.url)  # by password it is the second step
    page.get_by_role("heading", name="Second step").wait_for()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{live_server.url}/")
    page.goto(f"{live_server.url}/profile/passkeys/")
    page.get_by_role("link", name="Remove Laptop").click()
    page.get_by_role("button", name="Remove the passkey").click()
    page.get_by_text("None yet.").wait_for()
    assert not Authenticator.objects.exists()


@pytest.mark.browser
def test_a_finger_that_is_not_theirs_is_told(page, live_server, lena, device):
    device(False)
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_text("Nothing happened: it was cancelled").wait_for()
    assert "_auth" not in str(page.context.cookies())


@pytest.mark.browser
def test_wrong_passwords_and_the_brake(page, look, live_server, lena):
    for _ in range(8):
        sign_in(page, live_server.url, password="wrong")
        page.get_by_text("User name or password is not right").wait_for()
    look()
    sign_in(page, live_server.url)
    page.get_by_text("Too many wrong tries. Wait 15 minutes").wait_for()
    look()
    page.problems[:] = [one for one in page.problems if "429" not in one]
    page.get_by_role("link", name="Forgot your password?").click()
    page.fill("#id_email", "lena@example.com")
    look()
    page.get_by_role("button", name="Send the link").click()
    page.wait_for_url("**/password/sent/")
    look()
    page.goto(live_server.url + Delivery.objects.get(kind="account").payload["path"])
    look()
    page.fill("#id_password1", "another-long-horse")
    page.fill("#id_password2", "another-long-horse")
    page.get_by_role("button", name="Save the password").click()
    page.get_by_role("link", name="Sign in").wait_for()
    lena.refresh_from_db()
    assert lena.check_password("another-long-horse")


@pytest.mark.browser
def test_by_the_companys_provider(page, look, live_server, settings):
    with running_provider() as provider:
        settings.COMPANY_SIGN_IN = provider.as_setting()
        settings.SOCIALACCOUNT_PROVIDERS = settings.COMPANY_SIGN_IN.as_providers()
        directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
        settings.CONTENT_SECURITY_POLICY = {
            "DIRECTIVES": directives | {"form-action": ["'self'", *settings.COMPANY_SIGN_IN.origins]}
        }
        page.route("https://cdn.jsdelivr.net/**", lambda route: route.fulfill(body="", content_type="text/css"))
        provider.knows("sam", email="sam@example.com", email_verified=True, name="Sam Ray")
        page.goto(f"{live_server.url}/sign-in/?next=/budgets/")
        look()
        page.get_by_role("button", name="Go on with Acme").click()
        page.get_by_placeholder("sub").fill("sam")
        page.get_by_role("button", name="Authorize").click()
        page.get_by_text("Ask an administrator of TokenOps for an invitation to sam@example.com").wait_for()
        look()
        page.problems[:] = [one for one in page.problems if "403" not in one]
        invite(BY, "sam@example.com", "viewer")
        page.goto(f"{live_server.url}/sign-in/?next=/budgets/")
        page.get_by_role("button", name="Go on with Acme").click()
        page.get_by_placeholder("sub").fill("sam")
        page.get_by_role("button", name="Authorize").click()
        page.wait_for_url(f"{live_server.url}/budgets/")
        assert Membership.objects.get().user.email == "sam@example.com"


@pytest.mark.server
def test_the_brake_holds_over_all_web_processes(stack):
    """Forty at once, on two server processes with eight threads each: eight are tried, the others are told to wait."""

    def wrong(_):
        with requests.Session() as session:
            form = session.get(f"{stack.base_url}/sign-in/", timeout=30).text
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
            typed = {"username": "nobody-of-this-name", "password": "wrong", "csrfmiddlewaretoken": token}
            answer = session.post(f"{stack.base_url}/sign-in/", typed, timeout=30)
            assert answer.status_code != 429 or 0 < int(answer.headers["Retry-After"]) <= 900
            return answer.status_code

    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(wrong, range(40)))
    assert set(said) == {200, 429}
    assert said.count(200) <= 8
    assert wrong(0) == 429
