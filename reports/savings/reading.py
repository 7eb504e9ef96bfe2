"""The newest run with figures as a reader may see it: of the workflows in their reach."""

from dataclasses import dataclass
from typing import Any

from budgets.access.reachable import reachable
from budgets.access.roles import VIEW, reach
from budgets.models import Workflow
from reports.models import SavingsRun
from reports.savings.result import Result
from reports.savings.showing import Shown, shown
from reports.savings.stored import newest_result
from routing.replay.claim import FAILED, OPEN


@dataclass(frozen=True, slots=True)
class Reading:
    """`run` is the newest with figures, with its result; `newer` one that was asked for since, or failed since."""

    run: SavingsRun | None
    result: Result | None
    shown: Shown | None
    newer: SavingsRun | None

    @property
    def moves(self) -> bool:
        return self.newer is not None and self.newer.state in OPEN

    @property
    def failed(self) -> bool:
        return self.newer is not None and self.newer.state == FAILED


def seen_by(who: Any) -> frozenset[str] | None:
    """The short names of the workflows that somebody sees; None for all. One statement at most."""
    if reach(who, VIEW).everything:
        return None
    return frozenset(reachable(Workflow, who).filter(merged_into=None).values_list("slug", flat=True))


def newest_for(who: Any) -> Reading:
    """At most four statements, and one for what a process has not read yet."""
    found = newest_result()
    run = found[0] if found else None
    newer = SavingsRun.objects.defer("result", "basis").order_by("-pk").first()
    if newer is not None and run is not None and newer.pk <= run.pk:
        newer = None
    if found is None:
        return Reading(None, None, None, newer)
    result = found[1]
    names = dict(Workflow.objects.filter(slug__in=result.workflows).values_list("slug", "name"))
    return Reading(run, result, shown(result, names, seen_by(who)), newer)
