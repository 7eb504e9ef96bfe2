"""Spend of any scope above an amount, or above its usual, in a window."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import Declared, Field, Kind, dollars_of
from budgets.models import Alert, AlertRule, Organisation, Workflow
from budgets.pages.amounts import whole
from usage.alerts.scopes import (
    COMPANY,
    EACH,
    OF,
    VALUE,
    Names,
    Span,
    cleaned_scope,
    names_for,
    scope_in_words,
    span_at,
    workflow_ids_of,
)
from usage.alerts.windows import Above, Reading, Usual

AGO = timedelta(hours=1)  # calls that arrive so late may still put a window over that has ended
LONGEST_AGO = timedelta(days=3)  # after a longer standstill, windows that ended in between are not told
WINDOWS = tuple((one, f"In {words}") for one, words in EACH.items())
# Window → how many before it make the usual, and how many are needed to know one.
USUALS = {"hour": (168, 24), "day": (28, 7), "week": (8, 2)}


class _Spend(Declared):
    """What both have in common."""

    key = ""
    every = timedelta(seconds=60)

    def clean(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return cleaned_scope(self.fields, options)

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        zone = Organisation.get().zone
        earliest = max((rule.looked_at or now) - AGO, now - LONGEST_AGO, rule.since)
        starts = span_at(rule.options["window"], min(earliest, now), zone).starts_at
        told = set(Alert.objects.filter(rule=rule, happened_at__gte=starts).values_list("cause", flat=True))
        return self._found(rule, starts, now, rule.since, told)

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """From rollups as they are today; at most the 2,000 largest."""
        starts = span_at(rule.options["window"], since, Organisation.get().zone).starts_at
        return [one for one in self._found(rule, starts, until, since) if one.happened_at >= since]

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """The window is over; or a correction brought it back."""
        organisation, workflows = Organisation.get(), workflow_ids_of(rule)
        groups: dict[tuple[str, str, str], list[Alert]] = defaultdict(list)
        for alert in alerts:
            one = alert.facts.get("subject", {})
            if "starts_at" in one:
                groups[one["dimension"], one["window"], one["starts_at"]].append(alert)
        found = []
        for (dimension, window, starts), group in groups.items():
            span = span_at(window, datetime.fromisoformat(starts), organisation.zone)
            spent = Reading(dimension, "", window, organisation.zone, workflows).spent(
                span, now, [alert.facts["subject"]["key"] for alert in group]
            )
            for alert in group:
                subject = alert.facts["subject"]
                cost = spent.get(subject["key"], 0)
                if span.ends_at <= now:
                    said = f"{whole(cost)} in all {span.in_words(organisation.zone)}, which is over."
                    found.append(Over(alert.cause, said))
                elif cost <= subject["limit"]:
                    said = f"{whole(cost)} {span.in_words(organisation.zone)} after a correction: no longer above"
                    found.append(Over(alert.cause, f"{said} {whole(subject['limit'])}."))
        return found

    def _found(
        self, rule: AlertRule, starts: datetime, stops: datetime, since: datetime, told: Collection[str] = ()
    ) -> list[Finding]:
        options, zone = rule.options, Organisation.get().zone
        value = options["value"]
        if value and options["dimension"] == "workflow":
            pk = Workflow.objects.filter(slug=value).values_list("pk", flat=True).first()
            value = str(pk or 0)
        reading = Reading(options["dimension"], value, options["window"], zone, workflow_ids_of(rule))
        above = reading.above(
            self._amount(options),
            starts,
            stops,
            self._usual(options),
            since,
            lambda key, span: self._cause(options, key, span) in told,
        )
        names = names_for(options["dimension"], (one.key for one in above))
        return [self._finding(rule, one, names) for one in above]

    def _amount(self, options: Mapping[str, Any]) -> int:
        raise NotImplementedError

    def _usual(self, options: Mapping[str, Any]) -> Usual | None:
        return None

    def _cause(self, options: Mapping[str, Any], key: str, span: Span) -> str:
        return cause_of(self.key, options["dimension"], key, span.window, span.label, *self._threshold(options))

    def _said(self, options: Mapping[str, Any], one: Above) -> str:
        raise NotImplementedError

    def _finding(self, rule: AlertRule, one: Above, names: Names) -> Finding:
        options = rule.options
        dimension, zone = options["dimension"], Organisation.get().zone
        called = names.called(one.key)
        if dimension == COMPANY and rule.team is not None:
            called = f"The team {rule.team.name}"
        facts = {"Spent": whole(one.cost), "When": one.span.in_words(zone), "More than": whole(one.limit)}
        if one.usual is not None:
            facts["Usual"] = f"{whole(one.usual)} {EACH[options['window']]}"
        return Finding(
            cause=self._cause(options, one.key, one.span),
            title=f"{whole(one.cost)} {one.span.in_words(zone)}: {self._lower(called)} {self._said(options, one)}",
            happened_at=one.reached_at,
            path=names.path(one.key),
            amount=one.cost,
            team_id=names.teams.get(one.key) if rule.team_id is None else rule.team_id,
            facts={"What": called} | facts,
            subject=_subject(dimension, one.key, one.span, one.limit),
        )

    def _threshold(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        raise NotImplementedError

    @staticmethod
    def _lower(called: str) -> str:
        return called[0].lower() + called[1:]


class SpendAbove(_Spend):
    """Options: `dimension`, `value`, `amount` (dollars) and `window`: hour, day, week or month."""

    key = "spend_above"
    words = "Spend goes above an amount"
    fields = (
        OF,
        VALUE,
        Field("amount", "More than", Kind.MONEY, "500", unit="$"),
        Field("window", "Over which time", Kind.CHOICE, "day", choices=WINDOWS),
    )

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        spent = whole(dollars_of(options, "amount") or 0)
        return f"Tell me when {scope_in_words(options, team)} spends more than {spent} in {EACH[options['window']]}."

    def _amount(self, options: Mapping[str, Any]) -> int:
        return dollars_of(options, "amount") or 0

    def _said(self, options: Mapping[str, Any], one: Above) -> str:
        return f"spent more than {whole(one.limit)} in {EACH[options['window']]}."

    def _threshold(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return (options["amount"],)


class SpendUnusual(_Spend):
    """Options: `dimension`, `value`, `factor`, `minimum` (dollars) and `window`: hour, day or week.

    Usual is the mean of the windows before: of 28 days, 8 weeks or 168 hours, counted from the first use on. What is
    known for fewer than 7 days, 2 weeks or 24 hours has no usual yet.
    """

    key = "spend_unusual"
    words = "Spend is far above its usual"
    fields = (
        OF,
        VALUE,
        Field("factor", "Times the usual", Kind.FACTOR, "3", least=1, most=1000, unit="×"),
        Field(
            "minimum",
            "And more than",
            Kind.MONEY,
            "50",
            unit="$",
            help="Below this nobody is told, so that small swings disturb nobody.",
        ),
        Field(
            "window", "Over which time", Kind.CHOICE, "day", choices=tuple(one for one in WINDOWS if one[0] in USUALS)
        ),
    )

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        least = whole(dollars_of(options, "minimum") or 0)
        return (
            f"Tell me when {scope_in_words(options, team)} spends more than {options['factor']} times its usual"
            f" and more than {least} in {EACH[options['window']]}."
        )

    def _amount(self, options: Mapping[str, Any]) -> int:
        return dollars_of(options, "minimum") or 0

    def _usual(self, options: Mapping[str, Any]) -> Usual:
        return Usual(options["factor"], *USUALS[options["window"]])

    def _said(self, options: Mapping[str, Any], one: Above) -> str:
        tenths = (one.cost * 10 + usual // 2) // usual if (usual := one.usual) else 0
        return f"spent {tenths // 10}.{tenths % 10} times its usual {whole(one.usual or 0)} {EACH[options['window']]}."

    def _threshold(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return options["factor"], options["minimum"]


def _subject(dimension: str, key: str, span: Span, limit: int) -> dict[str, Any]:
    return {
        "dimension": dimension,
        "key": key,
        "window": span.window,
        "starts_at": span.starts_at.isoformat(),
        "limit": limit,
    }
