"""Transports against real receivers on this machine: an HTTP server, an SMTP server process."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from budgets.delivery import reach
from budgets.delivery.message import Fact, Item, Message
from budgets.delivery.transport import InvalidAddress, Refused, Target, Temporary
from budgets.delivery.transports import TRANSPORTS
from budgets.delivery.transports.apprise import APPRISE
from budgets.delivery.transports.email import EMAIL
from budgets.delivery.transports.webhook import WEBHOOK, in_force, renewed
from tests.mail_server import running_mail_server

MESSAGE = Message(
    title="$84 of $100: SEO briefs has used 84 %\r\nBcc: eve@example.com",
    text="<b>It lands at $120</b>",
    facts=(Fact("Left", "$16"),),
    items=(Item("One <i>thing</i>", "/alerts/1/"),),
    path="/budgets/seo/",
)
TARGET = {"options": {}, "id": "tokenops-7"}


@pytest.fixture
def hooks():
    """A web server that keeps what it was sent and answers `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.server.got.append((self.path, dict(self.headers), body))
            self.send_response(self.server.status)
            self.send_header("Location", "http://169.254.169.254/")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def hook(server):
    return WEBHOOK.clean({"url": f"http://127.0.0.1:{server.server_port}/in?x=1"})


def test_a_webhook_is_a_signed_cloudevent(hooks, settings):
    settings.DELIVERY_ALLOW_PRIVATE = True
    settings.SITE_URL = "https://tokenops.example.com"
    address = hook(hooks)
    assert WEBHOOK.send(Target(address.shown, address.secret, **TARGET), MESSAGE) == {"status": 200}
    path, headers, body = hooks.got[0]
    said = json.loads(body)
    assert path == "/in?x=1" and headers["Content-Type"] == "application/cloudevents+json"
    assert (said["specversion"], said["id"], said["type"]) == ("1.0", "tokenops-7", "dev.tokenops.alert")
    assert said["data"]["link"] == "https://tokenops.example.com/budgets/seo/"
    # By hand, as https://www.standardwebhooks.com says, not with our own function.
    key = base64.b64decode(address.secret["secrets"][0]["secret"].removeprefix("whsec_"))
    stamp = headers["webhook-timestamp"]
    assert abs(int(stamp) - time.time()) < 60
    expected = base64.b64encode(hmac.new(key, f"tokenops-7.{stamp}.".encode() + body, hashlib.sha256).digest())
    assert headers["webhook-signature"] == f"v1,{expected.decode()}"


def test_a_renewed_secret_and_the_one_before_both_sign_for_a_day(hooks, settings):
    settings.DELIVERY_ALLOW_PRIVATE = True
    address = hook(hooks)
    now = time.time()
    kept = renewed(address.secret["secrets"], now)
    WEBHOOK.send(Target("x", {**address.secret, "secrets": kept}, **TARGET), MESSAGE)
    assert len(hooks.got[0][1]["webhook-signature"].split(" ")) == 2
    assert len(in_force(kept, now + 25 * 3600)) == 1


@pytest.mark.parametrize(("status", "fault"), [(302, Refused), (404, Refused), (429, Temporary), (503, Temporary)])
def test_answers_that_are_no_yes(hooks, settings, status, fault):
    settings.DELIVERY_ALLOW_PRIVATE = True
    hooks.status = status
    address = hook(hooks)
    with pytest.raises(fault, match=str(status)):
        WEBHOOK.send(Target("h", address.secret, **TARGET), MESSAGE)
    assert len(hooks.got) == 1  # redirects are not followed


def test_nobody_there(settings):
    settings.DELIVERY_ALLOW_PRIVATE = True
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Temporary, match=r"No answer from 127\.0\.0\.1"):
        reach.post(f"http://127.0.0.1:{port}/", b"", {})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
        "fe80::1", "fc00::1", "::ffff:10.0.0.1", "224.0.0.1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_after_resolving(monkeypatch, address):
    """A harmless name that leads inside; nothing is connected to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, **_: [(family, socket.SOCK_STREAM, 6, "", (address, port))]
    )
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it connected"))
    with pytest.raises(Refused, match="leads to a private address"):
        reach.post("https://hooks.example.com/", b"", {})


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **_: found)
    with pytest.raises(Refused):
        reach.checked_address("hooks.example.com", 443)


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "ftp://example.com/", "https://", "https://a:b@example.com/", "//x", "https://[", ""],
)
def test_addresses_that_are_none(url):
    with pytest.raises(InvalidAddress):
        WEBHOOK.clean({"url": url})


@pytest.fixture(scope="module")
def smtp():
    """A real SMTP server, a process of its own."""
    with running_mail_server() as server:
        yield server


@pytest.fixture
def mail_settings(settings, smtp):
    smtp.use(settings)
    return smtp


def test_mail_is_text_and_html_and_cannot_be_made_to_say_more(mail_settings):
    EMAIL.send(Target("ann@example.com, bob@example.com", {}, **TARGET), MESSAGE)
    mail = mail_settings.next_mail()
    assert mail["subject"] == "$84 of $100: SEO briefs has used 84 % Bcc: eve@example.com"
    assert mail["bcc"] is None and mail["to"] == "ann@example.com, bob@example.com"
    assert mail["message-id"] == "<tokenops-7@example.com>"
    text, html = (part.get_content() for part in mail.iter_parts())
    for said in ("$84 of $100", "Left: $16", "https://tokenops.example.com/budgets/seo/", "One <i>thing</i>"):
        assert said in text
    assert "&lt;b&gt;It lands at $120&lt;/b&gt;" in html and "<i>thing" not in html
    assert 'href="https://tokenops.example.com/budgets/seo/"' in html
    assert "<form" not in html and "approve" not in html  # a link never decides


def test_a_test_mail_says_so(mail_settings):
    EMAIL.send(Target("ann@example.com", {}, **TARGET), Message(title="Hello", test=True))
    mail = mail_settings.next_mail()
    assert mail["subject"] == "[Test] Hello"


def test_what_the_mail_server_says_is_kept(mail_settings, settings):
    with pytest.raises(Refused, match="550"):
        EMAIL.send(Target("nobody@example.com", {}, **TARGET), MESSAGE)
    with pytest.raises(Temporary, match="451"):
        EMAIL.send(Target("later@example.com", {}, **TARGET), MESSAGE)
    settings.EMAIL_PORT = 1
    with pytest.raises(Temporary, match="did not take it"):
        EMAIL.send(Target("ann@example.com", {}, **TARGET), MESSAGE)
    settings.EMAIL_HOST = ""
    with pytest.raises(Temporary, match="not set up"):
        EMAIL.send(Target("ann@example.com", {}, **TARGET), MESSAGE)


@pytest.mark.parametrize("to", ["", "ann", "ann@", "a@b.c,x y", ",".join(f"p{n}@example.com" for n in range(21))])
def test_mail_addresses_that_are_none(to):
    with pytest.raises(InvalidAddress):
        EMAIL.clean({"to": to})


def test_apprise_takes_services_with_a_host_of_their_own():
    shown = APPRISE.clean({"url": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"})
    assert shown.shown == "Discord" and "JHMHI8" not in shown.shown
    for url in ("", "nothing", "json://localhost/", "mailto://a:b@internal/", "file:///etc/passwd", "x" * 3000):
        with pytest.raises(InvalidAddress):
            APPRISE.clean({"url": url})


def test_apprise_sends_for_real(hooks, settings):
    settings.DELIVERY_ALLOW_PRIVATE = True
    address = APPRISE.clean({"url": f"json://127.0.0.1:{hooks.server_port}/in"})
    assert APPRISE.send(Target(address.shown, address.secret, **TARGET), MESSAGE) == {}
    said = json.loads(hooks.got[0][2])
    assert said["title"].startswith("$84 of $100") and "Left: $16" in said["message"]
    hooks.status = 500
    with pytest.raises(Temporary):
        APPRISE.send(Target(address.shown, address.secret, **TARGET), MESSAGE)


def test_each_transport_says_what_it_is():
    for key, one in TRANSPORTS.items():
        assert one.key == key and one.words and one.fields
