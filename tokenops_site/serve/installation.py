"""The data folder: which one, its lock, its secret key, and the variables that commands typed by hand need.

`serve` writes them to `environment` in the data folder (mode 600); `manage.py` reads them for what is not set. So
`manage.py create_api_key …` beside a running `serve` finds the same database and key.
"""

import contextlib
import fcntl
import os
import secrets
import shlex
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# What a command by hand needs to see the same installation.
KEPT = (
    "DATABASE_URL", "SECRET_KEY", "BROKER_URL", "PORT", "PUSH_PORT", "STATIC_ROOT",
    "TOKENOPS_DATA_DIR", "TOKENOPS_DEMO",
)  # fmt: skip


class CannotServe(Exception):
    """Why nothing was started, in a sentence for the person at the terminal."""


def data_folder(environment: Mapping[str, str], demo: bool) -> Path:
    """TOKENOPS_DATA_DIR or var/ in the checkout; the demo has a folder of its own inside."""
    folder = Path(environment.get("TOKENOPS_DATA_DIR") or CHECKOUT / "var").absolute()
    return folder / "demo" if demo else folder


def make_folder(folder: Path) -> None:
    """Make the data folder, its files ours alone. A folder that exists keeps the permissions that it has."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    # Root's PostgreSQL runs as another user, who must pass through, but may not look around.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        for one in reversed(missing):
            one.mkdir(mode=mode)
            one.chmod(mode)
    except OSError as problem:
        raise CannotServe(
            f"The data folder {folder} cannot be made: {problem.strerror}. Set TOKENOPS_DATA_DIR."
        ) from None
    if not os.access(folder, os.W_OK):
        raise CannotServe(f"The data folder {folder} is not writable for this user. Set TOKENOPS_DATA_DIR.")


def lock(folder: Path, patience: float = 40) -> int:
    """Take the folder's lock and return its descriptor, which every guardian inherits.

    So the lock is free again only when the last child of a killed `serve` is gone; that is waited for, `patience`
    seconds at most. Raises CannotServe at once when another `serve` is alive.
    """
    descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode() or "?"
            if (owner.isdigit() and _is_alive(int(owner))) or time.monotonic() > deadline:
                os.close(descriptor)
                raise CannotServe(
                    f"TokenOps is running already in {folder} (process {owner}). "
                    "Stop it, or set TOKENOPS_DATA_DIR and PORT."
                ) from None
            time.sleep(0.1)
        else:
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor


def secret_key(folder: Path) -> str:
    """The installation's key, made at the first start."""
    path = folder / "secret-key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(48))
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user reads, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)


def remember(folder: Path, environment: Mapping[str, str]) -> None:
    """Write the variables for commands typed by hand; the file can be sourced by a shell too."""
    kept = {name: environment[name] for name in KEPT if environment.get(name)}
    write_private(folder / "environment", "".join(f"{name}={shlex.quote(value)}\n" for name, value in kept.items()))


def recall(environment: MutableMapping[str, str]) -> None:
    """Fill in the variables that are not set, from the data folder that this environment names."""
    demo = environment.get("TOKENOPS_DEMO", "").strip().lower() in ("1", "true", "yes", "on")
    for folder in (data_folder(environment, demo), data_folder(environment, False)):
        with contextlib.suppress(OSError):
            for line in (folder / "environment").read_text().splitlines():
                name, _, value = line.partition("=")
                if name == "TOKENOPS_DATA_DIR" or not environment.get(name):
                    environment[name] = "".join(shlex.split(value))
            return


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
