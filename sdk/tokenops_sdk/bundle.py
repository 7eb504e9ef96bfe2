"""Verify a policy bundle before obeying it. Pure: bytes and a clock in, a `Bundle` or a refusal out.

What the server sends, and what is checked here, is written down in docs/policy-bundle.md.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from joserfc import jws
from joserfc.errors import InvalidKeyIdError, JoseError, MissingKeyError
from joserfc.jwk import KeySet

from tokenops_sdk.jws import ALGORITHMS, BUNDLE_TYPE, FRESHNESS_TYPE, REGISTRY
from tokenops_sdk.prepared import Prepared
from tokenops_sdk.refusals import (
    BundleRefused,
    NotFresh,
    OlderRevision,
    UnknownKey,
    UnknownSchema,
    WrongAudience,
    WrongSignature,
)

SCHEMA = "https://tokenops.dev/schemas/policy-bundle/v1"
LEEWAY = timedelta(seconds=5)  # by how much two clocks may differ

__all__ = ["LEEWAY", "SCHEMA", "Bundle", "BundleRefused", "renew", "verify"]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle. `version` is (epoch, revision): keep the highest obeyed and pass it as `last_seen`."""

    version: tuple[int, int]
    digest: str  # SHA-256 of the bytes, hexadecimal; the ETag of the plain (not gzipped) answer
    document: Mapping[str, Any]
    fresh_until: datetime
    # With the document that it was made from: renewing makes another bundle of the same one every few seconds.
    _prepared: list[tuple[Mapping[str, Any], Prepared]] = field(default_factory=list, repr=False, compare=False)

    @property
    def prepared(self) -> Prepared:
        """The document laid out for deciding; made at the first asking, and once for all renewals of the bundle."""
        for document, prepared in self._prepared:
            if document is self.document:
                return prepared
        made = Prepared(self.document)
        self._prepared[:] = [(self.document, made)]
        return made

    def is_fresh(self, now: datetime | None = None) -> bool:
        """Whether the server has vouched for it recently enough; when not, follow `document["fail_mode"]`."""
        return (now or datetime.now(UTC)) <= self.fresh_until + LEEWAY


def verify(
    body: bytes,
    signature: str,
    *,
    jwks: Mapping[str, Any],
    audience: str,
    freshness: str,
    last_seen: tuple[int, int] | None = None,
    now: datetime | None = None,
) -> Bundle:
    """The bundle in a 200 answer.

    `body` is the answer's content after gunzip, `signature` its `TokenOps-Signature` header, `freshness` its
    `TokenOps-Freshness` header, `jwks` the parsed document from `/.well-known/jwks.json`, got over a channel you trust.
    Raises a `BundleRefused`: WrongSignature (UnknownKey), WrongAudience, UnknownSchema, OlderRevision, NotFresh.
    """
    header, dot, rest = signature.partition("..")
    if not dot or "." in rest or not header or not rest:
        raise WrongSignature("The signature is not a JWS with a detached payload.")
    _signed(signature, jwks, BUNDLE_TYPE, body)
    document = _document(body)
    if document.get("schema") != SCHEMA:
        raise UnknownSchema(f"This reads {SCHEMA}; the bundle is {document.get('schema')!r}.")
    if document.get("audience") != audience:
        raise WrongAudience(f"The bundle is for {document.get('audience')!r}, not for {audience!r}.")
    version = _version(document, WrongSignature)
    if last_seen is not None and version < last_seen:
        raise OlderRevision(f"Bundle {_said(version)} is older than {_said(last_seen)}, seen before.")
    bundle = Bundle(version, hashlib.sha256(body).hexdigest(), document, datetime.min.replace(tzinfo=UTC))
    return renew(bundle, jwks=jwks, freshness=freshness, now=now)


def renew(bundle: Bundle, *, jwks: Mapping[str, Any], freshness: str, now: datetime | None = None) -> Bundle:
    """The same bundle, vouched for anew by the `TokenOps-Freshness` header of a 304 answer (or of a 200).

    Raises WrongSignature (UnknownKey), WrongAudience, or NotFresh when the token has ended or names another bundle.
    """
    token = _document(_signed(freshness, jwks, FRESHNESS_TYPE))
    if token.get("aud") != bundle.document.get("audience"):
        raise WrongAudience(f"The freshness token is for {token.get('aud')!r}.")
    version = _version(token, NotFresh)
    if version != bundle.version or token.get("etag") != bundle.digest:
        raise NotFresh(f"The token vouches for bundle {_said(version)}, not for this one.")
    ends = token.get("exp")
    if not isinstance(ends, int):
        raise NotFresh("The freshness token does not say when it ends.")
    renewed = replace(bundle, fresh_until=datetime.fromtimestamp(ends, UTC))
    if not renewed.is_fresh(now):
        raise NotFresh(f"The bundle was fresh until {renewed.fresh_until:%Y-%m-%d %H:%M:%S} UTC.")
    return renewed


def _signed(token: str, jwks: Mapping[str, Any], kind: str, payload: bytes | None = None) -> bytes:
    """The payload, once its signature holds and its header says `kind`."""
    try:
        keys = KeySet.import_key_set(cast(Any, {"keys": [*jwks["keys"]]}))
        found = jws.deserialize_compact(token, keys, algorithms=ALGORITHMS, registry=REGISTRY, payload=payload)
    except (InvalidKeyIdError, MissingKeyError):
        raise UnknownKey("Signed with a key that the JWKS does not hold.") from None
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise WrongSignature(f"The signature does not hold: {error}") from None
    header = found.headers()
    if header.get("typ") != kind or "kid" not in header:
        raise WrongSignature(f"Signed as {header.get('typ')!r}, which is no {kind}.")
    return found.payload


def _document(payload: bytes) -> dict[str, Any]:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnknownSchema("What was signed is not a JSON object.")
    return document


def _version(document: Mapping[str, Any], refusal: type[BundleRefused]) -> tuple[int, int]:
    epoch, revision = document.get("epoch"), document.get("revision")
    if type(epoch) is not int or type(revision) is not int:
        raise refusal("It does not say its epoch and revision.")
    return epoch, revision


def _said(version: tuple[int, int]) -> str:
    return f"{version[0]}:{version[1]}"
