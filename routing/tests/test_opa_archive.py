"""The archive for OPA: its form, its signature, and what OPA's own rules refuse."""

import gzip
import hashlib
import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from routing.bundle.canonical import canonical
from routing.opa.archive import SCOPE, make_archive, structured
from routing.opa.keys import OpaKey, public_pem
from routing.opa.serve import rego
from routing.tests.opa_verifier import Refused, obeyed, opened, read, repacked

DOCUMENT = {
    "audience": "tokenops",
    "epoch": 1,
    "revision": 42,
    "workflows": {
        "ä": {"reason": "tab\t, line\nand \u2028 <b>&</b> \b\f\x01 \x7f \U0001f600"},
        "Z": {"n": 12345678901234},
    },
}


def new_key(kid="k1"):
    key = ECKey.generate_key("P-256")
    pem = public_pem(key.as_dict(private=False))
    return OpaKey(kid, key.private_key), {kid: {"algorithm": "ES256", "key": pem}}


KEY, KEYS = new_key()


def archive(document=DOCUMENT, key=KEY):
    body = canonical(document)
    version = document["epoch"], document["revision"]
    sign = lambda payload: key.sign(payload, "JWT")  # noqa: E731
    return make_archive(body, hashlib.sha256(body).hexdigest(), version, {"code": "A {name}."}, rego(), sign)


def test_opa_reads_it():
    files = read(archive(), KEYS, SCOPE)
    data = json.loads(files["data.json"])["tokenops"]
    assert data["bundle"] == DOCUMENT
    assert data["digest"] == hashlib.sha256(canonical(DOCUMENT)).hexdigest()
    assert data["words"] == {"code": "A {name}."}
    assert json.loads(files[".manifest"]) == {
        "revision": "1:42",
        "roots": ["tokenops"],
        "rego_version": 1,
        "metadata": {"audience": "tokenops"},
    }
    modules = {path: content.decode() for path, content in files.items() if path.endswith(".rego")}
    assert modules == rego() and modules


def test_the_same_revision_has_the_same_bytes():
    assert archive() == archive()
    assert archive({**DOCUMENT, "revision": 43}) != archive()


def test_it_tells_nothing_of_when_and_where_it_was_made():
    made = archive()
    assert made[4:8] == b"\0\0\0\0", "gzip's time"
    assert b"root" not in gzip.decompress(made)[:1024]


def test_joserfc_accepts_the_signature():
    (token,) = json.loads(opened(archive())[".signatures.json"])["signatures"]
    key = ECKey.import_key(KEYS["k1"]["key"])
    found = jws.deserialize_compact(token, key, algorithms=["ES256"])
    assert found.headers() == {"alg": "ES256", "kid": "k1", "typ": "JWT"}


def test_structured_text_is_what_gos_encoder_writes():
    told = structured({"b": "\u2028\u2029", "a": ["<&>", '\b\f\n\r\t\x00\x1f\x7f"\\/', True, None, 7]})
    assert told.decode() == (
        '{"a":["<&>","\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\\"\\\\/",true,null,7],"b":"\\u2028\\u2029"}'
    )


@pytest.mark.parametrize("path", ["data.json", ".manifest", "tokenops/decision.rego"])
def test_a_tampered_file_is_refused(path):
    files = opened(archive())
    assert b"tokenops" in files[path]
    files[path] = files[path].replace(b"tokenops", b"tokenopz", 1)
    with pytest.raises(Refused, match="digest mismatch"):
        read(repacked(files), KEYS, SCOPE)


def test_blanks_in_a_structured_file_do_not_matter():
    files = opened(archive())
    files["data.json"] = json.dumps(json.loads(files["data.json"]), indent=2).encode()
    assert read(repacked(files), KEYS, SCOPE)


@pytest.mark.parametrize("path", ["data.json", ".manifest", "tokenops/decision.rego"])
def test_a_missing_file_is_refused(path):
    files = opened(archive())
    del files[path]
    with pytest.raises(Refused, match="not found"):
        read(repacked(files), KEYS, SCOPE)


def test_an_extra_file_is_refused():
    files = {**opened(archive()), "tokenops/more.rego": b"package tokenops\n"}
    with pytest.raises(Refused, match=r"more\.rego not included"):
        read(repacked(files), KEYS, SCOPE)


def test_no_signature_is_refused():
    files = opened(archive())
    del files[".signatures.json"]
    with pytest.raises(Refused, match="missing"):
        read(repacked(files), KEYS, SCOPE)


def test_another_companys_key_is_refused():
    theirs, _ = new_key("k1")
    with pytest.raises(Refused, match="does not hold"):
        read(archive(key=theirs), KEYS, SCOPE)


def test_an_unknown_key_is_refused():
    theirs, _ = new_key("k2")
    with pytest.raises(Refused, match="key not found"):
        read(archive(key=theirs), KEYS, SCOPE)


def test_a_signature_for_another_purpose_is_refused():
    with pytest.raises(Refused, match="scope"):
        read(archive(), KEYS, "other")


def test_a_replayed_older_one_is_refused():
    older = archive({**DOCUMENT, "revision": 41})
    assert obeyed(archive(), KEYS, SCOPE, audience="tokenops", last_seen=(1, 42))["revision"] == 42
    assert obeyed(older, KEYS, SCOPE, audience="tokenops")["revision"] == 41
    with pytest.raises(Refused, match="older"):
        obeyed(older, KEYS, SCOPE, audience="tokenops", last_seen=(1, 42))


def test_one_for_another_audience_is_refused():
    with pytest.raises(Refused, match="for tokenops"):
        obeyed(archive(), KEYS, SCOPE, audience="staging")
