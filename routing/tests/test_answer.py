"""Conditional requests, encodings, waits: RFC 9110 and 7240, without a server."""

import gzip

import pytest

from routing.bundle.answer import (
    Served,
    accepts_gzip,
    answer_bundle,
    answer_jwks,
    answer_problem,
    make_ready,
    wanted_wait,
)

BODY = b'{"bundle":"' + b"x" * 2000 + b'"}'
ETAG, PACKED = '"abc"', '"abc-gzip"'


@pytest.fixture
def served() -> Served:
    return make_ready((1, 7), BODY, etag=ETAG, signature="h..s", freshness="f.r.esh", jwks=b'{"keys":[]}')


def test_plain(served):
    status, headers, body = answer_bundle(served, None, "")
    told = dict(headers)
    assert (status, body) == (200, BODY)
    assert told["ETag"] == ETAG
    assert told["Content-Length"] == str(len(BODY))
    assert told["TokenOps-Signature"] == "h..s"
    assert told["TokenOps-Freshness"] == "f.r.esh"
    assert told["Cache-Control"] == "private, no-cache"
    assert told["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in told


def test_gzip_has_an_etag_of_its_own(served):
    status, headers, body = answer_bundle(served, None, "br, gzip;q=0.5")
    told = dict(headers)
    assert status == 200
    assert gzip.decompress(body) == BODY
    assert (told["ETag"], told["Content-Encoding"], told["Content-Length"]) == (PACKED, "gzip", str(len(body)))


@pytest.mark.parametrize(
    ("shown", "encoding", "etag"),
    [
        (ETAG, "", ETAG),
        (PACKED, "gzip", PACKED),
        (PACKED, "", PACKED),  # held gzipped, asked for plainly: what it holds is still good
        (ETAG, "gzip", ETAG),
        ("W/" + ETAG, "", ETAG),  # If-None-Match compares weakly
        (f'"old", {ETAG}', "", ETAG),
        (f'"old",W/{PACKED} , "other"', "gzip", PACKED),
        ('"a,b", ' + ETAG, "", ETAG),
        ("*", "gzip", PACKED),
        (" * ", "", ETAG),
    ],
)
def test_not_modified(served, shown, encoding, etag):
    status, headers, body = answer_bundle(served, shown, encoding)
    told = dict(headers)
    assert (status, body) == (304, b"")
    assert told["ETag"] == etag
    assert told["TokenOps-Freshness"] == "f.r.esh"
    assert "Content-Length" not in told and "Content-Type" not in told


@pytest.mark.parametrize("shown", ['"old"', "abc", '"ABC"', "", '"abc', "**", '"*"', 'W/"abd"'])
def test_another_etag_gets_the_bundle(served, shown):
    assert answer_bundle(served, shown, "").status == 200


def test_head_has_the_headers_of_get(served):
    get, head = answer_bundle(served, None, "gzip"), answer_bundle(served, None, "gzip", with_body=False)
    assert head.headers == get.headers
    assert head.body == b""


def test_each_answer_has_headers_of_its_own(served):
    answer_bundle(served, None, "").headers.append(("Preference-Applied", "wait"))
    assert "Preference-Applied" not in dict(answer_bundle(served, None, "").headers)


def test_the_gzipped_bytes_do_not_change_with_the_clock(served):
    again = make_ready((1, 7), BODY, etag=ETAG, signature="h..s", freshness="other", jwks=b"")
    assert again.gzipped.body == served.gzipped.body  # the strong ETag promises it


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True), ("GZIP", True), ("x-gzip", True), ("br, gzip", True), ("gzip; q=0.1", True), ("*", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0.000", False), ("*;q=0", False),
        ("br, *;q=0", False), ("gzip;q=x", False), ("gzip;q=0, *", False), (";;,,", False),
    ],
)  # fmt: skip
def test_accept_encoding(header, accepted):
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=30", 30), ("WAIT=5", 5), ('wait="7"', 7), ("respond-async, wait=10", 10), ("wait = 3; x=1", 3),
        ("wait=60", 60), ("wait=61", 60), ("wait=99999999999999999999", 60),
        ("", 0), ("wait", 0), ("wait=", 0), ("wait=-1", 0), ("wait=1.5", 0), ("wait=x", 0), ("waiting=5", 0),
        ("wait=٣", 0),
    ],
)  # fmt: skip
def test_prefer(prefer, seconds):
    assert wanted_wait(prefer) == seconds


def test_problems_are_not_cached():
    status, headers, body = answer_problem(401, "not-authenticated", "Not authenticated")
    assert status == 401
    assert dict(headers)["Cache-Control"] == "no-store"
    assert dict(headers)["Content-Type"] == "application/problem+json"
    assert b"https://tokenops.dev/problems/not-authenticated" in body


def test_the_jwks_is_public():
    assert dict(answer_jwks(b"{}").headers)["Cache-Control"] == "public, max-age=300"
    assert answer_jwks(b"{}", with_body=False).body == b""
