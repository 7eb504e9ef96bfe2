"""`manage.py replay FILE`: send a recorded trace through the HTTP endpoint, as a client would."""

import os
import sys
import time
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage.replay import pacing
from usage.replay.formats import known
from usage.replay.run import Plan, Shift, Tally, find_format, replay
from usage.replay.sender import EventSender, GaveUp, Refused
from usage.replay.trace import Format, Given, UnknownFormat

DEFAULT_MODEL, DEFAULT_PROVIDER = "gpt-4.1-mini", "openai"
# Traces that only count seconds since their start begin here: a Monday, so that a week looks like a week.
DEFAULT_START = "2026-01-05T00:00:00Z"


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ArgumentTypeError("must be above zero")
    return value


def instant(text: str) -> datetime:
    if text == "now":
        return datetime.now(UTC).replace(microsecond=0)
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r}: write now, or a time such as 2026-11-22T09:00:00Z") from None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


class Progress:
    """One line that is rewritten on a terminal, and one line every five seconds elsewhere."""

    def __init__(self, out: Any, limit: int | None) -> None:
        self.out, self.limit = out, limit
        self.started = self.shown = time.monotonic()
        self.terminal = bool(getattr(out, "isatty", lambda: False)())

    def __call__(self, tally: Tally) -> None:
        now = time.monotonic()
        if now - self.shown < (0.2 if self.terminal else 5):
            return
        self.shown = now
        passed = now - self.started
        left = passed / tally.share_read * (1 - tally.share_read) if tally.share_read > 0.005 else None
        text = (
            f"sent {tally.sent:,} · accepted {tally.accepted:,} · duplicate {tally.duplicate:,} · "
            f"rejected {tally.rejected:,} · {tally.sent / passed:,.0f}/s · "
            f"{tally.share_read:.0%}" + ("" if left is None else f", about {left:,.0f} s left")
        )
        self.out.write(f"\r\x1b[K{text}" if self.terminal else text, ending="" if self.terminal else "\n")
        self.out.flush()

    def close(self) -> None:
        if self.terminal:
            self.out.write("\r\x1b[K", ending="")


