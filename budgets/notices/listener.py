"""Hear of changes: one thread and one LISTEN connection per process.

Whatever a process keeps in memory (keys, the policy bundle) is renewed when PostgreSQL says so, instead of being asked
for at each request. After every (re)connect each callback is called once with "", because what was said meanwhile is
unknown.
"""

import logging
import os
import select
import threading
from collections.abc import Callable

import psycopg
from django.db import connection
from psycopg import sql

logger = logging.getLogger(__name__)
Callback = Callable[[str], None]
# A listener only waits. Without these a server that vanished without a word (power, a firewall that forgets) is noticed
# after two hours, and a key revoked meanwhile would work until then.
NOTICE_A_DEAD_SERVER = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def notify(channel: str, payload: str = "") -> None:
    """Tell every process on commit of the transaction at hand."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])


def database_address() -> str:
    """The database of Django's default connection as a psycopg address (tests change its name)."""
    return psycopg.conninfo.make_conninfo(
        "",
        **{
            name: value
            for name, value in {
                "dbname": connection.settings_dict["NAME"],
                "user": connection.settings_dict["USER"],
                "password": connection.settings_dict["PASSWORD"],
                "host": connection.settings_dict["HOST"],
                "port": connection.settings_dict["PORT"],
                "sslmode": connection.settings_dict.get("OPTIONS", {}).get("sslmode"),
                "connect_timeout": 5,
                **NOTICE_A_DEAD_SERVER,
            }.items()
            if value
        },
    )


class Listener:
    """Calls back when a channel is notified; reconnects for ever."""

    def __init__(self, address: str, pause: float = 0.5) -> None:
        self.address = address
        self.pause = pause  # seconds before a new attempt
        self.callbacks: dict[str, list[Callback]] = {}
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.stopped = False
        self.wake_read, self.wake_write = os.pipe()

    def subscribe(self, channel: str, callback: Callback) -> None:
        """Call `callback(payload)` on this thread's behalf for each notice; the first call has "" as payload."""
        with self.lock:
            self.callbacks.setdefault(channel, []).append(callback)
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="tokenops-listener", daemon=True)
                self.thread.start()
        os.write(self.wake_write, b"s")

    def stop(self) -> None:
        """End the thread; for tests."""
        self.stopped = True
        os.write(self.wake_write, b"x")
        if self.thread:
            self.thread.join(5)

    def run(self) -> None:
        while not self.stopped:
            try:
                with psycopg.connect(self.address, autocommit=True) as conn:
                    self.listen(conn)
            except psycopg.Error as error:
                logger.warning("Listening is interrupted, trying again: %s", str(error).splitlines()[0])
                threading.Event().wait(self.pause)

    def listen(self, conn: psycopg.Connection) -> None:
        """Serve one connection until it breaks. A callback that fails is called every `pause` until it succeeds."""
        heard: set[Callback] = set()
        failed: set[Callback] = set()
        while not self.stopped:
            with self.lock:
                wanted = [(channel, callback) for channel, calls in self.callbacks.items() for callback in calls]
            for channel, callback in wanted:
                if callback not in heard:
                    conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                    heard.add(callback)
                    failed.add(callback)
            for callback in list(failed):
                if self.call(callback, ""):
                    failed.discard(callback)
            ready, _, _ = select.select([conn.fileno(), self.wake_read], [], [], self.pause if failed else None)
            if self.wake_read in ready:
                os.read(self.wake_read, 4096)
            if conn.fileno() in ready:
                for notice in conn.notifies(timeout=0):
                    for callback in list(self.callbacks.get(notice.channel, [])):
                        if not self.call(callback, notice.payload):
                            failed.add(callback)

    def call(self, callback: Callback, payload: str) -> bool:
        """Whether it went well; one subscriber's fault must not silence the others."""
        try:
            callback(payload)
        except Exception:
            logger.exception("A subscriber failed; it is called again soon")
            return False
        return True


_listener: Listener | None = None
_owner = 0
_lock = threading.Lock()


def subscribe(channel: str, callback: Callback) -> None:
    """Subscribe in this process; a forked child gets a listener of its own."""
    global _listener, _owner
    with _lock:
        if _listener is None or _owner != os.getpid():
            _listener, _owner = Listener(database_address()), os.getpid()
    _listener.subscribe(channel, callback)


def stop() -> None:
    """Forget this process's listener; for tests that change databases."""
    global _listener
    with _lock:
        if _listener and _owner == os.getpid():
            _listener.stop()
        _listener = None
