"""A small server that speaks as TokenOps does, told by tests what to say. It signs by hand."""

import base64
import gzip
import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SCHEMA = "https://tokenops.dev/schemas/policy-bundle/v1"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Signer:
    """One Ed25519 key."""

    def __init__(self, kid: str) -> None:
        self.kid, self.key = kid, Ed25519PrivateKey.generate()

    @property
    def public(self) -> dict[str, str]:
        x = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(x), "kid": self.kid, "alg": "EdDSA", "use": "sig"}

    def sign(self, payload: bytes, typ: str) -> str:
        header = b64(json.dumps({"alg": "EdDSA", "kid": self.kid, "typ": typ}).encode())
        return f"{header}.{b64(payload)}.{b64(self.key.sign(f'{header}.{b64(payload)}'.encode()))}"

    def detached(self, body: bytes) -> str:
        header, _, signature = self.sign(body, "tokenops-bundle").split(".")
        return f"{header}..{signature}"

    def vouch(self, body: bytes, seconds: float = 300, **changes: Any) -> str:
        said, now = json.loads(body), time.time()
        claims = {
            "aud": said["audience"],
            "epoch": said["epoch"],
            "revision": said["revision"],
            "etag": hashlib.sha256(body).hexdigest(),
            "iat": int(now),
            "exp": int(now + seconds),
            **changes,
        }
        return self.sign(json.dumps(claims).encode(), "tokenops-freshness")


def bundle(revision: int = 1, epoch: int = 1, **changes: Any) -> bytes:
    """A bundle with one tier of one model, and one workflow; changes are of its top level."""
    model = {"provider": "openai", "model": "small", "latency_ms": None, "quality": None,
             "prices": [{"from_input_tokens": 0, "input": 1_000_000_000, "output": 4_000_000_000}]}  # fmt: skip
    document = {
        "schema": SCHEMA, "epoch": epoch, "revision": revision, "policy_version": 1, "state_version": 1,
        "compiled_at": "2026-11-22T12:00:00Z", "audience": "tokenops", "fail_mode": "last_known_good",
        "default_tier": 1,
        "organisation": {"time_zone": "UTC", "currency": "USD", "fiscal_year_starts": 1,
                         "utc_offsets": [{"since": "2026-01-01T00:00:00Z", "minutes": 0}]},
        "tiers": [{"number": 1, "name": "Cheap", "needs_approval": False, "review_note": "", "models": [model]}],
        "workflows": {}, "budgets": [], "blocked": [], "grants": [], "prices": [], "snippets": {},
        "policy": {"version": 1, "rules": [], "otherwise": {}, "unlisted_models": "allow", "daily_tokens": {}},
        **changes,
    }  # fmt: skip
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def workflow(**guardrails: Any) -> dict[str, Any]:
    """A workflow of the bundle with these limits."""
    return {"status": "production", "team": None, "default_tier": None, "value_weight": "1", "risk_categories": [],
            "guardrails": guardrails, "paused": False, "merged_into": None, "snippets": []}  # fmt: skip


PAUSED = [{"scope": {"workflow": "briefs"}, "code": "workflow_paused", "reason": "", "until": None}]


