"""The newest bundle in this process's memory, so that no request asks the database.

One thread with one connection of its own (psycopg, no ORM) reads the bundle when PostgreSQL says that there is a new
one, and asks every few seconds whether there is, in case that notice was lost. When the database is away it goes on
serving what it has; the freshness tokens then stop where its knowledge stops.
"""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from joserfc.jwk import OKPKey

from budgets.access.sealing import CannotUnseal
from budgets.notices import listener
from routing.bundle.answer import Served, make_ready
from routing.bundle.freshness import freshness_token
from routing.bundle.signing import jwks, open_key, secret_keys
from routing.opa import keys as keys_for_opa
from routing.opa.keys import OpaKey

logger = logging.getLogger(__name__)
BUNDLE_CHANNEL = "tokenops_bundle"
RETRY = 0.5  # seconds between attempts while the database is away

_NEWEST = "SELECT epoch, revision FROM routing_policybundle ORDER BY epoch DESC, revision DESC LIMIT 1"
_BUNDLE = "SELECT body, etag, signature FROM routing_policybundle WHERE epoch = %s AND revision = %s"
_KEYS = """
    SELECT key.kid, key.public, opa.public, key.active
    FROM routing_signingkey key LEFT JOIN routing_opasigningkey opa ON opa.beside_id = key.id
    WHERE key.retired_at IS NULL OR key.retired_at > now() - make_interval(days => %s)
    ORDER BY key.active DESC, key.created_at DESC
"""
_SEALED = """
    SELECT key.sealed_private, opa.kid, opa.sealed_private
    FROM routing_signingkey key LEFT JOIN routing_opasigningkey opa ON opa.beside_id = key.id
    WHERE key.kid = %s
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What was read, and when the database last confirmed that it is the newest."""

    version: tuple[int, int]
    body: bytes
    etag: str
    signature: str
    kid: str
    key: OKPKey
    opa_key: OpaKey | None
    publics: tuple[Any, ...]
    confirmed_at: datetime

    @property
    def digest(self) -> str:
        """SHA-256 of the body, hexadecimal."""
        return self.etag.strip('"')

    def ready(self) -> Served:
        """Signed for now and laid out for answering."""
        lasts = timedelta(seconds=settings.BUNDLE_FRESH_SECONDS)
        freshness = freshness_token(
            self.version,
            self.digest,
            audience=settings.BUNDLE_AUDIENCE,
            confirmed_at=self.confirmed_at,
            lasts=lasts,
            key=self.key,
        )
        return make_ready(
            self.version,
            self.body,
            etag=self.etag,
            signature=self.signature,
            freshness=freshness,
            jwks=jwks(self.publics),
        )


class BundleMemory:
    """`served` is what to answer with; None until the first bundle was read."""

    def __init__(self, address: str | None = None) -> None:
        self.address = address or listener.database_address()
        self.served: Served | None = None
        self.held: Held | None = None
        self.first_look = threading.Event()
        self.look = threading.Event()
        self.stopped = False
        self.watchers: list[Callable[[], None]] = []
        # A token that is a tenth older than it could be is no loss; a missed notice is found within this time.
        self.confirm_every = min(10.0, settings.BUNDLE_FRESH_SECONDS / 10)

    def start(self) -> "BundleMemory":
        """Begin to follow the database."""
        threading.Thread(target=self.run, name="tokenops-bundle", daemon=True).start()
        listener.subscribe(BUNDLE_CHANNEL, self.hear)
        return self

    def hear(self, _payload: str) -> None:
        """Something may be new; called by the listener, which must not be held up."""
        self.look.set()

    def stop(self) -> None:
        """End the thread; for tests."""
        self.stopped = True
        self.look.set()

    def run(self) -> None:
        while not self.stopped:
            try:
                with psycopg.connect(self.address, autocommit=True) as conn:
                    while not self.stopped:
                        self.look.clear()
                        self.refresh(conn)
                        self.first_look.set()
                        self.look.wait(self.confirm_every)
            except psycopg.Error as error:
                logger.warning("The bundle cannot be confirmed, trying again: %s", str(error).splitlines()[0])
            except Exception:  # a fault here must not leave the process on one revision for ever
                logger.exception("The bundle cannot be made ready, trying again")
            threading.Event().wait(RETRY)

    def refresh(self, conn: psycopg.Connection) -> None:
        """Read what is new and vouch for it from now on."""
        asked_at = datetime.now(UTC)  # before asking: what is committed after it is not vouched for
        newest = conn.execute(_NEWEST).fetchone()
        if newest is None:
            return
        version = (int(newest[0]), int(newest[1]))
        keys = conn.execute(_KEYS, [settings.BUNDLE_KEY_OVERLAP_DAYS]).fetchall()
        kid = next((row[0] for row in keys if row[-1]), None)
        if kid is None:
            logger.error("No key is active: the bundle cannot be vouched for")
            return
        publics = (*(row[1] for row in keys), *(row[2] for row in keys if row[2]))
        was = self.held
        if was is not None and was.version == version and was.kid == kid and was.publics == publics:
            self.held = replace(was, confirmed_at=asked_at)
        else:
            found = conn.execute(_BUNDLE, version).fetchone()
            sealed = conn.execute(_SEALED, [kid]).fetchone()
            if found is None or sealed is None:
                self.look.set()  # pruned or rotated between two statements: look again
                return
            body, etag, signature = found
            try:
                key = open_key(kid, bytes(sealed[0]))
                opa_key = keys_for_opa.open_key(sealed[1], bytes(sealed[2]), secret_keys()) if sealed[1] else None
            except CannotUnseal as error:
                logger.error("%s: this process cannot vouch for bundles", error)
                return
            self.held = Held(version, bytes(body), etag, signature, kid, key, opa_key, publics, asked_at)
        self.served = self.held.ready()
        if was is None or was.version != version:
            for watcher in list(self.watchers):
                watcher()


_memory: BundleMemory | None = None
_owner = 0
_lock = threading.Lock()


def memory() -> BundleMemory:
    """This process's memory; the first call starts it and waits for the first look (5 s at most)."""
    global _memory, _owner
    made = _memory
    if made is None or _owner != os.getpid():
        with _lock:
            made = _memory
            if made is None or _owner != os.getpid():
                made = BundleMemory().start()
                made.first_look.wait(5)
                _memory, _owner = made, os.getpid()
    return made


def reset() -> None:
    """Forget it; for tests that change databases."""
    global _memory
    if _memory is not None:
        _memory.stop()
    _memory = None
