"""A TokenOps server as the plugin sees it, in this process: signs the bundles that a test makes, keeps what is sent."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey

AUDIENCE = "tokenops"
KEY = OKPKey.generate_key("Ed25519", parameters={"kid": "one", "use": "sig", "alg": "EdDSA"})
FRESH_SECONDS = 60


def model(provider: str, name: str, price_in: int | None = None, price_out: int | None = None) -> dict[str, Any]:
    """A tier's model; prices in nano-dollars a million tokens."""
    prices = [] if price_in is None else [{"from_input_tokens": 0, "input": price_in, "output": price_out}]
    return {"provider": provider, "model": name, "latency_ms": None, "quality": None, "prices": prices}


def tier(number: int, *models: dict[str, Any], needs_approval: bool = False) -> dict[str, Any]:
    return {
        "number": number,
        "name": {1: "Cheap", 2: "Middle", 3: "Premium"}[number],
        "needs_approval": needs_approval,
        "review_note": "",
        "models": list(models),
    }


def workflow(**changes: Any) -> dict[str, Any]:
    plain = {
        "status": "active", "team": None, "default_tier": 2, "value_weight": "1", "risk_categories": [],
        "guardrails": {}, "paused": False, "snippets": [], "merged_into": None,
    }  # fmt: skip
    return plain | changes


def budget(slug: str, on_exhausted: str, *, exhausted: bool, scope: dict[str, str], **settings: Any) -> dict[str, Any]:
    return {
        "slug": slug, "name": slug.replace("-", " ").title(), "scope": scope, "metric": "money", "period": "month",
        "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z", "limit": "10", "limit_version": 1,
        "remaining_percent": 0 if exhausted else 50, "crossed": 100 if exhausted else 50,
        "status": "exhausted" if exhausted else "ok", "on_exhausted": on_exhausted, "settings": settings, "hard": False,
    }  # fmt: skip


def paused(slug: str, reason: str) -> dict[str, Any]:
    return {"scope": {"workflow": slug}, "code": "workflow_paused", "reason": reason, "until": None}


def bundle(**changes: Any) -> dict[str, Any]:
    """A document with three tiers; `changes` replace its members."""
    plain = {
        "schema": "https://tokenops.dev/schemas/policy-bundle/v1",
        "epoch": 1,
        "revision": 1,
        "policy_version": 3,
        "state_version": 1,
        "compiled_at": "2026-11-23T00:00:00Z",
        "audience": AUDIENCE,
        "organisation": {
            "time_zone": "UTC", "currency": "USD", "fiscal_year_starts": 1,
            "utc_offsets": [{"since": "2000-01-01T00:00:00Z", "minutes": 0}],
        },
        "fail_mode": "last_known_good",
        "default_tier": 2,
        "tiers": [
            tier(1, model("openai", "gpt-4o-mini", 150_000_000, 600_000_000)),
            tier(2, model("openai", "gpt-4o", 2_500_000_000, 10_000_000_000), model("openai", "gpt-4.1")),
            tier(3, model("anthropic", "claude-opus-4-1", 15_000_000_000, 75_000_000_000), needs_approval=True),
        ],
        "policy": {"version": 3, "unlisted_models": "allow", "rules": [], "otherwise": {}, "daily_tokens": {}},
        "snippets": {},
        "workflows": {"seo": workflow()},
        "budgets": [],
        "blocked": [],
        "grants": [],
        "prices": [],
    }  # fmt: skip
    return plain | changes


class Office:
    """Serves the newest of `publish`ed bundles, and keeps events and status reports."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.body, self.document = b"", {}
        self.revision = 0
        self.is_broken = False
        self.events: dict[str, dict[str, Any]] = {}
        self.sent: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.url = ""

    def publish(self, **changes: Any) -> str:
        """A new revision; returns it as clients name it."""
        with self.changed:
            self.revision += 1
            self.document = bundle(**changes) | {"revision": self.revision}
            self.body = json.dumps(self.document, sort_keys=True, separators=(",", ":")).encode()
            self.changed.notify_all()
            return f"1:{self.revision}"

    @property
    def etag(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def freshness(self) -> str:
        now = int(time.time())
        claims = {
            "aud": AUDIENCE, "epoch": 1, "revision": self.revision, "etag": self.etag, "iat": now,
            "exp": now + FRESH_SECONDS,
        }  # fmt: skip
        return signed(json.dumps(claims).encode(), "tokenops-freshness")

    def signature(self) -> str:
        header, _, rest = signed(self.body, "tokenops-bundle").split(".")
        return f"{header}..{rest}"

    def wait_for(self, count: int, seconds: float = 15.0, **wanted: Any) -> list[dict[str, Any]]:
        """Events with these members, as soon as there are so many."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.having(**wanted)
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"{len(found)} of {count} events {wanted}: {list(self.events.values())}"
            time.sleep(0.05)

    def having(self, **wanted: Any) -> list[dict[str, Any]]:
        with self.changed:
            return [one for one in self.events.values() if wanted.items() <= one.items()]


def signed(payload: bytes, kind: str) -> str:
    return jws.serialize_compact({"alg": "EdDSA", "kid": "one", "typ": kind}, payload, KEY, algorithms=["EdDSA"])


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    office: Office

    def do_GET(self) -> None:
        office = self.office
        if office.is_broken:
            return self.say(503, b"{}")
        if self.path.startswith("/.well-known/jwks.json"):
            return self.say(200, json.dumps({"keys": [KEY.as_dict(private=False)]}).encode())
        known = self.headers.get("If-None-Match", "").strip('"')
        wait = float(self.headers.get("Prefer", "").partition("wait=")[2] or 0)
        with office.changed:
            office.changed.wait_for(lambda: office.etag != known, wait if known else 0)
            headers = {"ETag": f'"{office.etag}"', "TokenOps-Freshness": office.freshness()}
            if office.etag == known:
                return self.say(304, b"", headers)
            return self.say(200, office.body, headers | {"TokenOps-Signature": office.signature()})

    def do_POST(self) -> None:
        body = json.loads(self.content())
        office = self.office
        if self.path.endswith("/status"):
            office.reports.append(body)
            return self.say(204, b"")
        if not self.path.endswith("/events") or office.is_broken:
            return self.say(503 if office.is_broken else 404, b"{}")
        items: list[Mapping[str, Any]] = body if isinstance(body, list) else [body]
        with office.changed:
            for item in items:
                office.sent.append(dict(item))
                office.events.setdefault(item["id"], dict(item))
        answer = {"accepted": len(items), "duplicate": 0, "conflict": 0, "rejected": 0, "items": []}
        return self.say(200, json.dumps(answer).encode())

    def content(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            return gzip.decompress(body)
        return body

    def say(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def open_office() -> Iterator[Office]:
    """An office on a free port."""
    office = Office()
    office.publish()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"office": office}))
    server.daemon_threads = True
    office.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield office
    finally:
        server.shutdown()
        server.server_close()
