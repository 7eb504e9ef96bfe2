"""One refused event: its body to correct, why it was refused, what would happen now; send it again, set it aside."""

from typing import Any

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.audit.record import Actor
from budgets.models import AuditEntry, Organisation, Source
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import signed_in
from budgets.pages.moments import clock, day_year
from usage.ingest import mend
from usage.ingest.allowed import allowed, line_of
from usage.ingest.quarantine import MAX_BODY
from usage.ingest.quarantine_views import PERMISSION, changes_refused
from usage.ingest.reasons import reason_words
from usage.ingest.rehearse import Verdict, rehearse
from usage.models import QuarantinedItem

ACTS = {
    "corrected": "corrected it",
    "set aside": "set it aside",
    "reopened": "took it back",
    "sent again": "sent it again",
}
HTTP_CONFLICT, HTTP_UNPROCESSABLE = 409, 422


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def item(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/data/quarantine/<id>/`: a POST with `act` checks the body, or keeps it and sends it."""
    found = get_object_or_404(QuarantinedItem, pk=pk)
    if request.method == "POST":
        return act(request, found)
    return page(request, found, mend.pretty(found.to_send))


@changes_refused
def act(request: HttpRequest, found: QuarantinedItem) -> HttpResponse:
    """Check or send what was typed; 422 with a sentence where it is no JSON or is refused again."""
    text = request.POST.get("body", "").replace("\r\n", "\n")
    try:
        mend.check_json(text)
        if request.POST.get("act") == "check":
            return page(request, found, text, verdicts=rehearse(found, text, timezone.now()))
        mended = mend.mend(Actor.of_request(request), found, text, request.POST.get("seen", ""))
    except mend.BadBody as error:
        return page(request, found, text, error=str(error), status=HTTP_UNPROCESSABLE)
    except mend.Meanwhile as error:
        found.refresh_from_db()
        return page(request, found, mend.pretty(found.to_send), error=str(error), status=HTTP_CONFLICT)
    except DatabaseError:
        problem = "The ledger cannot be written now. Nothing was sent; try again shortly."
        return page(request, found, text, error=problem, status=503)
    if mended.sent.taken:
        tell(request, mended.sent.said)
        return go(request, reverse("quarantine-item", args=[found.pk]))
    said = mended.sent.said
    return page(request, mended.item, text, error=said, status=HTTP_UNPROCESSABLE)


@require_POST
@changes_refused
def discard(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Set it aside; the toast offers to take that back."""
    found = get_object_or_404(QuarantinedItem, pk=pk)
    if mend.discard(Actor.of_request(request), found, request.POST.get("reason", "").strip()):
        undo_url = reverse("quarantine-restore", args=[pk])
        tell(request, f"{name_of(found)} is set aside. It counts nowhere, and its body is kept.", undo_url)
        return redirect("quarantine")
    tell_problem(request, f"{name_of(found)} is not among what is to be mended; nothing was changed.")
    return redirect("quarantine-item", pk)


@require_POST
@changes_refused
def restore(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Take setting aside back."""
    found = get_object_or_404(QuarantinedItem, pk=pk)
    if mend.restore(Actor.of_request(request), found):
        tell(request, f"{name_of(found)} is to be mended again.")
    else:
        tell_problem(request, f"{name_of(found)} was not set aside; nothing was changed.")
    return redirect("quarantine-item", pk)


def name_of(found: QuarantinedItem) -> str:
    return found.event_id or "The event"


def page(
    request: HttpRequest,
    found: QuarantinedItem,
    text: str,
    *,
    error: str = "",
    verdicts: list[Verdict] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The item with `text` in its editor."""
    organisation = Organisation.get()
    field = str(found.problem.get("field", ""))
    number, line = line_of(text, field)
    user: Any = request.user
    local = organisation.local(found.received_at)
    context = {
        "here": "data-health",
        "organisation": organisation,
        "item": found,
        "name": name_of(found),
        "text": text,
        "rows": min(40, max(10, text.count("\n") + 2)),
        "seen": mend.seen(found),
        "source": Source.objects.filter(pk=found.source_id).first(),
        "reason": reason_words(found.code),
        "why": found.problem.get("detail") or found.problem.get("title", ""),
        "field": field,
        "allowed": allowed(field) if field else "",
        "line": line,
        "line_number": number,
        "received": f"{day_year(local.date())}, {clock(local)}",
        "original": mend.pretty(found.body) if found.corrected else "",
        "is_cut": len(found.body) >= MAX_BODY,
        "error": error,
        "verdicts": verdicts,
        "history": history(found, organisation),
        "may_change": user.has_perm(PERMISSION),
        "is_open": found.status == QuarantinedItem.Status.OPEN,
        "is_done": found.status == QuarantinedItem.Status.REPLAYED,
    }
    return render(request, "data/item.html", context, status=status)


def history(found: QuarantinedItem, organisation: Organisation) -> list[tuple[str, str, str, str]]:
    """Who did what with it, and when: the newest first."""
    entries = AuditEntry.objects.filter(object_type=found._meta.label_lower, object_id=str(found.pk))
    rows = []
    for entry in entries.order_by("-at", "-pk")[:20]:
        local = organisation.local(entry.at)
        did = ACTS.get(entry.act, f"{entry.act} it")
        rows.append((entry.who_text, did, entry.reason, f"{day_year(local.date())}, {clock(local)}"))
    return rows
