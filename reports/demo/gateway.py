"""The simulated gateway's view of the policy: pull the bundle, verify it, wait for the next, say what changed."""

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import tokenops_sdk
from django.conf import settings

WAIT_SECONDS = 20
RETRY_SECONDS = 2.0
PATH = "/api/v1/policy-bundle"
MOST_REDIRECTS = 3


class NoBundle(Exception):
    """None could be had this time."""


@dataclass(frozen=True)
class Standing:
    """What the bundle says about one call: go on, with which tier at most, or stop and why."""

    blocked: str = ""
    tier: int | None = None


def falls_under(scope: Mapping[str, str], call: Mapping[str, Any]) -> bool:
    """Whether a call has everything a scope names. A tag is written key=value there."""
    tags = call.get("tags") or {}
    for dimension, value in scope.items():
        if dimension == "tag":
            key, _, wanted = value.partition("=")
            if tags.get(key) != wanted:
                return False
        elif str(call.get("run_id" if dimension == "run" else dimension) or "") != value:
            return False
    return True


def standing(document: Mapping[str, Any] | None, call: Mapping[str, Any]) -> Standing:
    """How a call stands under a bundle."""
    if document is None:
        return Standing()
    for entry in document["blocked"]:
        if falls_under(entry["scope"], call):
            return Standing(blocked=entry["code"])
    for budget in document["budgets"]:
        exhausted = budget["status"] == "exhausted" and budget["on_exhausted"] == "downgrade"
        if exhausted and falls_under(budget["scope"], call):
            return Standing(tier=budget["settings"].get("tier"))
    return Standing()


def news(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """What a reader would want to know of a new bundle, in words."""
    said = []
    old, new = (blocked_by_scope(document) for document in (before, after))
    said += [f"{subject(scope, after)} is blocked ({new[scope]})" for scope in new if scope not in old]
    said += [f"{subject(scope, after)} may call again" for scope in old if scope not in new]
    was = {budget["slug"]: budget["status"] for budget in (before or {}).get("budgets", [])}
    for budget in after["budgets"]:
        if budget["slug"] in was and was[budget["slug"]] != budget["status"]:
            words = {"under": "is under its limit again", "warning": f"has {budget['remaining_percent']}% left or less"}
            said.append(f"the budget {budget['name']} {words.get(budget['status'], 'has run out')}")
    return said


def blocked_by_scope(document: Mapping[str, Any] | None) -> dict[tuple[tuple[str, str], ...], str]:
    """Scope → reason."""
    return {tuple(sorted(entry["scope"].items())): entry["reason"] for entry in (document or {}).get("blocked", [])}


def subject(scope: tuple[tuple[str, str], ...], document: Mapping[str, Any]) -> str:
    """A scope as a reader would name it: by the budget that has it, else as it is written."""
    for budget in document["budgets"]:
        if tuple(sorted(budget["scope"].items())) == scope:
            return str(budget["name"])
    return ", ".join(f"{dimension} {value}" for dimension, value in scope) or "everything"


class Gateway:
    """Keeps the newest verified bundle. `follow` runs in a thread of its own until `stop` is set."""

    def __init__(self, url: str, key: str, stop: threading.Event, told: Callable[[str], None]) -> None:
        self.url, self.key, self.stop, self.told = url, key, stop, told
        self.bundle: tokenops_sdk.Bundle | None = None
        self.etag = ""
        self.jwks: dict[str, Any] = {}

    @property
    def document(self) -> Mapping[str, Any] | None:
        return self.bundle.document if self.bundle else None

    @property
    def revision(self) -> int | None:
        return int(self.bundle.document["revision"]) if self.bundle else None

    def follow(self) -> None:
        """Pull and wait, again and again."""
        while not self.stop.is_set():
            try:
                self.pull()
            except tokenops_sdk.OlderRevision:
                self.stop.wait(RETRY_SECONDS / 4)  # another web process has not heard yet; what we have stays
            except (NoBundle, OSError, http.client.HTTPException, tokenops_sdk.BundleRefused, ValueError) as problem:
                if not self.stop.wait(RETRY_SECONDS) and not isinstance(problem, (NoBundle, OSError)):
                    self.told(f"no bundle: {problem}")

    def pull(self) -> None:
        """One request: a new bundle, or none within the wait."""
        headers = {"Authorization": f"Bearer {self.key}"}
        if self.bundle is not None:
            headers |= {"If-None-Match": self.etag, "Prefer": f"wait={WAIT_SECONDS}"}
        status, got, body = self.get(self.url + PATH, headers)
        if status == 304 and self.bundle is not None:
            self.bundle = tokenops_sdk.renew(self.bundle, jwks=self.jwks, freshness=got["TokenOps-Freshness"])
            return
        if status != 200:
            raise NoBundle(f"answered {status}")
        if not self.jwks:
            self.jwks = json.loads(self.get(self.url + "/.well-known/jwks.json", {})[2])
        before = self.document
        try:
            self.bundle = tokenops_sdk.verify(
                body,
                got["TokenOps-Signature"],
                jwks=self.jwks,
                audience=settings.BUNDLE_AUDIENCE,
                freshness=got["TokenOps-Freshness"],
                last_seen=self.bundle.version if self.bundle else None,
            )
        except tokenops_sdk.UnknownKey:
            self.jwks = {}  # the keys were changed: get them anew next time
            raise
        self.etag = got["ETag"]
        for words in news(before, self.bundle.document):
            self.told(f"bundle {self.revision}: {words}.")

    def get(self, url: str, headers: Mapping[str, str]) -> tuple[int, http.client.HTTPMessage, bytes]:
        """GET, following to the process that holds those who wait."""
        for _ in range(MOST_REDIRECTS):
            parts = urlsplit(url)
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            connection = kind(parts.hostname or "", parts.port, timeout=WAIT_SECONDS + 10)
            try:
                connection.request(
                    "GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=dict(headers)
                )
                response = connection.getresponse()
                body = response.read()
            finally:
                connection.close()
            if response.status not in (302, 307, 308):
                return response.status, response.headers, body
            url = response.headers["Location"]
        raise NoBundle("sent from one address to the next without end")
