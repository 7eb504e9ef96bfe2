"""The alert trigger: unusual spend, told once for each finding, and what a rule may have done about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from budgets.alerts.findings import Finding as Told
from budgets.alerts.findings import Over, cause_of
from budgets.alerts.trigger import Declared, Field, Kind, dollars_of, page
from budgets.models import Alert, AlertRule, Organisation, Workflow
from budgets.pages.amounts import whole
from reports.models import Finding
from reports.unusual.reaching import OfFinding
from reports.unusual.wording import title, when

AGO = timedelta(hours=2)
MOST = 2_000
TELL, STOP, CAP, PAUSE = "", "stop", "cap", "pause"
ACTS = {STOP, CAP, PAUSE}
DOES = (
    (TELL, "Only tell"),
    (STOP, "Tell, and stop the run"),
    (CAP, "Tell, stop the run, and limit later runs"),
    (PAUSE, "Tell, and pause the workflow"),
)
SAID = {
    TELL: "",
    STOP: ", and stop the run",
    CAP: ", stop the run, and limit later runs",
    PAUSE: ", and pause the workflow",
}


class UnusualSpend(Declared):
    """Options: `minimum` (dollars above usual), the slug of one `workflow` or "", `act`: what is done about it."""

    key = "unusual_finding"
    words = "Unusual spend is found"
    every = timedelta(seconds=30)
    fields = (
        Field("minimum", "When at least this much above usual", Kind.MONEY, "20", unit="$"),
        Field("workflow", "Of which workflow", Kind.WORKFLOW, "", required=False, help="Leave it empty for all."),
        Field(
            "act",
            "And then",
            Kind.CHOICE,
            TELL,
            required=False,
            choices=DOES,
            help="A stopped run makes no more calls for 24 hours; other runs go on. That is for spend that comes from "
            "one to three runs; other spend is only told. Limiting later runs also sets what each may cost and how "
            "many steps it may take, from what runs usually need. A paused workflow makes no calls until somebody "
            "resumes it. Each is in the history and can be undone.",
        ),
    )

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        of = f" of {options['workflow']}" if options["workflow"] else f" of {team}" if team else ""
        least = whole(dollars_of(options, "minimum") or 0)
        return f"Tell me when spend{of} is at least {least} above usual{SAID[options['act']]}."

    def find(self, rule: AlertRule, now: datetime) -> list[Told]:
        recent = Q(ended_at=None) | Q(ended_at__gte=(rule.looked_at or now) - AGO)
        return [_told(one) for one in findings_of(rule).filter(recent)[:MOST]]

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """It ended by itself, or somebody called it expected or fixed."""
        by_finding = {alert.facts.get("subject", {}).get("finding"): alert for alert in alerts}
        found = []
        for finding in Finding.objects.filter(pk__in=[pk for pk in by_finding if pk]):
            if finding.ended_at is None and finding.is_open:
                continue
            said = f"{_amount(finding)} in all"
            how = "it is as usual again" if finding.ended_at else f"it was called {finding.get_state_display().lower()}"
            found.append(Over(by_finding[finding.pk].cause, f"{said}: {how}."))
        return found

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Told]:
        """What was found then, as it is known now."""
        rows = findings_of(rule, since).filter(found_at__gte=since, found_at__lt=until)
        return [_told(one) for one in rows[:MOST]]


def findings_of(rule: AlertRule, since: datetime | None = None) -> QuerySet[Finding]:
    """What the rule is about: of its team and workflow, above its minimum, not called expected."""
    minimum = dollars_of(rule.options, "minimum") or 0
    rows = Finding.objects.exclude(state__in=[Finding.State.EXPECTED, Finding.State.FIXED])
    rows = rows.filter(Q(amount__gte=minimum) | Q(amount=None, actual__gte=minimum))
    rows = rows.filter(found_at__gte=since or rule.since)
    if rule.team_id is not None:
        rows = OfFinding().narrowed(rows, frozenset({rule.team_id}))
    if slug := rule.options.get("workflow"):
        rows = rows.filter(workflow__in=Workflow.objects.counted_as(slug))
    return rows.select_related("workflow", "team").order_by("found_at", "pk")


def _amount(finding: Finding) -> str:
    return f"{whole(finding.actual)}" if finding.amount is None else f"{whole(finding.amount)} above usual"


def _told(finding: Finding) -> Told:
    organisation = Organisation.get()
    facts = {"When": when(finding, organisation), "Spent": whole(finding.actual)}
    if finding.expected is not None:
        facts["Usual"] = whole(finding.expected)
    if finding.cause:
        facts["Likely cause"] = finding.cause
    team = finding.workflow.team_id if finding.workflow else finding.team_id
    return Told(
        cause=cause_of("unusual", finding.pk),
        title=f"{title(finding)}.",
        happened_at=finding.found_at,
        path=page("unusual-finding", finding.pk),
        amount=finding.amount if finding.amount is not None else finding.actual,
        team_id=team,
        facts=facts,
        subject={"finding": finding.pk},
    )