class SmallServer:
    """Serves a bundle, its keys, events and leases. `waits_elsewhere` sends waiting clients to a second port."""

    def __init__(self, *, waits_elsewhere: bool = False) -> None:
        self.signer = Signer("one")
        self.keys = [self.signer.public]
        self.lock = threading.Condition()
        self.fresh_seconds = 300.0
        self.signature: str | None = None  # another one than belongs to the body
        self.freshness: Callable[[bytes], str] = lambda body: self.signer.vouch(body, self.fresh_seconds)
        self.body: bytes | None = bundle()
        self.status = 0  # answer everything with it
        self.retry_after = ""
        self.sends_keys_to = ""  # another address
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.reports: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.judge: Callable[[list[dict[str, Any]]], dict[str, Any] | None] = lambda events: None
        self.answer_post: Callable[[str, dict[str, Any], dict[str, str]], tuple[int, dict[str, Any]] | None] = (
            lambda path, body, headers: None
        )
        self.servers = [self._serve() for _ in range(2 if waits_elsewhere else 1)]
        self.port = self.servers[0].server_port
        self.push_port = self.servers[-1].server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def publish(self, body: bytes) -> None:
        with self.lock:
            self.body = body
            self.lock.notify_all()

    def asked(self, path: str) -> list[dict[str, str]]:
        """Headers of the requests for a path so far."""
        return [headers for _, asked, headers, _ in self.requests if asked.partition("?")[0] == path]

    def stop(self) -> None:
        with self.lock:
            self.status = 503
            self.lock.notify_all()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def _serve(self, port: int = 0) -> ThreadingHTTPServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.get(self)

            def do_POST(self) -> None:
                outer.post(self)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def get(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(("GET", request.path, headers, b""))
        if self.status:
            return answer(request, self.status, b"", **({"Retry-After": self.retry_after} if self.retry_after else {}))
        if request.path == "/.well-known/jwks.json":
            if self.sends_keys_to:
                return answer(request, 307, b"", Location=f"{self.sends_keys_to}{request.path}")
            return answer(request, 200, json.dumps({"keys": self.keys}).encode())
        body = self.body
        if body is None:
            return answer(request, 503, b"")
        held, wait = headers.get("if-none-match", ""), headers.get("prefer", "").partition("wait=")[2]
        here = request.server.server_port
        if same(held, body) and wait and self.push_port != here:
            return answer(request, 307, b"", Location=f"http://127.0.0.1:{self.push_port}{request.path}?ticket=t")
        applied = {}
        if same(held, body) and wait:
            with self.lock:
                self.lock.wait_for(lambda: self.status or self.body is not body, float(wait))
            body, applied = self.body or b"", {"Preference-Applied": "wait"}
            if self.status:
                return answer(request, self.status, b"")
        if same(held, body):
            return answer(request, 304, b"", **applied, **{"TokenOps-Freshness": self.freshness(body)})
        signed = {
            "TokenOps-Signature": self.signature or self.signer.detached(body),
            "TokenOps-Freshness": self.freshness(body),
        }
        return answer(request, 200, gzip.compress(body), **signed, **{"Content-Encoding": "gzip"})

    def post(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        content = request.rfile.read(int(headers.get("content-length", 0)))
        self.requests.append(("POST", request.path, headers, content))
        if self.status:
            return answer(request, self.status, b"", **({"Retry-After": self.retry_after} if self.retry_after else {}))
        body = json.loads(gzip.decompress(content) if headers.get("content-encoding") == "gzip" else content)
        if request.path == "/api/v1/policy-bundle/status":
            self.reports.append(body)
            return answer(request, 204, b"")
        if request.path == "/api/v1/events":
            said = self.judge(body)
            if said is None:
                with self.lock:
                    known = {event["id"] for event in self.events}
                    self.events += [event for event in body if event["id"] not in known]
                    new = sum(event["id"] not in known for event in body)
                said = {"accepted": new, "duplicate": len(body) - new, "conflict": 0, "rejected": 0, "items": []}
            status = said.pop("status", 207 if said.get("items") else 200)
            kind = "application/problem+json" if status >= 400 else "application/json"
            return answer(request, status, json.dumps(said).encode(), **{"Content-Type": kind})
        found = self.answer_post(request.path, body, headers)
        status, said = found or (404, {"type": "https://tokenops.dev/problems/not-found", "title": "Not found"})
        extra = {"Retry-After": str(said["retry_after"])} if "retry_after" in said else {}
        return answer(request, status, json.dumps(said).encode(), **extra)


def same(held: str, body: bytes) -> bool:
    return held == f'"{hashlib.sha256(body).hexdigest()}"'


def answer(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    try:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        if status != 304:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
    except OSError:
        pass  # the client has gone


def until(holds: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Wait for something to hold, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.01)
    return found
