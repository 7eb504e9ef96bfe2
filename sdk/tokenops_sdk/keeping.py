"""The last good bundle on disk: whole or not at all, readable by its owner only, never replaced by an older one."""

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from tokenops_sdk.following import Kept
from tokenops_sdk.locking import FileLock

LOCK_SECONDS = 5.0


class Shelf:
    """What one client keeps in a folder. Several processes may share the folder; the newest bundle stays.

    Two files: the bundle with its keys, and the last freshness token, which is renewed far more often.
    """

    def __init__(self, folder: Path, url: str, audience: str) -> None:
        name = hashlib.sha256(f"{url}\n{audience}".encode()).hexdigest()[:16]
        self.folder = folder
        self.bundle = folder / f"{name}.bundle.json"
        self.freshness = folder / f"{name}.freshness"
        self.lock = folder / f"{name}.lock"

    def load(self) -> Kept | None:
        """What was kept; None where there is nothing that can be read. Nothing of it is verified yet."""
        try:
            document = json.loads(self.bundle.read_bytes())
            epoch, revision = document["highest"]
            kept = Kept(
                body=base64.b64decode(document["body"]),
                signature=str(document["signature"]),
                freshness=str(document["freshness"]),
                jwks=dict(document["jwks"]),
                highest=(int(epoch), int(revision)),
            )
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return kept

    def load_freshness(self) -> str | None:
        """The last token that was kept since; None where there is none."""
        try:
            return self.freshness.read_text("ascii").strip() or None
        except (OSError, ValueError):
            return None

    def keep(self, kept: Kept) -> None:
        """Replace what is there, unless that is newer. Raises OSError where the folder cannot be written."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Who stands still with it must not keep us from following; without it an older bundle may stay a while.
        lock = FileLock.take(self.lock, seconds=LOCK_SECONDS)
        try:
            there = self.load()
            if there is None or there.highest <= kept.highest:
                write_whole(self.bundle, _as_json(kept))
        finally:
            if lock is not None:
                lock.release()

    def keep_freshness(self, token: str) -> None:
        """Replace the token. Raises OSError where the folder cannot be written."""
        write_whole(self.freshness, token.encode("ascii"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, also after a power cut; readable by its owner only."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a new or removed name in the folder last; systems that cannot are left alone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _as_json(kept: Kept) -> bytes:
    document: dict[str, Any] = {
        "body": base64.b64encode(kept.body).decode(),
        "signature": kept.signature,
        "freshness": kept.freshness,
        "jwks": kept.jwks,
        "highest": kept.highest,
    }
    return json.dumps(document).encode()
