"""What the list of budgets is filtered by, from the address to a queryset: page, CSV and bulk acts share it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from budgets.access.reachable import reachable
from budgets.limits.scope import DIMENSIONS, WHOLE_COMPANY
from budgets.models import Budget, Organisation, Team, Workflow
from budgets.pages.ranking import Ranked, rank
from budgets.pages.standings import running

STATUSES = {
    "": "All",
    "over": "Over",
    "risk": "Likely or could go over",
    "ok": "On pace",
    "paused": "Paused",
    "idle": "Not running now",
    "archived": "Archived",
}
COVERS = {"": "Anything", "company": WHOLE_COMPANY, **{name: name.capitalize() for name in DIMENSIONS}}
WORDS = 10  # of a search that are looked for
OFFERED = 200


@dataclass(frozen=True)
class Filters:
    """As they stand in the address; `note` says what of it was not understood."""

    status: str = ""
    q: str = ""
    team: str = ""
    covers: str = ""
    owner: str = ""
    note: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """Unknown values are left out and noted."""
        status, covers = query.get("status", ""), query.get("covers", "")
        said = []
        if status not in STATUSES:
            said.append(f"“{status[:40]}” is no status that TokenOps knows; this filter was left out.")
        if covers not in COVERS:
            said.append(f"A budget cannot cover “{covers[:40]}”; this filter was left out.")
        return cls(
            status=status if status in STATUSES else "",
            q=_text(query, "q"),
            team=_text(query, "team"),
            covers=covers if covers in COVERS else "",
            owner=_text(query, "owner"),
            note=" ".join(said),
        )

    @property
    def given(self) -> dict[str, str]:
        """Those that are set, for addresses and hidden fields."""
        return {one.name: value for one in fields(self) if one.name != "note" and (value := getattr(self, one.name))}

    @property
    def address(self) -> str:
        return urlencode(self.given)

    @property
    def rest(self) -> str:
        """The address without the status, for the links that choose one."""
        return urlencode({name: value for name, value in self.given.items() if name != "status"})

    @property
    def is_narrowed(self) -> bool:
        """By something that the short row of links does not show."""
        return bool(self.team or self.covers or self.owner)

    def budgets(self, within: QuerySet[Budget]) -> QuerySet[Budget]:
        """Which of these fit all but the status, archived ones included."""
        chosen = within
        if self.covers:
            chosen = chosen.filter(scope={}) if self.covers == "company" else chosen.filter(scope__has_key=self.covers)
        if self.team:
            theirs = Workflow.objects.filter(team__slug=self.team).values("slug")
            chosen = chosen.annotate(of_workflow=KeyTextTransform("workflow", "scope")).filter(
                Q(scope__team=self.team) | Q(of_workflow__in=theirs)
            )
        if self.owner:
            chosen = chosen.filter(owner__username=self.owner)
        return _searched(chosen, self.q) if self.q else chosen


@dataclass(frozen=True)
class Found:
    """What fits: the ranked ones whose period runs, how many of each status, and the others as querysets."""

    ranked: tuple[Ranked, ...]
    counts: Mapping[str, int]
    idle: QuerySet[Budget]
    archived: QuerySet[Budget]


def _text(query: Mapping[str, str], name: str) -> str:
    return query.get(name, "").strip().replace("\0", "")[:128]


def _searched(budgets: QuerySet[Budget], text: str) -> QuerySet[Budget]:
    """Each word must stand in the name or in what is covered, by its slug or by its name."""
    found = budgets.annotate(
        said=Cast("scope", TextField()),
        of_workflow=KeyTextTransform("workflow", "scope"),
        of_team=KeyTextTransform("team", "scope"),
    )
    for word in text.split()[:WORDS]:
        fits = Q(name__icontains=word) | Q(said__icontains=word)
        fits |= Q(of_workflow__in=Workflow.objects.filter(name__icontains=word).order_by().values("slug"))
        fits |= Q(of_team__in=Team.objects.filter(name__icontains=word).order_by().values("slug"))
        if word.casefold() in WHOLE_COMPANY.casefold():
            fits |= Q(scope={})
        found = found.filter(fits)
    return found


def find(filters: Filters, organisation: Organisation, now: datetime, within: QuerySet[Budget]) -> Found:
    """Of the budgets `within`: two statements for any number of them; `idle` and `archived` are not read yet."""
    fits = filters.budgets(within)
    live = fits.exclude(status=Budget.Status.ARCHIVED)
    ranked = rank(organisation, now, live)
    sizes = fits.aggregate(
        archived=Count("pk", filter=Q(status=Budget.Status.ARCHIVED)),
        live=Count("pk", filter=~Q(status=Budget.Status.ARCHIVED)),
    )
    counts = dict.fromkeys(STATUSES, 0) | {"": sizes["live"], "archived": sizes["archived"]}
    counts["idle"] = sizes["live"] - len(ranked)
    for one in ranked:
        counts[one.kind] += 1
    return Found(
        ranked=tuple(one for one in ranked if filters.status in {"", one.kind}),
        counts=counts,
        idle=live.filter(~Exists(running(now).filter(budget=OuterRef("pk")))).order_by("name", "pk"),
        archived=fits.filter(status=Budget.Status.ARCHIVED).order_by("-updated_at", "name", "pk"),
    )


def chosen(
    filters: Filters, organisation: Organisation, now: datetime, most: int, within: QuerySet[Budget]
) -> list[int]:
    """Ids of all that the page with these filters lists, over all its pages; at most `most` and one."""
    found = find(filters, organisation, now, within)
    if filters.status == "archived":
        return list(found.archived.values_list("pk", flat=True)[: most + 1])
    idle = list(found.idle.values_list("pk", flat=True)[: most + 1]) if filters.status in {"", "idle"} else []
    return ([one.budget_id for one in found.ranked] + idle)[: most + 1]


def offered(who: Any) -> dict[str, list[tuple[str, str]]]:
    """What the filters for team and owner offer `who`, as (value, words). Two statements."""
    owned = reachable(Budget.objects.filter(owner__isnull=False), who)
    owners = get_user_model().objects.filter(pk__in=owned.order_by().values("owner"))
    return {
        "teams": list(reachable(Team, who).values_list("slug", "name")[:OFFERED]),
        "owners": [(one.get_username(), one.get_full_name() or one.get_username()) for one in owners[:OFFERED]],
    }
