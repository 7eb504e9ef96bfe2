"""Where and as whom PostgreSQL runs when root starts it, which PostgreSQL itself refuses.

The rule: change no permission of a folder that this code did not make. So when the data folder or the programs lie
where the other user cannot go (a clone in root's home), they get a place of their own beside the system's data.
"""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from tokenops_site.serve.children import Identity
from tokenops_site.serve.programs import Programs

# Where root keeps other servers' data: Linux, macOS.
STATE_FOLDERS = (Path("/var/lib"), Path("/usr/local/var"), Path("/var/db"))


class NoPlace(Exception):
    """No folder that the unprivileged user can reach; the text says what to do."""


def identity(data: Path, user: str) -> Identity | None:
    """Who PostgreSQL runs as: None (as we are) unless we are root; else the owner of existing data, else `user`."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return Identity(data.stat().st_uid, data.stat().st_gid)
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise NoPlace(f"No user {user!r} to run PostgreSQL as; name one in TOKENOPS_POSTGRES_USER.") from None
    if entry.pw_uid == 0:
        raise NoPlace("TOKENOPS_POSTGRES_USER must not be root: PostgreSQL refuses to run as root.")
    return Identity(entry.pw_uid, entry.pw_gid)


def can_reach(path: Path, who: Identity) -> bool:
    """Whether that user can enter the folder. The kernel is asked, since mode bits alone do not tell (ACLs, mounts)."""
    answer = subprocess.run(
        ["/bin/sh", "-c", 'test -d "$1" && test -x "$1"', "sh", str(path)],
        cwd="/",
        user=who.user,
        group=who.group,
        extra_groups=[],
        check=False,
    )
    return answer.returncode == 0


def choose_place(folder: Path, who: Identity | None) -> Path:
    """The folder for the cluster: `folder`/postgres, or one under the system's state folder if that is out of reach.

    The choice is kept in `folder`/postgres-place, so that the same clone finds its data again. Raises NoPlace.
    """
    note = folder / "postgres-place"
    if note.exists():
        return Path(note.read_text().strip())
    if who is None or can_reach(folder, who):
        place = folder / "postgres"
        _make_private(place, who)
        return place
    parent = next((one for one in STATE_FOLDERS if one.is_dir() and can_reach(one, who)), None)
    if parent is None:
        raise NoPlace(f"No folder that an unprivileged user can reach. Put TOKENOPS_DATA_DIR elsewhere than {folder}.")
    shared = parent / "tokenops"
    if not shared.exists():
        shared.mkdir(mode=0o711)
        shared.chmod(0o711)  # whatever the umask
    place = Path(tempfile.mkdtemp(prefix="postgres-", dir=shared))
    os.chown(place, who.user, who.group)
    note.write_text(f"{place}\n")
    return place


def reachable_programs(programs: Programs, place: Path, who: Identity | None) -> Programs:
    """The programs themselves, or a copy in `place` when the other user cannot get at them."""
    if who is None or programs.root is None or can_reach(programs.folder, who):
        return programs
    built = (programs.folder / "postgres").stat()
    kept = place / f"programs-{programs.major}-{built.st_size}-{int(built.st_mtime)}"
    if not kept.exists():
        unfinished = kept.with_name(f"{kept.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        # The wheel's shared libraries lie in a sibling folder; $ORIGIN-relative paths need the same layout.
        for source in (programs.root, programs.root.with_name(f"{programs.root.name}.libs")):
            if source.is_dir():
                shutil.copytree(source, unfinished / source.name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        unfinished.rename(kept)
    return Programs(kept / programs.root.name / programs.folder.relative_to(programs.root), programs.major)


def _make_private(place: Path, who: Identity | None) -> None:
    if place.exists():
        return
    place.mkdir(mode=0o700)
    if who is not None:
        os.chown(place, who.user, who.group)
