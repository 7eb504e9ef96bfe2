"""Which runs the page of outcomes is about: one reading of the address for the page, its totals and its CSV."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, F, Q, QuerySet, Sum

from budgets.access.reachable import reachable
from budgets.access.roles import VIEW, reach
from budgets.models import Organisation, Workflow
from usage.coverage.window import Window, window_of
from usage.models import OutcomeMessage, Run

TABS = {
    "": ("All runs", Q()),
    "none": ("Without an outcome", Q(outcome="open")),
    "approved": ("Approved", Q(outcome="approved")),
    "shipped": ("Shipped", Q(outcome="shipped")),
    "completed": ("Completed", Q(outcome="completed")),
    "reworked": ("Sent back", Q(outcome="reworked")),
    "rejected": ("Rejected", Q(outcome="rejected")),
    "failed": ("Failed", Q(outcome="failed")),
    "twice": ("Reviewed twice", Q(duplicates__gt=0)),
}
SORTS = {
    "cost": ("-cost", "-pk"),
    "latest": ("-counts_at", "-pk"),
    "minutes": ("-review_minutes", "-cost", "-pk"),
}


@dataclass(frozen=True, slots=True)
class Spent:
    """What all calls of some runs cost, nano-dollars, and of how many that is not known."""

    cost: int
    calls: int
    unpriced: int
    unmeasured: int


SPENT = ("cost", "calls", "unpriced", "unmeasured")


@dataclass(frozen=True)
class Chosen:
    """A filter that is understood. `note` says what of the address was ignored."""

    window: Window
    outcome: str
    workflow: Workflow | None
    query: str
    sort: str
    user: Any
    note: str

    @property
    def is_narrowed(self) -> bool:
        return bool(self.outcome or self.workflow or self.query)

    def under(self) -> QuerySet[Run]:
        """Runs of the days, the workflow and the search, whatever became of them, in reach of who asks."""
        found = Run.objects.filter(
            calls__gt=0, counts_at__gte=self.window.starts_at, counts_at__lt=self.window.stops_at
        )
        flows = self.workflows()
        if flows is not None:
            found = found.filter(workflow_id__in=flows.values("pk"))
        return found.filter(run_id__icontains=self.query) if self.query else found

    def workflows(self) -> QuerySet[Workflow] | None:
        """Those asked for, in reach of who asks; None: all, and nothing need be asked of each run."""
        if self.workflow is None and reach(self.user, VIEW).everything:
            return None
        flows = reachable(Workflow, self.user)
        if self.workflow is not None:
            flows = flows.filter(Q(pk=self.workflow.pk) | Q(merged_into=self.workflow))
        return flows

    def runs(self) -> QuerySet[Run]:
        """Those of the tab, in the order asked for."""
        return self.under().filter(TABS[self.outcome][1]).order_by(*SORTS[self.sort])

    def totals(self) -> tuple[dict[str, int], Spent]:
        """Tab → runs, and what those of the tab that is shown cost. One statement."""
        twice = Q(duplicates__gt=0)
        # Summed by outcome: asking each run whether it is of each tab takes six times as long.
        sums: Any = self.under().order_by().values("outcome").annotate(
            of=Count("pk"), twice=Count("pk", filter=twice),
            **{f"{one}_of": Sum(one) for one in SPENT},
            **{f"{one}_twice": Sum(one, filter=twice) for one in SPENT},
        )  # fmt: skip
        counts, spent = dict.fromkeys(TABS, 0), dict.fromkeys(SPENT, 0)
        for one in sums:
            tab = "none" if one["outcome"] == Run.Outcome.OPEN else one["outcome"]
            for key, of in (("", "of"), (tab, "of"), ("twice", "twice")):
                counts[key] += one[of]
                if key == self.outcome:
                    spent = {name: sum_ + (one[f"{name}_{of}"] or 0) for name, sum_ in spent.items()}
        return counts, Spent(**spent)

    @property
    def kept(self) -> dict[str, str]:
        """What the address says beside the days."""
        values = {
            "outcome": self.outcome,
            "workflow": self.workflow.slug if self.workflow else "",
            "q": self.query,
            "sort": "" if self.sort == "cost" else self.sort,
        }
        return {name: value for name, value in values.items() if value}

    def address(self, **other: str) -> str:
        """The same list, but for what `other` says."""
        values = self.window.query | self.kept | other
        return "?" + urlencode({name: value for name, value in values.items() if value})

    def waiting(self) -> QuerySet[OutcomeMessage]:
        """Messages about runs that made no call yet, the newest first."""
        found = OutcomeMessage.objects.filter(state="waiting", taken_back_at=None)
        flows = self.workflows()
        if flows is not None:
            found = found.filter(workflow_id__in=flows.values("pk"))
        return found.order_by("-pk")


def chosen_of(query: Mapping[str, str], organisation: Organisation, user: Any, now: datetime) -> Chosen:
    """`period` (with `from`, `to`), `outcome`, `workflow`, `q`, `sort`. One statement where a workflow is named."""
    window = window_of(query, now, organisation.zone)
    notes = [window.note] if window.note else []
    outcome, sort = query.get("outcome", ""), query.get("sort", "") or "cost"
    if outcome not in TABS:
        notes.append(f"“{outcome[:40]}” is no outcome that TokenOps knows; it was ignored.")
        outcome = ""
    if sort not in SORTS:
        notes.append(f"Runs cannot be sorted by “{sort[:40]}”; the dearest come first.")
        sort = "cost"
    slug, workflow = query.get("workflow", "").replace("\0", "")[:128], None
    if slug:
        workflow = reachable(Workflow.objects.select_related("merged_into"), user).filter(slug=slug).first()
        workflow = (workflow.merged_into or workflow) if workflow else None
        if workflow is None:
            notes.append(f"There is no workflow “{slug[:40]}”; all are shown.")
    text = query.get("q", "").replace("\0", "").strip()[:128]
    return Chosen(window, outcome, workflow, text, sort, user, " ".join(notes))


@dataclass(frozen=True, slots=True)
class Row:
    """A run with the workflow that it counts under; what nobody said of it is None."""

    run: Run
    slug: str
    name: str

    @property
    def outcome_said(self) -> str | None:
        return None if self.run.outcome == Run.Outcome.OPEN else self.run.outcome

    @property
    def review_minutes_said(self) -> Decimal | None:
        return self.run.review_minutes if self.run.timed else None

    @property
    def satisfaction_said(self) -> Decimal | None:
        """The sum of the scores."""
        return self.run.satisfaction if self.run.scored else None


def rows_of(runs: "Iterator[Run] | list[Run]", names: Mapping[int, tuple[str, str]] | None = None) -> Iterator[Row]:
    """With their workflows' names; `names` as `names_of` answers, where it is read already."""
    known = names_of() if names is None else names
    for run in runs:
        slug, name = known.get(run.workflow_id, ("", f"Workflow {run.workflow_id}"))
        yield Row(run, slug, name)


def names_of(ids: "set[int] | None" = None) -> dict[int, tuple[str, str]]:
    """Workflow's id → short name and name of the one that it counts under. One statement."""
    rows = Workflow.objects.all() if ids is None else Workflow.objects.filter(pk__in=ids)
    found = rows.annotate(into_slug=F("merged_into__slug"), into_name=F("merged_into__name")).values_list(
        "pk", "into_slug", "slug", "into_name", "name"
    )
    return {pk: (into or slug, into_name or name) for pk, into, slug, into_name, name in found}
