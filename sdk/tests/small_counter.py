"""A server's side of leases, in plain numbers."""

import json
import threading

import httpx
from tokenops_sdk.following import Answer
from tokenops_sdk.slices import in_units, in_words_of


class Counter:
    """A server that gives slices of what is free, in plain numbers; `fail_mode` and `held` are the client's."""

    def __init__(self, free=1000, slice_=100, lasts=60.0):
        self.free, self.slice, self.lasts = free, slice_, lasts
        self.fail_mode, self.held = "last_known_good", None
        self.away = False
        self.answers = None
        self.asked, self.released, self.renewed = [], {}, []
        self.lock = threading.Lock()
        self.by_key = {}

    def post(self, path, body, *, seconds, idempotency=""):
        with self.lock:
            if self.away:
                raise httpx.ConnectError("nobody there")
            if path.endswith("/release"):
                lease = path.split("/")[-2]
                self.released[lease] = body["used"]
                return self.say(200, {"id": lease})
            if path.endswith("/renew"):
                self.renewed.append(path.split("/")[-2])
                return self.say(200, self.lease(path.split("/")[-2], 1))
            self.asked.append((body, idempotency))
            if self.answers is not None:
                return self.answers
            least = in_units(body["kind"], body.get("at_least", 1))
            given = min(max(self.slice, least), self.free)
            if given < least:
                return problem(429, "nothing-left", resets_at="2026-12-01T00:00:00Z")
            self.free -= given
            kind = body["kind"]
            return self.say(201, self.lease(f"lease-{len(self.asked)}", in_words_of(kind, given)))

    def lease(self, name, amount):
        return {"id": name, "amount": amount, "state": "running", "expires_in": self.lasts}

    def say(self, status, document):
        return Answer(status, {}, json.dumps(document).encode())


def problem(status, code, **said):
    document = {"type": f"https://tokenops.dev/problems/{code}", "title": "No", "detail": "Not now.", **said}
    return Answer(status, {"retry-after": "3"}, json.dumps(document).encode())
