"""Reading keys: the list, its CSV, one key with its history."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.key_list import counted, filter_of, keys_at, row_of, when
from budgets.models import ApiKey, AuditEntry, Organisation
from budgets.pages.csv import csv_response
from budgets.pages.door import reads

PER_PAGE = 50
PERMISSION = "budgets.change_apikey"
sees_keys = reads(PERMISSION, "keys")


@require_safe
@never_cache
@sees_keys
def key_list(request: HttpRequest) -> HttpResponseBase:
    """`/settings/keys/`: every key, the newest first."""
    organisation, now = Organisation.get(), timezone.now()
    found = filter_of(request.GET.dict())
    filters = counted(found, now)
    page = Paginator(found.fits(keys_at(now)), PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "keys/list.html",
        {
            "here": "settings",
            "organisation": organisation,
            "rows": [row_of(key, organisation, now) for key in page.object_list],
            "page": page,
            "filters": filters,
            "found": found,
            "is_empty": not found.query and not filters[0][2],
            "may_change": request.user.has_perm(PERMISSION),
        },
    )


@require_safe
@never_cache
@sees_keys
def keys_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/keys.csv`: the same filter as the list; every key, never its text."""
    organisation, now = Organisation.get(), timezone.now()
    rows = (row_of(key, organisation, now) for key in filter_of(request.GET.dict()).fits(keys_at(now)))

    def moment(value: Any) -> str:
        return value.isoformat() if value else ""

    return csv_response(
        "keys",
        [
            "name",
            "prefix",
            "may",
            "source",
            "also_for",
            "only_for_teams",
            "created",
            "created_by",
            "expires",
            "last_used",
            "state",
        ],
        (
            [
                row.key.name,
                row.key.prefix,
                " ".join(row.key.scopes),
                row.key.source.slug,
                " ".join(row.also),
                " ".join(sorted(team.slug for team in row.key.teams.all())),
                moment(row.key.created_at),
                row.key.created_by.get_username() if row.key.created_by else "",
                moment(row.key.expires_at),
                moment(row.key.last_used_at),
                row.state,
            ]
            for row in rows
        ),
    )


@require_safe
@never_cache
@sees_keys
def key(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/keys/<id>/`: what it may do, what replaced it, who changed it."""
    organisation, now = Organisation.get(), timezone.now()
    found = get_object_or_404(keys_at(now).select_related("source", "created_by", "replaces"), pk=pk)
    entries = AuditEntry.objects.filter(object_type=ApiKey._meta.label_lower, object_id=str(pk))[:50]
    return render(
        request,
        "keys/detail.html",
        {
            "here": "settings",
            "organisation": organisation,
            "row": row_of(found, organisation, now),
            "newer": found.replaced_by.first(),
            "history": [(entry, when(entry.at, organisation), changes_of(entry)) for entry in entries],
            "may_change": request.user.has_perm(PERMISSION),
        },
    )


def changes_of(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """What a row of history changed: field, before, after; nothing for a new key."""
    before, after = entry.before or {}, entry.after or {}
    if entry.before is None:
        return []
    names = [name for name in after if before.get(name) != after[name]]
    return [(name.replace("_", " "), said(before.get(name)), said(after[name])) for name in names]


def said(value: Any) -> str:
    """A value of history in words."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
