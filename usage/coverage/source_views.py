"""Sources: the list, its CSV, one source with its days and keys, and giving it another name."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.key_forms import RenameForm
from budgets.access.key_list import keys_at, row_of
from budgets.access.sources import InvalidSource, rename_source
from budgets.audit.record import Actor
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import AuditEntry, Organisation, Source
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response
from budgets.pages.door import changes, signed_in
from budgets.pages.moments import ago, clock, day_year, weekday
from usage.coverage.cards import per_hour, rate_words
from usage.coverage.sources import SourceRate, page_of_sources, source_rates
from usage.models import SourceHour

PER_PAGE = 50
DAYS = 14
PERMISSION = "budgets.change_apikey"
changes_sources = changes(PERMISSION, "sources and keys")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source in words."""

    source: SourceRate
    name: str
    last: str
    rate: str
    state: str
    tone: str
    icon: str


def row_in_words(source: SourceRate, organisation: Organisation, now: datetime) -> SourceRow:
    """How it stands: sends, silent for longer than usual, stopped, never sent."""
    since = source.silent_since(now)
    if source.last_at is None:
        state, tone, icon = "Nothing yet", "", "clock"
    elif since:
        state, tone, icon = f"Silent for {ago(now - since).removesuffix(' ago')}", "watch", "warn"
    elif not source.usual and not source.now:
        state, tone, icon = "Stopped", "", "clock"
    else:
        state, tone, icon = "Sends", "ok", "check"
    return SourceRow(
        source=source,
        name=source.name or source.slug,
        last=ago(now - source.last_at) if source.last_at else "Nothing yet",
        rate=rate_words(source.now, source.usual, source.last_at, organisation, now),
        state=state,
        tone=tone,
        icon=icon,
    )


def searched(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip()[:100].replace("\x00", "")


def matching(query: str) -> QuerySet[Source]:
    found = Source.objects.order_by("slug")
    return found.filter(Q(slug__icontains=query) | Q(name__icontains=query)) if query else found


@require_safe
@never_cache
@signed_in
def source_list(request: HttpRequest) -> HttpResponseBase:
    """`/settings/sources/`: who sends usage, the one that sent last first."""
    organisation, now, query = Organisation.get(), timezone.now(), searched(request)
    page = Paginator(matching(query), PER_PAGE).get_page(request.GET.get("page"))
    rates = page_of_sources(now, query, PER_PAGE, page.start_index() - 1) if page.paginator.count else ()
    return render(
        request,
        "data/sources.html",
        {
            "here": "settings",
            "organisation": organisation,
            "rows": [row_in_words(one, organisation, now) for one in rates],
            "page": page,
            "query": query,
            "may_change": request.user.has_perm(PERMISSION),
        },
    )


@require_safe
@never_cache
@signed_in
def sources_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/sources.csv`: the same search as the list; every source."""
    organisation, now, query = Organisation.get(), timezone.now(), searched(request)
    count = matching(query).count()
    rows = [row_in_words(one, organisation, now) for one in page_of_sources(now, query, count, 0)]
    return csv_response(
        "sources",
        ["source", "name", "last_event", "events_an_hour", "usually_an_hour", "late_in_a_week", "keys", "state"],
        (
            [
                row.source.slug,
                row.name,
                row.source.last_at.isoformat() if row.source.last_at else "",
                f"{row.source.now:.3f}",
                f"{row.source.usual:.3f}",
                row.source.late,
                row.source.keys,
                row.state,
            ]
            for row in rows
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def source(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/settings/sources/<slug>/`: its days, its keys; a POST gives it another name."""
    found = get_object_or_404(Source, slug=slug)
    form = RenameForm(initial={"name": found.name})
    if request.method == "POST":
        form = RenameForm(request.POST)
        answer = rename(request, found, form)
        if answer is not None:
            return answer
    organisation, now = Organisation.get(), timezone.now()
    rates = source_rates(now, slug)
    if not rates:
        raise Http404
    row = row_in_words(rates[0], organisation, now)
    keys = keys_at(now).filter(Q(source=found) | Q(sources=found)).distinct()[:50]
    last_at = rates[0].last_at
    local = organisation.local(last_at) if last_at else None
    return render(
        request,
        "data/source.html",
        {
            "here": "settings",
            "organisation": organisation,
            "row": row,
            "last_words": f"{day_year(local.date())}, {clock(local)}" if local else "Nothing yet",
            "rates": (per_hour(rates[0].now), per_hour(rates[0].usual)),
            "days": days_of(found.pk, organisation, now),
            "keys": [row_of(key, organisation, now) for key in keys],
            "form": form,
            "may_change": request.user.has_perm(PERMISSION),
        },
        status=422 if form.errors else 200,
    )


@changes_sources
def rename(request: HttpRequest, found: Source, form: RenameForm) -> Any:
    """Save the name and go back to the page; None where the form has to be shown again."""
    if not form.is_valid():
        return None
    try:
        saved = rename_source(Actor.of_request(request), found, form.cleaned_data["name"])
    except InvalidSource as error:
        form.add_error("name", str(error))
        return None
    entry = last_rename(found)
    undo_url = reverse("source-undo", args=[found.slug, entry.pk]) if entry and saved.name != found.name else ""
    tell(request, f"The source is called {saved.name} now.", undo_url)
    return go(request, reverse("source", args=[found.slug]))


def last_rename(found: Source) -> AuditEntry | None:
    entries = AuditEntry.objects.filter(object_type=found._meta.label_lower, object_id=str(found.pk), act="renamed")
    return entries.order_by("-pk").first()


@require_POST
@changes_sources
def undo(request: HttpRequest, slug: str, entry: int) -> HttpResponseBase:
    """Give it the name it had before, if it was not renamed again since."""
    found = get_object_or_404(Source, slug=slug)
    told = last_rename(found)
    if told is None or told.pk != entry or not told.before:
        tell_problem(request, "The source was renamed again since, so nothing was undone.")
    else:
        saved = rename_source(Actor.of_request(request), found, told.before["name"], "Undone")
        tell(request, f"The source is called {saved.name} again.")
    return redirect("source", slug)


def days_of(source_id: int, organisation: Organisation, now: datetime) -> list[tuple[str, int, int, int]]:
    """The last two weeks, newest first: day, events, late, counted elsewhere. By quarter hours, on which days begin."""
    zone, today = organisation.zone, day_of(now, organisation.zone)
    first = today - (DAYS - 1) * DAY
    sums: dict[date, list[int]] = {today - timedelta(days=n): [0, 0, 0] for n in range(DAYS)}
    hours = SourceHour.objects.filter(source_id=source_id, hour__gte=day_starts_at(first, zone))
    for hour, *counts in hours.values_list("hour", "events", "late", "elsewhere"):
        day = sums.setdefault(day_of(hour, zone), [0, 0, 0])
        for n, count in enumerate(counts):
            day[n] += count
    return [(weekday(day), *(counts[0], counts[1], counts[2])) for day, counts in sorted(sums.items(), reverse=True)]
