"""Refused events: the list by reason, its CSV, and sending many again. One item is in `item_views`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.models import Organisation, Source
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response
from budgets.pages.door import changes, signed_in
from budgets.pages.moments import ago, moment
from usage.ingest.reasons import REASONS, reason_words
from usage.ingest.send_many import ask_to_send, progress
from usage.models import QuarantinedItem

PER_PAGE = 50
PERMISSION = "usage.change_quarantineditem"
STATUSES = {
    "open": "To mend",
    "replayed": "Sent again",
    "discarded": "Set aside",
    "all": "All",
}
changes_refused = changes(PERMISSION, "refused events")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which items the address asks for; `note` says what of it was not understood."""

    status: str
    reason: str
    source: Source | None
    query: str
    note: str

    def narrowed(self) -> QuerySet[QuarantinedItem]:
        """By source and search, whatever their state and reason."""
        items = QuarantinedItem.objects.all()
        if self.source is not None:
            items = items.filter(source_id=self.source.pk)
        if self.query:
            items = items.filter(Q(event_id__icontains=self.query))
        return items

    def in_state(self) -> QuerySet[QuarantinedItem]:
        return self.narrowed() if self.status == "all" else self.narrowed().filter(status=self.status)

    def items(self) -> QuerySet[QuarantinedItem]:
        """Those of the list, the newest first."""
        items = self.in_state()
        return (items.filter(code=self.reason) if self.reason else items).order_by("-received_at", "-pk")

    def address(self, **other: str) -> str:
        """The same list, but for what `other` says."""
        values = {
            "status": self.status,
            "reason": self.reason,
            "source": self.source.slug if self.source else "",
            "q": self.query,
        }
        said = {
            name: value for name, value in (values | other).items() if value and (name, value) != ("status", "open")
        }
        return f"?{urlencode(said)}" if said else "?"


def chosen_of(query: Mapping[str, str]) -> Chosen:
    """`status`, `reason`, `source`, `q`; what is unknown is left out, with a note. One statement where a source is."""
    notes = []
    status = query.get("status", "") or "open"
    if status not in STATUSES:
        notes.append(f"“{status[:40]}” is no state that TokenOps knows.")
        status = "open"
    reason = query.get("reason", "")[:64].replace("\x00", "")
    slug = query.get("source", "")[:128].replace("\x00", "")
    source = Source.objects.filter(slug=slug).first() if slug else None
    if slug and source is None:
        notes.append(f"There is no source “{slug[:40]}”; all sources are shown.")
    text = query.get("q", "").strip()[:128].replace("\x00", "")
    return Chosen(status, reason, source, text, " ".join(notes))


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item in words."""

    item: QuarantinedItem
    source: str
    reason: str
    why: str
    when: str


def rows_of(items: list[QuarantinedItem], organisation: Organisation) -> list[ItemRow]:
    """With their sources' names: one statement for any number."""
    slugs = dict(Source.objects.filter(pk__in={item.source_id for item in items}).values_list("pk", "slug"))
    now = organisation.local(timezone.now())
    return [
        ItemRow(
            item=item,
            source=slugs.get(item.source_id, ""),
            reason=reason_words(item.code),
            why=str(item.problem.get("detail") or item.problem.get("title", "")),
            when=moment(organisation.local(item.received_at), now),
        )
        for item in items
    ]


def by_reason(chosen: Chosen) -> list[tuple[str, str, int, int]]:
    """Code, words, how many, how often they were sent; whatever reason is chosen. One statement."""
    groups = chosen.in_state().order_by().values_list("code").annotate(many=Count("pk"), open=Count("pk", OPEN))
    found = sorted(groups, key=lambda group: (-group[1], group[0]))
    return [(code, reason_words(code), many, waiting) for code, many, waiting in found]


OPEN = Q(status=QuarantinedItem.Status.OPEN)


@require_safe
@never_cache
@signed_in
def quarantine(request: HttpRequest) -> HttpResponseBase:
    """`/data/quarantine/`: what was refused, by reason, the newest first."""
    organisation = Organisation.get()
    chosen = chosen_of(request.GET.dict())
    groups = by_reason(chosen)
    counts = dict(chosen.narrowed().order_by().values_list("status").annotate(many=Count("pk")))
    counts["all"] = sum(counts.values())
    page = Paginator(chosen.items(), PER_PAGE).get_page(request.GET.get("page"))
    is_narrowed = bool(chosen.reason or chosen.source or chosen.query)
    return render(
        request,
        "data/quarantine.html",
        {
            "here": "data-health",
            "organisation": organisation,
            "chosen": chosen,
            "statuses": [
                (key, text, counts.get(key, 0), chosen.address(status=key, reason="")) for key, text in STATUSES.items()
            ],
            "groups": [
                (code, words, many, waiting, chosen.address(reason=code)) for code, words, many, waiting in groups
            ],
            "waiting": sum(waiting for code, _, _, waiting in groups if chosen.reason in ("", code)),
            "all_reasons": chosen.address(reason=""),
            "rows": rows_of(list(page.object_list), organisation),
            "page": page,
            "is_empty": not counts["all"] and not is_narrowed,
            "is_narrowed": is_narrowed,
            "csv_query": chosen.address().removeprefix("?"),
            "reason_words": reason_words(chosen.reason) if chosen.reason else "",
            "known_reason": chosen.reason in REASONS or any(code == chosen.reason for code, *_ in groups),
            "may_change": request.user.has_perm(PERMISSION),
            **sending(),
        },
    )


def sending() -> dict[str, Any]:
    """How far the newest request to send many again is, where it is of the last hour."""
    found = progress()
    gap = timezone.now() - found.asked_at if found else None
    recent = found is not None and gap is not None and (found.left > 0 or gap.total_seconds() < 3_600)
    return {"sending": found if recent else None, "asked": ago(gap) if gap else ""}


@require_safe
@never_cache
@signed_in
def sending_live(request: HttpRequest) -> HttpResponseBase:
    """The line that says how far sending many again is; asked for every two seconds while it goes on."""
    return render(request, "data/sending.html", sending() | {"swap": True})


@require_safe
@never_cache
@signed_in
def quarantine_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/quarantine.csv`: the same filters as the list; every item, with its body as it would be sent."""
    chosen = chosen_of(request.GET.dict())
    slugs = dict(Source.objects.values_list("pk", "slug"))
    return csv_response(
        "quarantine",
        ["id", "received", "source", "event_id", "reason", "why", "field", "times", "status", "body"],
        (
            [
                item.pk,
                item.received_at.isoformat(),
                slugs.get(item.source_id, ""),
                item.event_id,
                item.code,
                item.problem.get("detail") or item.problem.get("title", ""),
                item.problem.get("field", ""),
                item.times,
                item.status,
                item.to_send,
            ]
            for item in chosen.items().iterator(chunk_size=500)
        ),
    )


@require_POST
@changes_refused
def send_all(request: HttpRequest) -> HttpResponse:
    """Send all open items of this list again, in the background."""
    chosen = chosen_of(request.POST.dict())
    user: Any = request.user
    asked = ask_to_send(chosen.items(), user)
    if asked:
        tell(
            request, f"{asked:,} refused event{'' if asked == 1 else 's'} will be sent again. This page shows how far."
        )
    else:
        tell_problem(request, "Nothing of this list is still to mend, so nothing was sent.")
    address = chosen.address().removeprefix("?")
    return go(request, reverse("quarantine") + (f"?{address}" if address else ""))
