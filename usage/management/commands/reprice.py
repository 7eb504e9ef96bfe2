"""`manage.py reprice 2026-11-01 2026-12-01`: show what pricing past usage anew would change; with --confirm, do it."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.pages.amounts import in_dollars
from usage.prices import reprice

ACTOR = Actor.command("reprice")


def moment(text: str) -> datetime:
    """A day (its first instant, UTC) or an instant; without a zone it is UTC."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is neither a day (2026-11-01) nor a time (2026-11-01T12:00Z).") from None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


class Command(BaseCommand):
    help = "Preview a re-price run over the calls of [FROM, TO), and carry it out with --confirm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("start", metavar="FROM", help="A day or a time; UTC unless it says otherwise.")
        parser.add_argument("end", metavar="TO", help="Not included.")
        parser.add_argument("--model", default="", help="Only this model, under every name it was sent.")
        parser.add_argument("--all", action="store_true", help="Priced calls too, not only unpriced ones.")
        parser.add_argument("--confirm", action="store_true", help="Write the correction rows.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = reprice.preview(
                ACTOR,
                moment(options["start"]),
                moment(options["end"]),
                options["model"],
                only_unpriced=not options["all"],
            )
        except Problem as problem:
            raise CommandError("; ".join(problem.extra.get("errors", {}).values()) or problem.detail) from None
        for row in run.preview:
            self.stdout.write(
                f"{row['workflow']}: {row['calls']:,} calls ({row['unpriced']:,} unpriced),"
                f" {in_dollars(row['before'], 6)} becomes {in_dollars(row['after'], 6)}"
            )
        self.stdout.write(
            f"Run {run.pk}: {run.calls:,} calls change, {in_dollars(run.before, 6)} becomes {in_dollars(run.after, 6)};"
            f" {run.still_unpriced:,} have no price today either."
        )
        if not options["confirm"]:
            self.stdout.write("Nothing is written yet. Add --confirm to do it.")
            return
        reprice.confirm(run.pk, ACTOR)
        done = reprice.carry_out(run.pk, ACTOR)
        self.stdout.write(f"Done: {done.corrected:,} corrections written.")
