"""Tell the workers that there is something to do, without ever holding up whoever says so.

The broker is a hint, the database is the truth: a hint that is lost, or not sent because the broker is down, costs one
sweep. Hints of one process are coalesced by a thread that sends at most one round every `PAUSE` seconds.
"""

import logging
import os
import threading

from celery import current_app
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)
PAUSE = 0.2

_wanted = threading.Event()
_lock = threading.Lock()
_owner = 0


def hint_settle() -> None:
    """Have budgets evaluated, batches folded and the bundle compiled soon. Returns at once; never raises."""
    global _owner
    if _owner != os.getpid():
        with _lock:
            if _owner != os.getpid():
                threading.Thread(target=_send_for_ever, name="tokenops-hints", daemon=True).start()
                _owner = os.getpid()
    _wanted.set()


def _send_for_ever() -> None:
    while True:
        _wanted.wait()
        _wanted.clear()
        send_now()
        threading.Event().wait(PAUSE)


def send_now() -> None:
    """Send the hint tasks once; a broker that does not answer is logged, not raised."""
    for task in settings.HINT_TASKS:
        _send(task, expires=30)


def hint_task(task: str) -> None:
    """Have one task begun once the transaction is committed; in a thread, since a broker may not answer for long."""
    thread = threading.Thread(target=_send, args=[task], name="tokenops-hint", daemon=True)
    transaction.on_commit(thread.start)


def _send(task: str, expires: int | None = None) -> None:
    try:
        current_app.send_task(task, retry=False, ignore_result=True, expires=expires)
    except Exception as error:
        logger.warning("The broker did not take %s (%s); the sweep will do it", task, error)
