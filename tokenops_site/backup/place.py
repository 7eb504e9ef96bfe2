"""Where the database is that is backed up or restored: the embedded one, started for it if need be, or a server's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tokenops_site.serve import installation
from tokenops_site.serve.children import Lifeline, start
from tokenops_site.serve.command import settings
from tokenops_site.serve.embedded import EmbeddedPostgres
from tokenops_site.serve.installation import CannotServe


@dataclass(frozen=True)
class Place:
    """A database. `owner_url` is the application's own where no owner is known; `tools` is PostgreSQL's folder."""

    application_url: str
    owner_url: str
    has_owner: bool
    folder: Path
    is_embedded: bool
    environment: dict[str, str]
    tools: Path | None

    @property
    def database(self) -> str:
        return urlsplit(self.application_url).path.lstrip("/")

    def named(self, database: str) -> "Place":
        """Another database on the same server, for the same roles."""
        path = f"/{database}"
        return Place(
            urlsplit(self.application_url)._replace(path=path).geturl(),
            urlsplit(self.owner_url)._replace(path=path).geturl(),
            self.has_owner,
            self.folder,
            self.is_embedded,
            self.environment,
            self.tools,
        )

    @property
    def child_environment(self) -> dict[str, str]:
        """For a management command on this database."""
        owner = {"DATABASE_OWNER_URL": self.owner_url} if self.has_owner else {}
        return {**self.environment, "DATABASE_URL": self.application_url, **owner}


class Running(Exception):
    """TokenOps runs on this data folder."""


@contextmanager
def the_place(*, alone: bool, secret_key: str = "") -> Iterator[Place]:
    """The place that this environment and data folder name.

    `alone`: nothing may run on it, and nothing can be started until the end. `secret_key` is for a data folder that has
    none yet. Raises Running, CannotServe and what starting PostgreSQL raises.
    """
    demo = os.environ.get("TOKENOPS_DEMO", "").strip().lower() in ("1", "true", "yes", "on")
    folder = installation.data_folder(os.environ, demo)
    installation.make_folder(folder)
    remembered = dict(os.environ)
    installation.recall(remembered)
    url = remembered.get("DATABASE_URL", "").strip()
    if url and not _is_socket(url):
        os.environ.update({name: remembered[name] for name in ("SECRET_KEY",) if remembered.get(name)})
        owner = os.environ.get("DATABASE_OWNER_URL", "").strip()
        whole = urlsplit(owner)._replace(path=urlsplit(url).path).geturl() if owner else url
        yield Place(url, whole, bool(owner), folder, False, settings(folder, demo), _named_tools())
        return
    if secret_key and not (folder / "secret-key").exists():
        installation.write_private(folder / "secret-key", secret_key)
    with _embedded(folder, alone) as postgres:
        name = "tokenops_demo" if demo else "tokenops"
        yield Place(
            postgres.application_url(name), postgres.url(name), True, folder, True, settings(folder, demo),
            postgres.programs.folder,
        )  # fmt: skip


def _is_socket(url: str) -> bool:
    """Whether it is an embedded server's address: a socket's folder as host."""
    return "%2f" in urlsplit(url).netloc.lower()


def _named_tools() -> Path | None:
    named = os.environ.get("TOKENOPS_POSTGRES", "")
    return Path(named) if "/" in named else None


@contextmanager
def _embedded(folder: Path, alone: bool) -> Iterator[EmbeddedPostgres]:
    """The embedded server of the data folder: the running one, or one started here and stopped afterwards."""
    supplier = os.environ.get("TOKENOPS_POSTGRES", "auto"), os.environ.get("TOKENOPS_POSTGRES_USER", "nobody")
    try:
        held = installation.lock(folder, patience=10)
    except CannotServe:
        if alone:
            raise Running(f"TokenOps is running in {folder}.") from None
        yield EmbeddedPostgres(folder, *supplier)
        return
    lifeline = Lifeline()
    guardian = None
    try:
        postgres = EmbeddedPostgres(folder, *supplier)
        postgres.prepare()
        guardian = start(postgres.program(), lifeline, [held])
        postgres.wait_until_ready(lambda: guardian.poll() is None)
        yield postgres
    finally:
        lifeline.cut()
        if guardian is not None:
            guardian.wait(timeout=60)
        os.close(held)
