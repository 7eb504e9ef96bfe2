"""`/data/gateways/`: who runs which policy, since when, and what went wrong last."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.models import Organisation
from budgets.pages.csv import csv_response
from budgets.pages.door import signed_in
from routing.fleet.listing import STATES, ClientRow, counts, found, keys_without_a_word, rows_of
from routing.fleet.report import newest_revision
from routing.models import PolicyBundle

PER_PAGE = 50
HEADER = [
    "client", "software", "key", "state", "epoch", "revision", "since", "seen_at", "refused_epoch", "refused_revision",
    "error", "error_at",
]  # fmt: skip


def _wanted(request: HttpRequest) -> tuple[str, str]:
    """Search and state of the query string; what is unknown is left out."""
    state = request.GET.get("state", "")
    return request.GET.get("q", "").strip()[:100].replace("\x00", ""), state if state in STATES else ""


@require_safe
@never_cache
@signed_in
def gateways(request: HttpRequest) -> HttpResponseBase:
    """The list; filters `q` and `state`."""
    organisation, now, (query, state) = Organisation.get(), timezone.now(), _wanted(request)
    newest = newest_revision()
    made = PolicyBundle.objects.order_by("-epoch", "-revision").values_list("created_at", flat=True).first()
    page = Paginator(found(query, state, newest, now), PER_PAGE).get_page(request.GET.get("page"))
    numbers = counts(newest, now)
    return render(
        request,
        "fleet/list.html",
        {
            "here": "data-health",
            "newest": newest,
            "newest_at": organisation.local(made) if made else None,
            "rows": rows_of(page.object_list, newest, organisation, now),
            "page": page,
            "query": query,
            "state": state,
            "chips": [(key, words, numbers[key]) for key, (words, _, _) in STATES.items()],
            "total": sum(numbers.values()),
            "to_look_at": numbers["refused"] + numbers["behind"],
            "all_silent": numbers["silent"] == sum(numbers.values()),
            "unheard": keys_without_a_word(now),
        },
    )


@require_safe
@never_cache
@signed_in
def gateways_card(request: HttpRequest) -> HttpResponseBase:
    """A card of data health, fetched by it."""
    newest = newest_revision()
    numbers = counts(newest, timezone.now())
    return render(
        request,
        "fleet/card.html",
        {
            "numbers": numbers,
            "total": sum(numbers.values()),
            "silent": numbers["silent"],
            "to_look_at": numbers["refused"] + numbers["behind"],
        },
    )


@require_safe
@never_cache
@signed_in
def gateways_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/gateways.csv`: the list's filter, every row."""
    organisation, now, (query, state) = Organisation.get(), timezone.now(), _wanted(request)
    newest = newest_revision()
    rows = rows_of(found(query, state, newest, now), newest, organisation, now)
    return csv_response("gateways", HEADER, (_line(one) for one in rows))


def _line(one: ClientRow) -> list[Any]:
    row = one.row
    return [
        row.client, row.software, one.key, one.state, row.epoch, row.revision, row.since.isoformat(),
        row.seen_at.isoformat(), row.refused_epoch, row.refused_revision, row.error,
        row.error_at.isoformat() if row.error_at else "",
    ]  # fmt: skip
