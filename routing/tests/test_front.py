"""The WSGI wrapper: what it answers itself, what it passes on, where it sends those who want to wait."""

import json
import threading
from urllib.parse import parse_qs, urlsplit
from wsgiref.util import setup_testing_defaults

import pytest

from budgets.access.keys import KeyHolder
from routing.bundle import entry, front
from routing.bundle.answer import BUNDLE_PATH, JWKS_PATH, NOTICES_PATH, make_ready
from routing.bundle.front import BundleFront

HOLDER = KeyHolder(7, "gateway", 1, "gateway", (), frozenset({"bundle"}), None)
READER = KeyHolder(8, "reader", 1, "reader", (), frozenset({"read", "ingest", "admin"}), None)


class Keys:
    def __init__(self):
        self.holders = {"good": HOLDER, "reader": READER}
        self.ready = threading.Event()
        self.ready.set()
        self.find = self.holders.get


class Memory:
    served = make_ready((1, 1), b'{"a":1}', etag='"r1"', signature="h..s", freshness="f", jwks=b'{"keys":[]}')


@pytest.fixture
def keys(monkeypatch):
    keys = Keys()
    monkeypatch.setattr(entry, "directory", lambda: keys)
    return keys


@pytest.fixture
def ask(monkeypatch, keys):
    """ask(path, method, **headers) → (status, headers, body); `Authorization` is a good key unless stated."""
    monkeypatch.setattr(front, "memory", lambda: Memory)

    def django(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"django"]

    application = BundleFront(django)

    def ask(path=BUNDLE_PATH, method="GET", environ=(), **headers):
        headers = {"authorization": "Bearer good", **headers}
        given = {f"HTTP_{name.upper()}": value for name, value in headers.items() if value is not None}
        environ = {"PATH_INFO": path, "REQUEST_METHOD": method, **given, **dict(environ)}
        setup_testing_defaults(environ)
        told = []
        body = b"".join(application(environ, lambda status, headers: told.extend((status, dict(headers)))))
        return int(told[0].split()[0]), told[1], body

    return ask


def test_the_bundle(ask):
    status, headers, body = ask()
    assert (status, body, headers["ETag"]) == (200, b'{"a":1}', '"r1"')


def test_head(ask):
    status, headers, body = ask(method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "7")


def test_not_modified(ask):
    status, headers, body = ask(if_none_match='"r1"')
    assert (status, body, headers["TokenOps-Freshness"]) == (304, b"", "f")


@pytest.mark.parametrize("path", ["/", "/api/v1/policy-bundle/", "/api/v1/policy-bundle2", "/api/v1", ""])
def test_everything_else_is_django(ask, path):
    assert ask(path)[2] == b"django"


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, "not-authenticated"),
        ("", 401, "not-authenticated"),
        ("good", 401, "not-authenticated"),
        ("Bearer", 401, "not-authenticated"),
        ("Bearer bad", 401, "not-authenticated"),
        ("Basic good", 401, "not-authenticated"),
        ("Bearer \xff\xfe", 401, "not-authenticated"),
        ("Bearer reader", 403, "forbidden"),
    ],
)
def test_who_may_not(ask, authorization, status, code):
    got, headers, body = ask(authorization=authorization, if_none_match='"r1"')
    assert (got, headers["Content-Type"]) == (status, "application/problem+json")
    assert json.loads(body)["type"].endswith(f"/{code}")
    assert ("WWW-Authenticate" in headers) == (status == 401)


@pytest.mark.parametrize("path", [BUNDLE_PATH, JWKS_PATH])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(ask, path, method):
    status, headers, _ = ask(path, method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_the_keys_need_no_key(ask):
    assert ask(JWKS_PATH, authorization=None)[2] == b'{"keys":[]}'
    assert ask(JWKS_PATH, "HEAD", authorization=None)[2] == b""


def test_no_bundle_yet(ask, monkeypatch):
    monkeypatch.setattr(Memory, "served", None)
    for path in (BUNDLE_PATH, JWKS_PATH):
        status, headers, _ = ask(path)
        assert (status, headers["Retry-After"]) == (503, "1")


def test_who_has_the_newest_and_wants_to_wait_is_sent_on(ask, settings):
    settings.PUSH_PORT = 8001
    status, headers, body = ask(prefer="wait=30", if_none_match='"r1"', host="localhost:8000")
    where = urlsplit(headers["Location"])
    assert (status, body, headers["Cache-Control"]) == (307, b"", "no-store")
    assert (where.scheme, where.netloc, where.path) == ("http", "localhost:8001", BUNDLE_PATH)
    (ticket,) = parse_qs(where.query)["ticket"]
    assert entry.holder_of(ticket) == HOLDER


def test_who_has_an_older_one_is_answered_here(ask):
    assert ask(prefer="wait=30", if_none_match='"r0"')[0] == 200
    assert ask(prefer="wait=30")[0] == 200
    assert ask(prefer="wait=0", if_none_match='"r1"')[0] == 304


def test_the_ticket_does_not_open_the_web_server(ask):
    ticket = entry.make_ticket(HOLDER)
    assert ask(authorization=None, environ={"QUERY_STRING": f"ticket={ticket}"})[0] == 401


def test_push_url_wins(ask, settings):
    settings.PUSH_URL = "https://push.example.com/"
    _, headers, _ = ask(prefer="wait=30", if_none_match='"r1"', host="localhost:8000")
    assert headers["Location"].startswith("https://push.example.com/api/v1/policy-bundle?ticket=")


def test_behind_tls_the_redirect_is_to_https(ask, settings):
    settings.BEHIND_TLS, settings.ALLOWED_HOSTS = True, ["tokenops.example.com"]
    given = {"prefer": "wait=30", "if_none_match": '"r1"', "host": "tokenops.example.com", "x_forwarded_proto": "https"}
    assert ask(**given)[1]["Location"].startswith("https://tokenops.example.com:")
    settings.BEHIND_TLS = False
    assert ask(**given)[1]["Location"].startswith("http://tokenops.example.com:"), "the header is not ours to trust"


@pytest.mark.parametrize("host", ["evil.example.com", "localhost\r\nX: y", "", "a b", "localhost@evil.example.com"])
def test_a_foreign_host_is_not_redirected_to(ask, settings, host):
    settings.ALLOWED_HOSTS = ["localhost"]
    status, headers, _ = ask(prefer="wait=30", if_none_match='"r1"', environ={"HTTP_HOST": host})
    assert status == 400 and "Location" not in headers


def test_without_the_wrapper_django_answers_alike(ask, client):
    """`ask` has put keys and a memory in place."""
    assert ask()[2] == client.get(BUNDLE_PATH, headers={"authorization": "Bearer good"}).content
    answer = client.get(BUNDLE_PATH, headers={"authorization": "Bearer good", "if-none-match": '"r1"'})
    assert (answer.status_code, answer.headers["TokenOps-Freshness"]) == (304, "f")
    assert client.get(BUNDLE_PATH).status_code == 401
    assert client.get(JWKS_PATH).content == b'{"keys":[]}'


def test_who_wants_notices_is_sent_on(ask, settings):
    settings.PUSH_PORT = 8001
    status, headers, _ = ask(NOTICES_PATH, host="localhost:8000")
    where = urlsplit(headers["Location"])
    assert (status, where.netloc, where.path) == (307, "localhost:8001", NOTICES_PATH)
    assert entry.holder_of(parse_qs(where.query)["ticket"][0]) == HOLDER
    assert ask(NOTICES_PATH, authorization="Bearer nobody")[0] == 401
    assert ask(NOTICES_PATH, "POST")[0] == 405
