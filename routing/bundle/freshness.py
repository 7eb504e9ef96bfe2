"""Vouch for a bundle for a while: a short signed token beside the bundle, on 200 and 304 answers alike. Pure.

It is apart from the bundle, so that unchanged content keeps its bytes, its signature and its ETag. The moment it is
issued is the moment at which the database last confirmed that this bundle is the newest: a process that has lost its
database goes on serving what it has, but vouches for it no longer than it knows.
"""

import json
from datetime import datetime, timedelta

from joserfc import jws
from joserfc.jwk import OKPKey
from tokenops_sdk.jws import ALGORITHM, ALGORITHMS, FRESHNESS_TYPE, REGISTRY


def freshness_token(
    version: tuple[int, int], digest: str, *, audience: str, confirmed_at: datetime, lasts: timedelta, key: OKPKey
) -> str:
    """A compact JWS over the claims."""
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": FRESHNESS_TYPE}
    payload = freshness_claims(version, digest, audience=audience, confirmed_at=confirmed_at, lasts=lasts)
    return jws.serialize_compact(header, payload, key, algorithms=ALGORITHMS, registry=REGISTRY)


def freshness_claims(
    version: tuple[int, int], digest: str, *, audience: str, confirmed_at: datetime, lasts: timedelta
) -> bytes:
    """JSON. `digest` is the SHA-256 of the bundle's bytes in hexadecimal; times are whole Unix seconds."""
    claims = {
        "aud": audience,
        "epoch": version[0],
        "revision": version[1],
        "etag": digest,
        "iat": int(confirmed_at.timestamp()),
        "exp": int((confirmed_at + lasts).timestamp()),
    }
    return json.dumps(claims, separators=(",", ":")).encode()