class Command(BaseCommand):
    help = "Send a recorded trace of model calls to TokenOps over HTTP. Sending the same file twice counts it once."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        formats = "; ".join(f"{one.name}: {one.what} (one call = {one.identity})" for one in known())
        parser.add_argument("file", type=Path, help=f"Plain or gzip, known by its content. {formats}.")
        parser.add_argument("--url", default=f"http://localhost:{settings.PORT}", help="Default: %(default)s.")
        parser.add_argument("--key", help="An API key with the scope ingest. Default: the variable TOKENOPS_KEY.")
        pace = parser.add_mutually_exclusive_group()
        pace.add_argument("--rate", type=positive, help="Events per second. Default: as fast as the server takes them.")
        pace.add_argument("--speed", type=positive, help="The trace's own rhythm, this many times as fast.")
        parser.add_argument(
            "--shift-to",
            type=instant,
            metavar="now|TIME",
            help="Move the calls in time: the last lands there; with --speed the first does, and each call is sent "
            "when it happens. Moved calls get ids of their own; give the same TIME to go on with a stopped replay.",
        )
        parser.add_argument("--batch", type=int, default=200, help="Most events in one request. Default: %(default)s.")
        parser.add_argument("--limit", type=int, help="Stop after this many calls.")
        parser.add_argument("--workflow", default="", help="The workflow's slug, where the trace names none.")
        parser.add_argument(
            "--model", default=DEFAULT_MODEL, help="For traces that name no model. Default: %(default)s."
        )
        parser.add_argument("--provider", help=f"Its provider. Default: {DEFAULT_PROVIDER} with the default model.")
        parser.add_argument(
            "--scale", type=positive, default=0.0001, help="Share of ServeGen's volume to replay. Default: %(default)s."
        )
        parser.add_argument(
            "--patience", type=positive, default=120, help="Seconds without an answer until it gives up."
        )
        parser.add_argument("--dry-run", action="store_true", help="Read and count; send nothing.")

    def handle(self, *_args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            found = find_format(path)
        except UnknownFormat as problem:
            raise CommandError(str(problem)) from None
        except (OSError, EOFError) as problem:
            raise CommandError(f"{path} cannot be read: {problem}") from None
        plan = self.plan(path, found, options)
        self.stdout.write(f"{path.name}: {found.what}. One call = {found.identity}.")
        if plan.shift:
            edge = "first" if plan.shift.speed else "last"
            self.stdout.write(f"Moved in time: the {edge} call is at {plan.shift.to:%Y-%m-%dT%H:%M:%SZ}.")
        tally, progress = Tally(), Progress(self.stdout, plan.limit)
        started, stopped = time.monotonic(), ""
        try:
            replay(plan, tally, found, progress)
        except KeyboardInterrupt:
            stopped = "Stopped."
        except (Refused, GaveUp) as problem:
            stopped = str(problem)
        except (OSError, EOFError) as problem:
            stopped = f"{path} cannot be read to its end: {problem}"
        progress.close()
        self.summary(tally, time.monotonic() - started, plan)
        if stopped:
            raise CommandError(f"{stopped} What was sent is counted once, also when the replay is started again.")
        if not tally.is_clean:
            raise CommandError("Not everything was taken; the reasons are above.")

    def plan(self, path: Path, found: Format, options: dict[str, Any]) -> Plan:
        """What was asked for; CommandError where it cannot be done."""
        for name in ("batch", "limit"):
            if options[name] is not None and options[name] < 1:
                raise CommandError(f"--{name} must be 1 or more.")
        key = options["key"] or os.environ.get("TOKENOPS_KEY", "")
        if not key and not options["dry_run"]:
            raise CommandError("No key: give --key or set TOKENOPS_KEY. `manage.py create_api_key` makes one.")
        if options["speed"] and not found.in_time_order:
            raise CommandError(f"A {found.name} trace is not in time order, so it has no rhythm: use --rate.")
        due: pacing.Due = pacing.at_once
        if options["rate"]:
            due = pacing.at_rate(options["rate"])
        elif options["speed"]:
            # Moved calls have the faster rhythm already.
            due = pacing.at_speed(1.0 if options["shift_to"] else options["speed"])
        provider = options["provider"] or (DEFAULT_PROVIDER if options["model"] == DEFAULT_MODEL else "")
        shift = Shift(options["shift_to"], options["speed"]) if options["shift_to"] else None
        try:
            sender = None if options["dry_run"] else self.sender(options, key)
        except Refused as problem:
            raise CommandError(str(problem)) from None
        return Plan(
            path=path,
            given=Given(options["model"], provider, options["workflow"], options["scale"], instant(DEFAULT_START)),
            due=pacing.at_once if sender is None else due,
            batch=options["batch"],
            limit=options["limit"],
            shift=shift,
            sender=sender,
        )

    def sender(self, options: dict[str, Any], key: str) -> EventSender:
        def told(reason: str, seconds: float) -> None:
            self.stderr.write(f"{reason}. Trying again in {seconds:.1f} s.")

        return EventSender(options["url"].rstrip("/"), key, patience=options["patience"], told=told)

    def summary(self, tally: Tally, seconds: float, plan: Plan) -> None:
        """What was read and what became of it."""
        first, last = tally.first, tally.last
        self.stdout.write(
            f"{tally.read:,} calls read"
            + (f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC" if first and last else "")
            + f": {tally.input_tokens:,} input tokens ({tally.cached_input_tokens:,} cached, "
            f"{tally.cache_write_tokens:,} cache writes), {tally.output_tokens:,} output tokens"
            + (f", {tally.unmeasured:,} without token counts" if tally.unmeasured else "")
            + (f", {tally.unreadable:,} lines not readable" if tally.unreadable else "")
            + "."
        )
        if plan.sender is None:
            self.stdout.write("Dry run: nothing was sent.")
        else:
            self.stdout.write(
                f"{tally.sent:,} sent in {seconds:,.1f} s ({tally.sent / max(seconds, 1e-9):,.0f}/s): "
                f"{tally.accepted:,} accepted, {tally.duplicate:,} duplicate, {tally.conflict:,} conflict, "
                f"{tally.rejected:,} rejected; {plan.sender.retries:,} retries."
            )
        for reason, count in tally.reasons.most_common():
            self.stdout.write(f"  {count:,} × {reason}")
        if any(reason.startswith("too-old") for reason in tally.reasons):
            self.stdout.write("  Calls older than the server keeps can be moved: --shift-to now.")
        sys.stdout.flush()
