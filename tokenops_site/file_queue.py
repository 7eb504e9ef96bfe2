"""Celery's filesystem broker, with messages that appear whole.

Kombu's own transport opens a message's file first and locks it afterwards, so that a worker that lists the folder in
between reads an empty file and dies of it (seen: JSONDecodeError in `_get`). Here a message is written beside and
renamed into place, and one that is unreadable all the same is passed over: the sweep does what it asked for.
"""

import uuid
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any

from kombu.transport import filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """A channel whose files are never seen half written."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # stubs disagree
        folder = Path(self.data_folder_out)
        # The transport reads messages in the order of their names.
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        unfinished = folder / f"{name}.unfinished"
        unfinished.write_bytes(str_to_bytes(dumps(payload)))
        unfinished.replace(folder / name)

    def _get(self, queue: str) -> Any:  # type: ignore[override]  # nobody gives it the stubs' timeout
        try:
            return super()._get(queue)
        except ValueError:
            raise Empty from None

    def _queue_bind(self, exchange: str, routing_key: Any, pattern: Any, queue: str) -> None:
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except ValueError:  # read while another process was writing it
            self._exchange_file(exchange).unlink(missing_ok=True)  # type: ignore[attr-defined]  # newer than its stubs
            super()._queue_bind(exchange, routing_key, pattern, queue)


class Transport(filesystem.Transport):
    Channel = Channel
