"""A model is used that has no price: its calls cost nobody knows how much."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, Sum

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import Declared, page
from budgets.limits.calendar import QUARTER_HOUR, quarter_hour
from budgets.models import Alert, AlertRule, Organisation
from usage.alerts.scopes import workflow_ids_of
from usage.models import QuarterHour
from usage.prices.book import current

LATE = timedelta(days=7)  # calls that arrive so late are still told


class UnpricedModel(Declared):
    """No options. What has a price today is not told, whether or not its past calls were priced since."""

    key = "unpriced_model"
    words = "A model without a price is used"
    every = timedelta(seconds=30)
    fields = ()

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        return f"Tell me when {f'{team} uses ' if team else ''}a model without a price{'' if team else ' is used'}."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        return self._found(rule, max(rule.since, (rule.looked_at or now) - LATE), now)

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """Models that have no price today; what was priced since is not known any more."""
        return self._found(rule, since, until)

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """Each of the service tiers that it was used in has a price now."""
        book = current(Organisation.get().generation)
        found = []
        for alert in alerts:
            one = alert.facts.get("subject", {})
            tiers = one.get("tiers", [])
            if tiers and all(book.find(one["provider"], one["model"], tier, now) is not None for tier in tiers):
                said = f"{one['model']} has a price now. Price its past calls on the page of prices."
                found.append(Over(alert.cause, said))
        return found

    def _found(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        cells = QuarterHour.objects.filter(bucket__gte=quarter_hour(since), bucket__lt=until).exclude(unpriced=0)
        if (ids := workflow_ids_of(rule)) is not None:
            cells = cells.filter(workflow_id__in=ids)
        rows = (
            cells.values_list("provider", "model", "service_tier")
            .annotate(calls_sum=Sum("unpriced"), first=Min("bucket"))
            .filter(calls_sum__gt=0)
            .order_by("provider", "model", "service_tier")
        )
        book = current(Organisation.get().generation)
        models: dict[tuple[str, str], list[tuple[str, int, datetime]]] = defaultdict(list)
        for provider, model, tier, calls, first in rows:
            if book.find(provider, model, tier, until) is None:
                models[provider, model].append((tier, int(calls), first))
        told = _times_told(rule)
        return [
            _finding(rule, name, tiers, told.get(cause_of("unpriced", *name), 0), until)
            for name, tiers in models.items()
        ]


def _times_told(rule: AlertRule) -> dict[str, int]:
    """How often each model was told and then got a price: the next time is another one."""
    found: dict[str, int] = defaultdict(int)
    if rule.pk is not None:
        for cause in Alert.objects.filter(rule=rule, resolved_at__isnull=False).values_list("cause", flat=True):
            found[cause.rpartition(":")[0]] += 1
    return found


def _finding(
    rule: AlertRule, name: tuple[str, str], tiers: list[tuple[str, int, datetime]], times: int, until: datetime
) -> Finding:
    provider, model = name
    calls, first = sum(calls for _, calls, _ in tiers), min(first for *_, first in tiers)
    counted = "1 call" if calls == 1 else f"{calls:,} calls"
    return Finding(
        cause=cause_of("unpriced", provider, model, times),
        title=f"{counted} without a price: {model} is used, and nobody knows what it costs.",
        happened_at=min(first + QUARTER_HOUR, until),
        path=page("prices"),
        team_id=rule.team_id,
        facts={"Model": model, "Provider": provider or "not stated", "Calls": f"{calls:,}"},
        subject={"provider": provider, "model": model, "tiers": sorted(tier for tier, *_ in tiers)},
    )
