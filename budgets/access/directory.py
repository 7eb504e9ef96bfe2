"""Every key in memory, so that a request, and above all a wrong key, costs no query."""

import logging
import threading
from datetime import datetime

from django.db import connection
from django.utils import timezone

from budgets.access.keys import KEYS_CHANNEL, KeyHolder, digest
from budgets.access.problems import Problem
from budgets.models import ApiKey
from budgets.notices import listener

logger = logging.getLogger(__name__)


class Directory:
    """Digest → holder. Loaded by the listener thread and renewed when a key is made or revoked."""

    def __init__(self) -> None:
        self.holders: dict[bytes, KeyHolder] = {}
        self.ready = threading.Event()
        self.used: dict[int, datetime] = {}

    def load(self, _payload: str = "") -> None:
        """Read all valid keys, and record when those known so far were last used."""
        try:
            self.write_last_used()
            self.holders = {
                bytes(key.digest): KeyHolder(
                    key_id=key.pk,
                    name=key.name,
                    source_id=key.source_id,
                    source=key.source.slug,
                    allowed=tuple((source.slug, source.pk) for source in (key.source, *key.sources.all())),
                    scopes=frozenset(key.scopes),
                    expires_at=key.expires_at,
                )
                for key in ApiKey.objects.filter(revoked_at=None).select_related("source").prefetch_related("sources")
            }
            self.ready.set()
        finally:
            connection.close()  # the listener thread keeps no Django connection between notices

    def find(self, bearer: str) -> KeyHolder | None:
        """The holder of a valid key, else None; expiry is looked at each time."""
        holder = self.holders.get(digest(bearer))
        if holder is None or (holder.expires_at is not None and holder.expires_at <= timezone.now()):
            return None
        self.used[holder.key_id] = timezone.now()
        return holder

    def write_last_used(self) -> None:
        """Write down what `find` noted; to the minute is enough."""
        used, self.used = self.used, {}
        for key_id, when in used.items():
            ApiKey.objects.filter(pk=key_id).update(last_used_at=when)


_directory: Directory | None = None
_lock = threading.Lock()


def directory() -> Directory:
    """This process's directory; the first call starts it and waits until the keys are there (5 s at most)."""
    global _directory
    if _directory is None:
        with _lock:
            if _directory is None:
                made = Directory()
                listener.subscribe(KEYS_CHANNEL, made.load)
                made.ready.wait(5)
                _directory = made
    return _directory


def find(bearer: str) -> KeyHolder | None:
    """The holder of this key, from memory. Problem 503 while no key could be read yet: a good key must not seem wrong."""
    found = directory()
    if not found.ready.is_set():
        raise Problem(503, "keys-unknown", "Keys cannot be read now", "Try again shortly.", retry_after=2)
    return found.find(bearer)


def reset() -> None:
    """Forget what is in memory; for tests."""
    global _directory
    _directory = None
    listener.stop()
