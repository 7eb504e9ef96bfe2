"""`/history/`: every change, filtered by the query string; the same rows as CSV."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.roles import reach
from budgets.audit import search
from budgets.audit.chain import COLUMNS
from budgets.audit.checking import last_check
from budgets.audit.export import csv_rows
from budgets.audit.protection import ROLE, protection
from budgets.audit.telling import told
from budgets.audit.wording import wording_of
from budgets.models import AuditEntry, Organisation
from budgets.pages.csv import csv_response
from budgets.pages.door import signed_in
from budgets.pages.moments import moment, place

KEPT = ("who", "type", "object", "act", "origin", "from", "to", "q")


@require_safe
@never_cache
@signed_in
def history(request: HttpRequest) -> HttpResponseBase:
    """`/history/`, newest first."""
    organisation, now = Organisation.get(), timezone.now()
    asked = search.read(request.GET.dict())
    page = search.page_of(asked, organisation)
    check = last_check()
    people, acts = search.distinct("who_text"), search.distinct("act")
    return render(
        request,
        "history/list.html",
        {
            "here": "history",
            "organisation": organisation,
            "rows": told(page.rows, organisation, now, may=lambda right: reach(request.user, right).everything),
            "page": page,
            "asked": asked,
            "typed": {name: request.GET.get(name, "")[: search.LONGEST] for name in KEPT},
            "object_words": _object_words(asked, page),
            "notes": list(asked.notes.values()),
            "people": people,
            "acts": acts,
            "kinds": search.kinds(),
            "origins": AuditEntry.Origin.choices,
            "query": urlencode(kept(request, asked)),
            "zone_words": place(organisation.time_zone),
            "check": check,
            "checked": moment(organisation.local(check.checked_at), organisation.local(now))
            if check.checked_at
            else "",
            "is_own_role": protection() == ROLE,
            "none_yet": not page.rows and asked.is_empty and asked.before is None and asked.after is None,
        },
    )


@require_safe
@never_cache
@signed_in
def history_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/history.csv`: all rows of the filter, oldest first, with position and digest."""
    asked = search.read(request.GET.dict())
    return csv_response("history", COLUMNS, csv_rows(search.in_order(asked, Organisation.get())))


def kept(request: HttpRequest, asked: search.Filter) -> dict[str, str]:
    """The filter as it goes into links: without what was left out."""
    return {name: request.GET[name] for name in KEPT if request.GET.get(name) and name not in asked.notes}


def _object_words(asked: search.Filter, page: search.Page) -> str:
    """The object that is asked for, by its newest name."""
    if not asked.object:
        return ""
    noun = wording_of(asked.object.partition(":")[0]).noun
    return f"{page.rows[0].object_name} {noun}" if page.rows else f"{noun} {asked.object.partition(':')[2]}"
