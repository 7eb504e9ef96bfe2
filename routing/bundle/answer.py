"""What a request for the bundle is answered: from facts to status, headers and body. Pure; shared by web and push.

Plain and gzipped answers have strong ETags of their own (the second with `-gzip`, RFC 9110 section 8.8.3); a client may
show either in `If-None-Match`.
"""

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

BUNDLE_PATH = "/api/v1/policy-bundle"
NOTICES_PATH = "/api/v1/policy-bundle/notices"
JWKS_PATH = "/.well-known/jwks.json"
SIGNATURE_HEADER = "TokenOps-Signature"
FRESHNESS_HEADER = "TokenOps-Freshness"
MAX_WAIT = 60  # seconds
PROBLEMS = "https://tokenops.dev/problems/"

Headers = list[tuple[str, str]]
_ETAG = re.compile(r'(?:W/)?("[^"]*")')


class Answer(NamedTuple):
    """One response. `headers` belongs to the receiver, who may add to it."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Representation:
    """The bundle's bytes as they are sent in one encoding, with the headers of both answers that can be given."""

    etag: str
    body: bytes
    ok: Headers
    not_modified: Headers


@dataclass(frozen=True, slots=True)
class Served:
    """A bundle and the keys to verify it, made ready so that a request only picks from it."""

    version: tuple[int, int]
    plain: Representation
    gzipped: Representation
    jwks: bytes


def make_ready(
    version: tuple[int, int], body: bytes, *, etag: str, signature: str, freshness: str, jwks: bytes
) -> Served:
    """`etag` is that of the plain body, quotes included; the signature is over the plain body, however it is sent."""

    def representation(content: bytes, tag: str, *extra: tuple[str, str]) -> Representation:
        shared = [
            ("ETag", tag),
            ("Cache-Control", "private, no-cache"),
            ("Vary", "Accept-Encoding"),
            (FRESHNESS_HEADER, freshness),
        ]
        described = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(content))),
            (SIGNATURE_HEADER, signature),
            ("X-Content-Type-Options", "nosniff"),
        ]
        return Representation(tag, content, [*described, *extra, *shared], shared)

    packed = gzip.compress(body, 6, mtime=0)
    return Served(
        version,
        representation(body, etag),
        representation(packed, f'{etag[:-1]}-gzip"', ("Content-Encoding", "gzip")),
        jwks,
    )


def answer_bundle(served: Served, if_none_match: str | None, accept_encoding: str, with_body: bool = True) -> Answer:
    """200 with the bundle, or 304 where the client has it; without a body for HEAD."""
    wanted = served.gzipped if accepts_gzip(accept_encoding) else served.plain
    if if_none_match is not None:
        held = held_by_client(served, wanted, if_none_match)
        if held is not None:
            return Answer(304, held.not_modified.copy(), b"")
    return Answer(200, wanted.ok.copy(), wanted.body if with_body else b"")


def held_by_client(served: Served, wanted: Representation, if_none_match: str) -> Representation | None:
    """The representation that the client says it has, the one it would get now first; None where it has neither."""
    if if_none_match == wanted.etag:
        return wanted
    if if_none_match.strip() == "*":
        return wanted
    shown = shown_etags(if_none_match)
    for representation in (wanted, served.plain, served.gzipped):
        if representation.etag in shown:
            return representation
    return None


def shown_etags(if_none_match: str) -> set[str]:
    """The ETags in an `If-None-Match`, quotes included; weak ones count as strong (RFC 9110 section 13.1.2)."""
    return set(_ETAG.findall(if_none_match))


def answer_jwks(jwks: bytes, with_body: bool = True) -> Answer:
    """The public keys. Public, and kept by caches for five minutes only, so that a rotation is soon known."""
    headers = [
        ("Content-Type", "application/jwk-set+json"),
        ("Content-Length", str(len(jwks))),
        ("Cache-Control", "public, max-age=300"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Answer(200, headers, jwks if with_body else b"")


def answer_problem(status: int, code: str, title: str, detail: str = "", *extra: tuple[str, str]) -> Answer:
    """An RFC 9457 document."""
    document: Mapping[str, Any] = {"type": PROBLEMS + code, "title": title, "status": status, "detail": detail or title}
    body = json.dumps(document).encode()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *extra,
    ]
    return Answer(status, headers, body)


def not_allowed() -> Answer:
    return answer_problem(
        405, "method-not-allowed", "Only GET and HEAD", "Use GET or HEAD here.", ("Allow", "GET, HEAD")
    )


def not_ready(detail: str = "The first policy bundle is not compiled yet.") -> Answer:
    return answer_problem(503, "no-bundle", "No policy bundle yet", detail, ("Retry-After", "1"))


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is accepted, and not with a weight of nought (RFC 9110 section 12.5.3)."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        weights[name] = weight
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


@lru_cache(maxsize=256)
def wanted_wait(prefer: str) -> int:
    """Seconds to wait, from `Prefer: wait=N` (RFC 7240), at most MAX_WAIT; 0 where no wait is asked for."""
    for preference in re.split(r"[,;]", prefer):
        name, _, value = preference.partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "wait" and value.isascii() and value.isdigit():
            return min(int(value[:9]), MAX_WAIT)
    return 0
