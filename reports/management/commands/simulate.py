"""`manage.py simulate`: a made-up marketing organisation in a demo database."""

import signal
import threading
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from reports.demo import history, live, setting_up
from reports.demo.setting_up import NotADemo
from usage.replay.sender import GaveUp, Refused
from usage.rollups.fold import fold_all


class Command(BaseCommand):
    help = "Fill a demo database with a simulated marketing organisation. Everything in it is made up."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=60, help="Days of history. Default: %(default)s.")
        parser.add_argument("--seed", type=int, default=2026, help="The same seed gives the same calls.")
        parser.add_argument("--live", action="store_true", help="Then send live traffic over HTTP until stopped.")
        parser.add_argument("--url", default=f"http://127.0.0.1:{settings.PORT}", help="Default: %(default)s.")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= 366:
            raise CommandError("--days must be from 1 to 366.")
        self.stop = threading.Event()
        if options["live"]:
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, lambda *_: self.stop.set())
        try:
            beginning = setting_up.begin(options["seed"], options["days"], datetime.now(UTC))
            if options["live"]:
                live.run(beginning, options["url"], self.stop, self.say)
            else:
                self.load(beginning)
        except NotADemo as problem:
            raise CommandError(str(problem)) from None
        except (Refused, GaveUp, history.BadHistory) as problem:
            raise CommandError(f"The simulation stopped: {problem}") from None

    def load(self, beginning: setting_up.Beginning) -> None:
        """History only, folded here because no worker may be running."""
        if setting_up.is_loaded():
            self.say("The history is there already.")
            return
        history.load(beginning, history.Loader.make(), self.say)
        self.say(f"{fold_all():,} calls folded.")

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
