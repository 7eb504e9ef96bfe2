"""What a client refuses. Bundles are signed here by joserfc and by hand, not by the server's code."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tokenops_sdk import (
    SCHEMA,
    BundleRefused,
    NotFresh,
    OlderRevision,
    UnknownKey,
    UnknownSchema,
    WrongAudience,
    WrongSignature,
    renew,
    verify,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public(key: Ed25519PrivateKey, kid: str) -> dict[str, str]:
    x = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(x), "kid": kid, "alg": "EdDSA", "use": "sig"}


JWKS = {"keys": [public(KEY, "one"), public(OTHER_KEY, "two")]}


def signed(payload: bytes, typ: str, key=KEY, kid="one", alg="EdDSA") -> tuple[str, str, str]:
    header = b64(json.dumps({"alg": alg, "kid": kid, "typ": typ}).encode())
    return header, b64(payload), b64(key.sign(f"{header}.{b64(payload)}".encode()))


def detached(payload: bytes, typ="tokenops-bundle", **how) -> str:
    header, _, signature = signed(payload, typ, **how)
    return f"{header}..{signature}"


def bundle_bytes(**changes) -> bytes:
    said = {"schema": SCHEMA, "epoch": 2, "revision": 7, "audience": "acme", **changes}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def fresh(body: bytes, typ="tokenops-freshness", key=KEY, **changes) -> str:
    said = json.loads(body)
    claims = {
        "aud": said["audience"],
        "epoch": said["epoch"],
        "revision": said["revision"],
        "etag": hashlib.sha256(body).hexdigest(),
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(minutes=5)).timestamp()),
        **changes,
    }
    return ".".join(signed(json.dumps(claims).encode(), typ, key))


def check(body=None, **changes):
    body = body or bundle_bytes()
    given = {"signature": detached(body), "jwks": JWKS, "audience": "acme", "freshness": fresh(body), "now": NOW}
    return verify(body, **{**given, **changes})


def test_a_good_bundle_is_read():
    bundle = check(last_seen=(2, 7))
    assert bundle.version == (2, 7)
    assert bundle.document["audience"] == "acme"
    assert bundle.digest == hashlib.sha256(bundle_bytes()).hexdigest()
    assert bundle.fresh_until == NOW + timedelta(minutes=5)
    assert bundle.is_fresh(NOW) and not bundle.is_fresh(NOW + timedelta(minutes=6))


def test_a_key_that_is_on_its_way_out_still_verifies():
    body = bundle_bytes()
    assert check(signature=detached(body, key=OTHER_KEY, kid="two")).version == (2, 7)


def test_a_large_bundle_is_read():
    assert check(bundle_bytes(workflows={f"flow-{n}": {"paused": False} for n in range(20_000)})).version == (2, 7)


@pytest.mark.parametrize("at", [0, 1, 17, -2, -1])
def test_any_changed_byte_is_refused(at):
    body = bundle_bytes()
    changed = bytearray(body)
    changed[at] ^= 1
    with pytest.raises(WrongSignature):
        verify(bytes(changed), detached(body), jwks=JWKS, audience="acme", freshness=fresh(body), now=NOW)


def test_added_and_missing_bytes_are_refused():
    body = bundle_bytes()
    for other in (body + b" ", body[:-1], b""):
        with pytest.raises(WrongSignature):
            verify(other, detached(body), jwks=JWKS, audience="acme", freshness=fresh(body), now=NOW)


def hmac_forgery(body: bytes) -> str:
    """The old trick: the public key as the secret of an HMAC."""
    import hmac

    header = b64(json.dumps({"alg": "HS256", "kid": "one", "typ": "tokenops-bundle"}).encode())
    secret = base64.urlsafe_b64decode(JWKS["keys"][0]["x"] + "=")
    mac = hmac.new(secret, f"{header}.{b64(body)}".encode(), "sha256").digest()
    return f"{header}..{b64(mac)}"


def unsigned(body: bytes) -> str:
    return f"{b64(json.dumps({'alg': 'none', 'kid': 'one', 'typ': 'tokenops-bundle'}).encode())}.."


def attached(body: bytes) -> str:
    """The payload left in: what is signed might not be what was sent."""
    return ".".join(signed(body, "tokenops-bundle"))


@pytest.mark.parametrize(
    "forge",
    [
        hmac_forgery,
        unsigned,
        attached,
        lambda body: detached(body, key=OTHER_KEY),
        lambda body: detached(body, typ="tokenops-freshness"),
        lambda body: detached(body, alg="Ed25519"),
        lambda body: detached(body)[:-2],
        lambda body: detached(body) + "..",
        lambda body: "",
        lambda body: "..",
        lambda body: "é..é",
        lambda body: "Zm9v..Zm9v",
    ],
)
def test_forged_signatures_are_refused(forge):
    with pytest.raises(WrongSignature):
        check(signature=forge(bundle_bytes()))


def test_an_unknown_key_is_told_apart():
    with pytest.raises(UnknownKey):
        check(signature=detached(bundle_bytes(), kid="three"))
    with pytest.raises(WrongSignature):
        check(jwks={"keys": []})
    with pytest.raises(WrongSignature):
        check(jwks={})


def test_a_key_of_another_kind_in_the_jwks_verifies_nothing():
    secret = {"kty": "oct", "k": b64(b"k" * 32), "kid": "one"}
    with pytest.raises(WrongSignature):
        check(jwks={"keys": [secret]})


def test_another_audience_is_refused():
    with pytest.raises(WrongAudience):
        check(audience="globex")
    with pytest.raises(WrongAudience):
        check(freshness=fresh(bundle_bytes(), aud="globex"))


@pytest.mark.parametrize("last_seen", [(2, 8), (3, 1), (3, 7)])
def test_an_older_revision_is_refused(last_seen):
    with pytest.raises(OlderRevision):
        check(last_seen=last_seen)


def test_a_new_epoch_beats_a_higher_revision():
    assert check(last_seen=(1, 900)).version == (2, 7)


@pytest.mark.parametrize("schema", ["https://tokenops.dev/schemas/policy-bundle/v2", None, 1])
def test_another_schema_is_refused(schema):
    with pytest.raises(UnknownSchema):
        check(bundle_bytes(schema=schema))


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_document_is_refused_though_signed(body):
    with pytest.raises(UnknownSchema):
        verify(body, detached(body), jwks=JWKS, audience="acme", freshness="", now=NOW)


@pytest.mark.parametrize("change", [{"revision": "7"}, {"epoch": None}, {"revision": True}])
def test_a_bundle_without_a_revision_is_refused(change):
    body = bundle_bytes(**change)
    with pytest.raises(BundleRefused):
        check(body, freshness=fresh(bundle_bytes()))


@pytest.mark.parametrize(
    "change",
    [
        {"exp": int(NOW.timestamp()) - 6},
        {"exp": None},
        {"exp": "2030"},
        {"revision": 8},
        {"epoch": 1},
        {"etag": "0" * 64},
        {"revision": None},
    ],
)
def test_freshness_that_ended_or_names_another_bundle_is_refused(change):
    with pytest.raises(NotFresh):
        check(freshness=fresh(bundle_bytes(), **change))


def test_clocks_may_differ_a_little():
    assert check(freshness=fresh(bundle_bytes(), exp=int(NOW.timestamp()) - 4))


def test_freshness_must_be_signed_as_such():
    body = bundle_bytes()
    for token in (fresh(body, typ="tokenops-bundle"), fresh(body, key=OTHER_KEY), "", "a.b.c"):
        with pytest.raises(WrongSignature):
            check(freshness=token)


def test_a_304_renews_the_same_bundle():
    bundle = check()
    later = NOW + timedelta(minutes=4)
    token = fresh(bundle_bytes(), exp=int((later + timedelta(minutes=5)).timestamp()))
    assert renew(bundle, jwks=JWKS, freshness=token, now=later).fresh_until == later + timedelta(minutes=5)
    with pytest.raises(NotFresh):
        renew(bundle, jwks=JWKS, freshness=fresh(bundle_bytes(revision=8)), now=later)
