"""What caching an approved text would save at most: had every call of the last days sent it, and found it cached."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from budgets.models import Organisation, Workflow
from routing.models import Snippet
from usage.models import QuarterHour
from usage.prices import book
from usage.prices.book import PriceBook
from usage.prices.price import RATE_PER_NANO

LOOKED_BACK = timedelta(days=30)
BLOCKED = "blocked"  # such a call sent nothing


@dataclass(frozen=True, slots=True)
class Saving:
    """Of the calls of the workflows that may use a text; `nano` in nano-dollars, `unpriced` calls left out of it."""

    calls: int = 0
    unpriced: int = 0
    nano: int = 0


def savings(snippets: Iterable[tuple[Snippet, int]], now: datetime) -> dict[int, Saving]:
    """By the snippet's key; each comes with its tokens. The statements do not grow with them.

    Tokens × calls × (input price − price of cached input), at today's prices for short inputs of the service tier that
    was used. A model without a price of its own for cached input saves nothing.
    """
    told = dict(snippets)
    users: dict[int, set[int]] = defaultdict(set)  # snippet → workflows under whose ids its calls stand
    links = Snippet.workflows.through.objects.filter(snippet_id__in=[one.pk for one in told])
    allowed = list(links.values_list("snippet_id", "workflow_id"))
    aliases: dict[int, set[int]] = defaultdict(set)
    merged = Workflow.objects.filter(merged_into_id__in={workflow for _, workflow in allowed})
    for alias, counted in merged.values_list("pk", "merged_into_id"):
        aliases[counted or 0].add(alias)
    for snippet, workflow in allowed:
        users[snippet] |= {workflow, *aliases[workflow]}
    used = _calls(set().union(*users.values()), now)
    prices = book.current(Organisation.get().generation)
    return {one.pk: _saving(tokens, users[one.pk], used, prices, now) for one, tokens in told.items()}


Used = dict[int, list[tuple[str, str, str, int]]]


def _calls(workflows: set[int], now: datetime) -> Used:
    """Workflow → (provider, model, service tier, calls)."""
    rows = QuarterHour.objects.filter(workflow_id__in=workflows, bucket__gte=now - LOOKED_BACK).exclude(status=BLOCKED)
    named = ("workflow_id", "provider", "model", "service_tier")
    found: Used = defaultdict(list)
    for workflow, provider, model, tier, calls in rows.values_list(*named).annotate(all=Sum("calls")).order_by():
        found[workflow].append((provider, model, tier, calls))
    return found


def _saving(tokens: int, workflows: set[int], used: Used, prices: PriceBook, now: datetime) -> Saving:
    calls = unpriced = rate = 0
    for workflow in workflows:
        for provider, model, tier, count in used.get(workflow, ()):
            calls += count
            price = prices.find(provider, model, tier, now)
            if price is None or price.rates.input is None:
                unpriced += count
            else:
                cached = price.rates.input if price.rates.cached is None else price.rates.cached
                rate += count * max(0, price.rates.input - cached)
    return Saving(calls, unpriced, tokens * rate // RATE_PER_NANO)
