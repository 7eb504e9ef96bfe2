"""`manage.py verify_history`: prove that no row of the history was changed, taken out or cut off."""

import csv
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from budgets.audit.chain import Anchor, Broken, contains, follow, prove_csv
from budgets.audit.protection import WORDS, disabled_triggers, protection
from budgets.audit.reading import digest_at, links


class Command(BaseCommand):
    help = "Recompute every digest of the history; exit 1 at the first place where the chain does not hold."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from-csv", metavar="FILE", help="an exported history; no database is asked")
        parser.add_argument("--part", action="store_true", help="with --from-csv: the export had a filter")
        parser.add_argument(
            "--anchor",
            metavar="FILE",
            type=Path,
            help="the newest position and digest as noted the last time: they must still be there. Written anew when"
            " all is well; keep it where the database's administrators cannot write",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["part"] and (not options["from_csv"] or options["anchor"]):
            raise CommandError("--part goes with --from-csv, and not with --anchor.")
        noted = read_anchor(options["anchor"])
        try:
            at = self._csv(options, noted) if options["from_csv"] else self._database(noted)
        except Broken as error:
            raise CommandError(f"The history is broken. {error}") from None
        if options["part"]:
            return
        self.stdout.write(f"The history holds: {at.position:,} rows, each going on from the one before.")
        self.stdout.write(f"Anchor: {at.position} {at.digest.hex()}")
        if options["anchor"]:
            write_anchor(options["anchor"], at)

    def _database(self, noted: Anchor) -> Anchor:
        contains(noted, digest_at(noted.position))
        at = follow(links())
        self.stdout.write(WORDS[protection()])
        if off := disabled_triggers():
            raise Broken(0, f"These triggers of the history are switched off: {', '.join(off)}.")
        return at

    def _csv(self, options: dict[str, Any], noted: Anchor) -> Anchor:
        name = options["from_csv"]
        try:
            with Path(name).open(encoding="utf-8", newline="") as file:
                count, at = prove_csv(file, noted, is_part=options["part"])
        except OSError as problem:
            raise CommandError(f"{name} cannot be read: {problem.strerror}.") from None
        except (csv.Error, UnicodeDecodeError) as problem:
            raise CommandError(f"{name} is no CSV in UTF-8: {problem}.") from None
        if options["part"]:
            self.stdout.write(f"All {count:,} rows of this part are as they were written.")
        return at


def read_anchor(path: Path | None) -> Anchor:
    """What was noted the last time; the empty history where there is no file yet."""
    if path is None or not path.exists():
        return Anchor()
    try:
        said = json.loads(path.read_text())
        return Anchor(int(said["position"]), bytes.fromhex(said["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise CommandError(f"{path} is no anchor that verify_history wrote.") from None


def write_anchor(path: Path, at: Anchor) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    try:
        unfinished.write_text(json.dumps({"position": at.position, "digest": at.digest.hex()}) + "\n")
        unfinished.replace(path)
    except OSError as problem:
        raise CommandError(f"{path} cannot be written: {problem.strerror}.") from None
