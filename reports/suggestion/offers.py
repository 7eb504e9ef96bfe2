"""What may be covered, offered while it is typed: options for a field's list."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.roles import VIEW, reach
from budgets.limits.calendar import day_of
from budgets.models import Organisation
from budgets.pages.door import in_reach
from budgets.pages.forms import OFFERED, suggestions
from reports.breakdown.covered import CORE, WIDE
from usage.models import QuarterHour, WideDay

RECENT = timedelta(days=2)  # of usage that is looked through: these lists help, they do not decide


@require_safe
@never_cache
@in_reach
def offers(request: HttpRequest) -> HttpResponseBase:
    """`/budget-offers/?i=0&covers_0=workflow&value_0=seo`: at most fifty options."""
    i = request.GET.get("i", "0")
    kind = request.GET.get(f"covers_{i}", "")
    text = request.GET.get(f"value_{i}", "").strip().replace("\0", "")[:128]
    return render(request, "suggestion/offers.html", {"offers": offered(kind, text, request.user)})


def offered(kind: str, text: str, who: Any) -> list[tuple[str, str]]:
    """(value, name); none for a dimension that is not known. Of usage only for whom no team narrows."""
    if kind in {"workflow", "team"}:
        return suggestions(kind, who, text)
    since = timezone.now() - RECENT
    found: QuerySet[QuarterHour, str] | QuerySet[WideDay, str]
    if kind == "tier":
        return [(one, name) for one, name in (("1", "Economy"), ("2", "Standard"), ("3", "Premium")) if text in one]
    if not reach(who, VIEW).everything:
        return []
    if kind in CORE:
        found = QuarterHour.objects.filter(bucket__gte=since, **{f"{kind}__icontains": text}).values_list(
            kind, flat=True
        )
    elif kind in WIDE:
        day = day_of(since, Organisation.get().zone)
        found = WideDay.objects.filter(dimension=kind, day__gte=day, value__icontains=text).values_list(
            "value", flat=True
        )
    else:
        return []
    return [(value, value) for value in sorted(found.order_by().distinct()[:OFFERED]) if value]
