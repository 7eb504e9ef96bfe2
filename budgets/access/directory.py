"""Every key in memory, so that a request, and above all a wrong key, costs no query."""

import logging
import threading
from datetime import datetime

from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from budgets.access.keys import KEYS_CHANNEL, KeyHolder, digest
from budgets.access.problems import Problem
from budgets.models import ApiKey
from budgets.notices import listener

logger = logging.getLogger(__name__)
NOTED_EVERY = 60.0  # seconds between two writings of when keys were last used


class Directory:
    """Digest → holder. Loaded by the listener thread and renewed when a key is made or revoked."""

    def __init__(self) -> None:
        self.holders: dict[bytes, KeyHolder] = {}
        self.ready = threading.Event()
        self.used: dict[int, datetime] = {}
        self.stopped = threading.Event()

    def load(self, _payload: str = "") -> None:
        """Read all valid keys."""
        try:
            self.holders = {
                bytes(key.digest): KeyHolder(
                    key_id=key.pk,
                    name=key.name,
                    source_id=key.source_id,
                    source=key.source.slug,
                    allowed=tuple((source.slug, source.pk) for source in (key.source, *key.sources.all())),
                    scopes=frozenset(key.scopes),
                    expires_at=key.expires_at,
                    teams=frozenset(team.pk for team in key.teams.all()),
                    team_names=frozenset(team.slug for team in key.teams.all()),
                )
                for key in ApiKey.objects.filter(revoked_at=None)
                .select_related("source")
                .prefetch_related("sources", "teams")
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
        for key_id, when in list(used.items()):
            later = Q(last_used_at=None) | Q(last_used_at__lt=when)  # other processes write too
            ApiKey.objects.filter(later, pk=key_id).update(last_used_at=when)

    def note_for_ever(self) -> None:
        """`write_last_used` every minute, on a thread of its own: no request waits for it, and no key depends on it."""
        while not self.stopped.wait(NOTED_EVERY):
            if not self.used:
                continue
            try:
                self.write_last_used()
            except DatabaseError as error:  # a minute of it is lost, and nobody minds
                logger.warning("When keys were last used could not be written: %s", error)
            finally:
                connection.close()


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
                threading.Thread(target=made.note_for_ever, name="tokenops-keys-used", daemon=True).start()
                made.ready.wait(5)
                _directory = made
    return _directory


def find(bearer: str) -> KeyHolder | None:
    """The holder of this key, from memory. Problem 503 while no key could be read: a good key must not seem wrong."""
    found = directory()
    if not found.ready.is_set():
        raise Problem(503, "keys-unknown", "Keys cannot be read now", "Try again shortly.", retry_after=2)
    return found.find(bearer)


def reset() -> None:
    """Forget what is in memory; for tests."""
    global _directory
    if _directory is not None:
        _directory.stopped.set()
    _directory = None
    listener.stop()
