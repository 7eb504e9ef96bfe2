"""The likely cause of what was found, by the same split that explains any difference of spend."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from reports.asking.scope import Scope
from reports.models import Finding
from reports.unusual.scopes import used
from reports.why.explain import cause

# The same hours of the week, or of the day before: the first of these in which there was use.
BEFORE = tuple(timedelta(days=days) for days in (7, 14, 21, 1))
MOST = 10  # of one look
READ_MOST = 100_000  # calls of both times; above, whole days are compared
RECENT = timedelta(hours=1)


def tell_causes(changed: Sequence[Finding], now: datetime) -> None:
    """State the cause of these findings, and of new ones that have none yet: against the same hours a week before."""
    without = Finding.objects.filter(kind=Finding.Kind.USUAL, cause="", found_at__gte=now - RECENT)
    wanted = {one.pk: one for one in [*changed, *without.order_by("-pk")[:MOST]]}
    for finding in list(wanted.values())[:MOST]:
        if said := likely_cause(finding):
            Finding.objects.filter(pk=finding.pk).update(cause=said[:500])


def likely_cause(finding: Finding) -> str:
    """A short sentence; "" where nothing was added, or nothing was used at these hours before."""
    for ago in BEFORE:
        before = (finding.since - ago, finding.until - ago)
        quarters = used(finding.dimension, [finding.key], *before)[finding.key]
        if any(sums.calls for sums in quarters.values()):
            return cause(scope_of(finding), before, (finding.since, finding.until), READ_MOST)
    return ""


def scope_of(finding: Finding) -> Scope:
    """What the finding is about, as pages of spend ask for it."""
    if finding.workflow is not None:
        return Scope(workflow=((finding.workflow.merged_into or finding.workflow).slug,))
    return Scope(team=(finding.key,)) if finding.dimension == "team" else Scope(model=(finding.key,))
