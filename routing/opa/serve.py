"""Answer for the OPA archive from memory: made once per revision and key, at the first request for it."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from django.conf import settings
from tokenops_sdk.jws import FRESHNESS_TYPE

from routing.bundle.answer import FRESHNESS_HEADER, Answer, not_allowed, not_ready, shown_etags
from routing.bundle.entry import admit
from routing.bundle.freshness import freshness_claims
from routing.bundle.memory import Held, memory
from routing.opa.archive import ROOT, make_archive
from routing.opa.keys import OpaKey

OPA_PATH = "/api/v1/policy-bundle/opa.tar.gz"
SIGNATURE_TYPE = "JWT"
REGO = Path(__file__).parent / "rego"


@dataclass(frozen=True, slots=True)
class Made:
    """An archive, for which bundle and under which key it was made, and its ETag, quotes included."""

    digest: str
    kid: str
    content: bytes
    etag: str


_made: Made | None = None
_making = threading.Lock()


def opa_archive_for(environ: Mapping[str, Any]) -> Answer:
    """The answer to a request for the archive. Its freshness token is ES256, which OPA's Rego can verify."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return not_allowed()
    holder = admit(environ.get("HTTP_AUTHORIZATION"))
    if isinstance(holder, Answer):
        return holder
    held = memory().held
    if held is None or held.opa_key is None:
        return not_ready()
    made = made_from(held, held.opa_key)
    shared = [
        ("ETag", made.etag),
        ("Cache-Control", "private, no-cache"),
        (FRESHNESS_HEADER, freshness(held, held.opa_key)),
    ]
    shown = environ.get("HTTP_IF_NONE_MATCH")
    if shown is not None and (shown.strip() == "*" or made.etag in shown_etags(shown)):
        return Answer(304, shared, b"")
    described = [
        ("Content-Type", "application/gzip"),
        ("Content-Length", str(len(made.content))),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Answer(200, [*described, *shared], b"" if environ["REQUEST_METHOD"] == "HEAD" else made.content)


def made_from(held: Held, key: OpaKey) -> Made:
    """The archive of what is held; one thread makes it while the others wait."""
    global _made
    with _making:
        made = _made
        if made is None or (made.digest, made.kid) != (held.digest, key.kid):
            content = make_archive(
                held.body, held.digest, held.version, words(), rego(), lambda payload: key.sign(payload, SIGNATURE_TYPE)
            )
            made = _made = Made(held.digest, key.kid, content, f'"{sha256(content).hexdigest()}"')
        return made


def freshness(held: Held, key: OpaKey) -> str:
    """Until when the bundle in the archive may be relied on."""
    claims = freshness_claims(
        held.version,
        held.digest,
        audience=settings.BUNDLE_AUDIENCE,
        confirmed_at=held.confirmed_at,
        lasts=timedelta(seconds=settings.BUNDLE_FRESH_SECONDS),
    )
    return key.sign(claims, FRESHNESS_TYPE)


@cache
def words() -> dict[str, str]:
    """The sentences of reasons, by code."""
    told: dict[str, str] = json.loads(resources.files("tokenops_sdk").joinpath("words.json").read_text("utf-8"))
    return told


@cache
def rego() -> dict[str, str]:
    """The modules' texts, by their path in the archive."""
    return {f"{ROOT}/{file.name}": file.read_text("utf-8") for file in sorted(REGO.glob("*.rego"))}
