"""What the policy's pages list beside a policy itself: versions, drafts, remarks where they belong, past calls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from budgets.models import Organisation
from budgets.pages.moments import moment, span_year
from budgets.people.names import shown_name
from routing.models import PolicyReplay, PolicyVersion
from routing.policy.validate import Remark

State = PolicyVersion.State
SHOWN_VERSIONS = 20  # on a page at once; all of them in the CSV


@dataclass(frozen=True, slots=True)
class Line:
    """A version or a draft in a list. `when` in the organisation's zone; `who` as people are called."""

    version: PolicyVersion
    when: str
    who: str


@dataclass(frozen=True, slots=True)
class PastCalls:
    """How many calls each rule fitted, by its id, on the calls of some days; `sample`: only of some of their runs."""

    rules: Mapping[str, int]
    days: str
    sample: bool


@dataclass
class Remarks:
    """Remarks at the place they belong to; `other` is what belongs to no row."""

    tiers: dict[int, list[Remark]] = field(default_factory=dict)
    rules: dict[int, list[Remark]] = field(default_factory=dict)
    default: list[Remark] = field(default_factory=list)
    other: list[Remark] = field(default_factory=list)
    problems: int = 0
    warnings: int = 0

    @property
    def said(self) -> str:
        """ "2 problems and 1 remark"; empty where there is nothing to say."""
        parts = [f"{self.problems} problem{'' if self.problems == 1 else 's'}"] if self.problems else []
        parts += [f"{self.warnings} remark{'' if self.warnings == 1 else 's'}"] if self.warnings else []
        return " and ".join(parts)


def placed(found: Iterable[Remark]) -> Remarks:
    """Each remark with the tier or rule (by its place in the document) that it is about."""
    told = Remarks()
    for one in found:
        if one.is_problem:
            told.problems += 1
        else:
            told.warnings += 1
        part, _, rest = one.where.partition(".")
        place = rest.partition(".")[0]
        if part in {"tiers", "rules"} and place.isdecimal():
            (told.tiers if part == "tiers" else told.rules).setdefault(int(place), []).append(one)
        elif part in {"otherwise", "daily_tokens", "unlisted_models"}:
            told.default.append(one)
        else:
            told.other.append(one)
    return told


def all_versions() -> QuerySet[PolicyVersion]:
    """Published ones, the newest first, without their documents."""
    found = PolicyVersion.objects.filter(state=State.PUBLISHED).select_related("published_by")
    return found.defer("document").order_by("-number")


def open_drafts() -> QuerySet[PolicyVersion]:
    """Drafts and those that wait, the newest first, without their documents."""
    found = PolicyVersion.objects.filter(state__in=[State.DRAFT, State.WAITING]).select_related("created_by")
    return found.defer("document").order_by("-changed_at", "-pk")


def version_line(version: PolicyVersion, organisation: Organisation, now: datetime) -> Line:
    """When it was published, and by whom."""
    at = version.published_at
    when = moment(organisation.local(at), organisation.local(now)) if at else ""
    return Line(version, when, person(version.published_by, version.published_text))


def draft_line(version: PolicyVersion, organisation: Organisation, now: datetime) -> Line:
    """When it was changed last, and who began it."""
    when = moment(organisation.local(version.changed_at), organisation.local(now))
    return Line(version, when, person(version.created_by, version.created_text))


def person(user: Any, text: str) -> str:
    return shown_name(user) if user else text


def calls_by_rule(version: PolicyVersion | None, organisation: Organisation) -> PastCalls | None:
    """What the newest replay found of a published version. One statement; None without a replay.

    Only a replay from after it was published has found anything of it; results are long, so others are not opened.
    """
    if version is None or version.published_at is None:
        return None
    since = {"state": PolicyReplay.State.DONE, "workflow": "", "finished_at__gte": version.published_at}
    found = (
        PolicyReplay.objects.filter(**since, result__live_number=version.number)
        .order_by("-pk")
        .values("starts_at", "ends_at", "calls", "taken", "result__rules")
        .first()
    )
    if found is None:
        return None
    first = organisation.local(found["starts_at"]).date()
    last = organisation.local(found["ends_at"] - timedelta(microseconds=1)).date()
    rules: dict[str, Any] = found["result__rules"] or {}
    return PastCalls(
        {key: int(count.get("live", 0)) for key, count in rules.items()},
        span_year(first, last),
        found["calls"] is not None and found["taken"] is not None and found["taken"] < found["calls"],
    )
