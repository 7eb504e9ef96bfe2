"""What several pages say of a price entry: its address, its dates in the organisation's zone, who set it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from budgets.limits.calendar import day_of
from budgets.models import AuditEntry, Organisation
from budgets.pages.door import changes
from budgets.pages.moments import day_year
from usage.models import PriceEntry
from usage.prices.seed import FAR_PAST
from usage.prices.undo import OBJECT_TYPE

CHANGE = "usage.change_priceentry"
changes_prices = changes(CHANGE, "prices")


def model_url(provider: str, model: str) -> str:
    """A model's page; names may hold anything, so they are in the query string."""
    return f"{reverse('price-model')}?{urlencode({'provider': provider, 'model': model})}"


def holds(entry: PriceEntry, now: datetime) -> bool:
    return entry.valid_from <= now and (entry.valid_to is None or entry.valid_to > now)


def set_by(entries: Iterable[PriceEntry]) -> dict[str, AuditEntry]:
    """Entry id as text → the row of history of its making. One statement."""
    ids = [str(one.pk) for one in entries if one.origin == PriceEntry.Origin.OVERRIDE]
    acts = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id__in=ids, act__in=("created", "changed"))
    return {one.object_id: one for one in acts.order_by("at", "pk")}


def dates_of(valid_from: datetime, valid_to: datetime | None, organisation: Organisation) -> tuple[str, str]:
    """First and last day in the organisation's zone, in words; "" where it holds from ever or until further notice."""
    zone = organisation.zone
    first = "" if valid_from <= FAR_PAST else day_year(day_of(valid_from, zone))
    last = day_year(day_of(valid_to - timedelta(microseconds=1), zone)) if valid_to else ""
    return first, last
