"""`manage.py backup FILE` and `manage.py restore FILE`."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import psycopg

from tokenops_site.backup.archive import BadFile, secret_key_of
from tokenops_site.backup.place import Running, the_place
from tokenops_site.backup.programs import NoProgram
from tokenops_site.backup.restore import NotRestored, restore
from tokenops_site.backup.take import NotTaken, take
from tokenops_site.roles import CannotProtect
from tokenops_site.serve.embedded import PostgresDidNotStart
from tokenops_site.serve.installation import CannotServe
from tokenops_site.serve.programs import NoPostgres
from tokenops_site.serve.unprivileged import NoPlace

PROBLEMS = (BadFile, CannotProtect, CannotServe, NoPlace, NoPostgres, NoProgram, NotRestored, NotTaken,
            PostgresDidNotStart)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 when it is done, 1 with a sentence when it is not, 2 when restored but something does not hold."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    started = time.monotonic()
    try:
        if options.act == "backup":
            with the_place(alone=False) as place:
                take(place, options.file.absolute(), say, with_secret_key=options.with_secret_key)
            status = 0
        else:
            with the_place(alone=True, secret_key=secret_key_of(options.file)) as place:
                whole = restore(
                    place, options.file.absolute(), say, replace=options.replace, keep=options.keep_replaced
                )
            status = 0 if whole else 2
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. Nothing was changed, and no half file is left.\n")
        return 1
    except Running as problem:
        sys.stderr.write(f"{problem} Stop it first; nothing was changed.\n")
        return 1
    except PROBLEMS as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except (psycopg.Error, OSError) as problem:
        sys.stderr.write(f"That did not work: {str(problem).strip()}\n")
        return 1
    say(f"Done in {time.monotonic() - started:.0f} s.")
    return status


def say(text: str) -> None:
    """A line for whoever waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py")
    acts = parser.add_subparsers(dest="act", required=True)
    backup = acts.add_parser("backup", help="write the whole database into FILE, while TokenOps runs")
    backup.add_argument("file", type=Path, metavar="FILE", help="a new file; it appears when it is whole")
    backup.add_argument(
        "--with-secret-key",
        action="store_true",
        help="put SECRET_KEY in too, which opens the signing keys: whoever has the file can then sign bundles",
    )
    back = acts.add_parser("restore", help="bring the database back from FILE; TokenOps must be stopped")
    back.add_argument("file", type=Path, metavar="FILE")
    back.add_argument("--replace", action="store_true", help="the database that is there now is given up")
    back.add_argument("--keep-replaced", action="store_true", help="keep the replaced database under another name")
    return parser


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
