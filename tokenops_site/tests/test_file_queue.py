"""The filesystem broker: messages arrive whole, whoever writes while they are read."""

import threading
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

from tokenops_site import file_queue


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    for name in ("messages", "control"):
        (tmp_path / name).mkdir()
    folders = {"data_folder_in": str(tmp_path / "messages"), "data_folder_out": str(tmp_path / "messages")}
    return Connection(
        "filesystem://",
        transport=file_queue.Transport,
        transport_options={**folders, "control_folder": str(tmp_path / "control")},
    )


def test_what_is_put_is_got_while_others_write(connection: Connection) -> None:
    channel = connection.channel()
    got, faults = [], []
    done = threading.Event()

    def read() -> None:
        while not (done.is_set() and not any(Path(channel.data_folder_in).glob("*.msg"))):
            try:
                got.append(channel._get("q")["n"])
            except Empty:
                pass
            except Exception as fault:
                faults.append(fault)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(500):
        channel._put("q", {"n": n, "padding": "x" * 2000})
    done.set()
    reader.join(60)
    assert faults == []
    assert sorted(got) == list(range(500))


def test_an_unreadable_message_is_passed_over(connection: Connection) -> None:
    channel = connection.channel()
    Path(channel.data_folder_in, "1_a.q.msg").write_bytes(b"")
    with pytest.raises(Empty):
        channel._get("q")
    channel._put("q", {"n": 1})
    assert channel._get("q") == {"n": 1}


def test_celery_uses_it() -> None:
    from tokenops_site.celery import app

    with app.connection_for_write("filesystem://") as found:
        assert isinstance(found.transport, file_queue.Transport)
