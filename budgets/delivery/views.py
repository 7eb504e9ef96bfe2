"""Channels and deliveries in the browser: where messages go, and what became of each."""

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.delivery import channels as acts
from budgets.delivery.forms import ChannelForm, first_values
from budgets.delivery.send import send_again
from budgets.delivery.transports import TRANSPORTS
from budgets.models import AuditEntry, Channel, Delivery, Organisation
from budgets.notices.hint import hint_settle
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response
from budgets.pages.door import changes
from budgets.pages.moments import moment

CHANGE = "budgets.change_channel"
may_change = changes(CHANGE, "channels and deliveries")
PER_PAGE = 50
HEADER = [
    "made_at", "kind", "title", "channel", "transport", "address", "state", "attempts", "sent_at", "problem", "id",
]  # fmt: skip


@require_safe
@never_cache
@may_change
def channel_list(request: HttpRequest) -> HttpResponseBase:
    """`/settings/channels/`: each with its last message and its failures of the last week."""
    rows = Channel.objects.filter(archived_at=None).annotate(
        last_sent=Max("deliveries__sent_at"),
        failed=Count("deliveries", filter=Q(deliveries__state=Delivery.State.FAILED)),
        waiting=Count("deliveries", filter=Q(deliveries__state=Delivery.State.QUEUED)),
        told_by=Count("rules", filter=Q(rules__archived_at=None), distinct=True),
    )
    local, now = Organisation.get().local, timezone.now()
    shown = [
        {
            "channel": row,
            "transport": TRANSPORTS[row.transport].words if row.transport in TRANSPORTS else row.transport,
            "last": moment(local(row.last_sent), local(now)) if row.last_sent else "",
        }
        for row in rows
    ]
    return render(
        request, "delivery/channels.html", {"here": "settings", "rows": shown, "transports": TRANSPORTS.values()}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def channel_new(request: HttpRequest) -> HttpResponseBase:
    """`/settings/channels/new/?transport=`: that transport's form; without one, which there are."""
    transport = TRANSPORTS.get(request.GET.get("transport", ""))
    if transport is None:
        return render(request, "delivery/choose.html", {"here": "settings", "transports": TRANSPORTS.values()})
    if request.method != "POST":
        return _form(request, ChannelForm(transport=transport, initial={"digest_at": "09:00"}))
    form = ChannelForm(request.POST, transport=transport)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        channel = acts.create_channel(Actor.of_request(request), form.values)
    except acts.InvalidChannel as error:
        form.refuse(error.problems)
        return _form(request, form, status=422)
    secret = acts.signing_secret(channel)
    if secret:
        return _secret(request, channel, secret)
    tell(request, f"{channel.name} is there. Send a test to see that it arrives.")
    return go(request, reverse("channels"))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def channel_edit(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/channels/<id>/`."""
    channel = get_object_or_404(Channel, pk=pk, archived_at=None, transport__in=list(TRANSPORTS))
    transport = TRANSPORTS[channel.transport]
    if request.method != "POST":
        initial = first_values(channel, transport)
        return _form(request, ChannelForm(transport=transport, channel=channel, initial=initial), channel)
    form = ChannelForm(request.POST, transport=transport, channel=channel)
    if not form.is_valid():
        return _form(request, form, channel, status=422)
    seen = request.POST.get("seen", "")
    try:
        known = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else None
        acts.change_channel(Actor.of_request(request), channel, form.values, seen=known)
    except acts.InvalidChannel as error:
        form.refuse(error.problems)
        return _form(request, form, channel, status=422)
    except acts.RefusedChannel as error:
        form.add_error(None, str(error))
        return _form(request, form, channel, status=409)
    tell(request, f"{form.values.name} is saved.")
    return go(request, reverse("channels"))


@require_POST
@may_change
def channel_test(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A message that says that it is a test; what becomes of it stands under Deliveries."""
    channel = get_object_or_404(Channel, pk=pk, archived_at=None)
    try:
        acts.test(Actor.of_request(request), channel)
    except acts.RefusedChannel as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"A test is on its way to {channel.name}.")
    return go(request, reverse("deliveries") + f"?channel={channel.pk}")


@require_POST
@may_change
def channel_remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Out of every rule; the toast offers to undo it."""
    channel = get_object_or_404(Channel, pk=pk, archived_at=None)
    name = channel.name
    acts.archive(Actor.of_request(request), channel)
    entry = newest_entry(Channel, channel.pk)
    tell(
        request,
        f"{name} is removed. Nothing is sent there any more.",
        reverse("channel-undo", args=[channel.pk, entry.pk]) if entry else "",
    )
    return go(request, reverse("channels"))


@require_POST
@may_change
def channel_undo(request: HttpRequest, pk: int, entry: int) -> HttpResponseBase:
    """Take a removal back."""
    channel = get_object_or_404(Channel, pk=pk)
    row = get_object_or_404(AuditEntry, pk=entry, object_type=Channel._meta.label_lower)
    try:
        restored = acts.undo_archive(Actor.of_request(request), channel, row)
    except acts.RefusedChannel as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{restored.name} is back.")
    return redirect("channels")


@require_POST
@never_cache
@may_change
def channel_secret(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A new secret for a webhook, shown once."""
    channel = get_object_or_404(Channel, pk=pk, archived_at=None, transport="webhook")
    try:
        secret = acts.renew_secret(Actor.of_request(request), channel)
    except acts.RefusedChannel as error:
        tell_problem(request, str(error))
        return redirect("channels")
    return _secret(request, channel, secret)


@require_safe
@never_cache
@may_change
def delivery_list(request: HttpRequest) -> HttpResponseBase:
    """`/settings/deliveries/`: every message, the newest first; filters `state`, `channel`, `q`."""
    rows, chosen = _chosen(request)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    local, now = Organisation.get().local, timezone.now()
    return render(
        request,
        "delivery/list.html",
        {
            "here": "settings",
            "page": page,
            "rows": [_row(row, local, now) for row in page.object_list],
            "chosen": chosen,
            "is_any": not any(chosen.values()),
            "states": Delivery.State.choices,
            "channels": Channel.objects.filter(archived_at=None),
        },
    )


@require_safe
@never_cache
@may_change
def deliveries_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/deliveries.csv`: the list's filter, every row."""
    rows, _ = _chosen(request)
    return csv_response(
        "deliveries",
        HEADER,
        (
            [
                row.created_at.isoformat(),
                row.kind,
                row.payload.get("title", ""),
                row.channel.name if row.channel else "",
                row.transport,
                row.address,
                row.state,
                row.attempts,
                row.sent_at.isoformat() if row.sent_at else "",
                row.problem,
                row.pk,
            ]
            for row in rows.iterator()
        ),
    )


@require_POST
@may_change
def delivery_again(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Have a message that was given up tried anew."""
    delivery = get_object_or_404(Delivery, pk=pk)
    if send_again(delivery, timezone.now()):
        record(Actor.of_request(request), "sent again", delivery, None, None)
        hint_settle()
        tell(request, "It is on its way again.")
    else:
        tell_problem(request, "Nothing was done: it was sent already, or is waiting to be.")
    return go(request, reverse("deliveries"))


def _chosen(request: HttpRequest) -> tuple[QuerySet[Delivery], dict[str, str]]:
    """The deliveries that the query string asks for, and what of it was understood."""
    rows = Delivery.objects.select_related("channel").order_by("-created_at", "-pk")
    state, channel = request.GET.get("state", ""), request.GET.get("channel", "")
    words = request.GET.get("q", "").replace("\0", "").strip()[:100]
    chosen = {
        "state": state if state in Delivery.State.values else "",
        "channel": channel if channel.isascii() and channel.isdecimal() and len(channel) < 19 else "",
        "q": words,
    }
    if chosen["state"]:
        rows = rows.filter(state=state)
    if chosen["channel"]:
        rows = rows.filter(channel=int(channel))
    if words:
        rows = rows.filter(Q(payload__title__icontains=words) | Q(address__icontains=words))
    return rows, chosen


def _row(row: Delivery, local: Any, now: datetime) -> dict[str, Any]:
    when = row.sent_at or row.created_at
    again = row.state == Delivery.State.QUEUED and row.attempts > 0
    return {
        "delivery": row,
        "title": row.payload.get("title", ""),
        "is_test": bool(row.payload.get("test")),
        "where": row.channel.name if row.channel else row.address,
        "when": moment(local(when), local(now)),
        "next": moment(local(row.next_at), local(now)) if again else "",
        "may_send_again": row.state in {Delivery.State.FAILED, Delivery.State.CANCELLED},
    }


def _form(request: HttpRequest, form: ChannelForm, channel: Channel | None = None, status: int = 200) -> HttpResponse:
    context = {"here": "settings", "form": form, "channel": channel, "transport": form.transport}
    return render(request, "delivery/form.html", context, status=status)


def _secret(request: HttpRequest, channel: Channel, secret: str) -> HttpResponse:
    answer = render(request, "delivery/secret.html", {"here": "settings", "channel": channel, "secret": secret})
    answer["Cache-Control"] = "no-store"
    return answer
