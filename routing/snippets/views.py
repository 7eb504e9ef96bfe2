"""Approved texts in the browser: list, one with its versions, what differs, as files."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import fetched, reachable
from budgets.access.roles import VIEW, reach
from budgets.models import Organisation
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from budgets.pages.moments import moment
from budgets.pages.named import team_choices
from budgets.people.names import shown_name
from routing.models import Snippet
from routing.snippets.listing import STATES, asked, found, lines, with_newest
from routing.snippets.reaching import CHANGE
from routing.snippets.versions import differences

PER_PAGE = 50
SHOWN_VERSIONS = 20
HEADER = [
    "id", "name", "kind", "team", "owner", "version", "tokens_estimated", "sha256", "workflows", "calls_30_days",
    "calls_without_price", "caching_saves_at_most", "currency", "written_at", "archived_at",
]  # fmt: skip
VERSION_HEADER = ["version", "characters", "tokens_estimated", "sha256", "note", "written_by", "written_at"]


@require_safe
@never_cache
@in_reach
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/routing/snippets/`: filters `kind`, `state`, `team`, `q`."""
    now, chosen = timezone.now(), asked(request.GET)
    page = Paginator(found(request.user, chosen), PER_PAGE).get_page(request.GET.get("page"))
    reached = reach(request.user, CHANGE)
    rows = lines(page.object_list, reached, request.user, now)
    return render(
        request,
        "snippets/list.html",
        {
            "here": "policy",
            "tab": "snippets",
            "whole": reach(request.user, VIEW).everything,
            "page": page,
            "rows": rows,
            "chosen": chosen,
            "is_any": not any(chosen.values()),
            "nothing_yet": not rows and not reachable(Snippet, request.user).exists(),
            "kinds": Snippet.Kind.choices,
            "states": STATES.items(),
            "teams": team_choices("All teams", request.user),
            "may_make": bool(reached),
        },
    )


@require_safe
@never_cache
@in_reach
def snippets_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/snippets.csv`: the list's filter, every row."""
    chosen, now = asked(request.GET), timezone.now()
    rows = lines(found(request.user, chosen), reach(request.user, CHANGE), request.user, now)

    def line(one: Any) -> list[Any]:
        row = one.snippet
        return [
            row.slug,
            row.name,
            row.kind,
            row.team.slug if row.team else "",
            row.owner.username if row.owner else "",
            one.version,
            one.tokens,
            one.digest,
            ", ".join(one.workflows),
            one.saving.calls,
            one.saving.unpriced,
            exact(one.saving.nano),
            currency_code(),
            one.written_at.isoformat(),
            row.archived_at.isoformat() if row.archived_at else "",
        ]

    return csv_response("approved-texts", HEADER, map(line, rows))


@require_safe
@never_cache
@in_reach
def detail(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/routing/snippets/<slug>/`: the text, where it is used, its versions."""
    row = fetched(with_newest(Snippet.objects.all()), request.user, slug=slug)
    now, organisation = timezone.now(), Organisation.get()
    versions = list(row.versions.select_related("created_by").order_by("-number")[: SHOWN_VERSIONS + 1])
    local = organisation.local
    (line,) = lines([row], reach(request.user, CHANGE), request.user, now)
    return render(
        request,
        "snippets/detail.html",
        {
            "here": "policy",
            "tab": "snippets",
            "whole": reach(request.user, VIEW).everything,
            "row": row,
            "line": line,
            "text": versions[0].text,
            "versions": [
                (one, moment(local(one.created_at), local(now)), shown_name(one.created_by) if one.created_by else "")
                for one in versions[:SHOWN_VERSIONS]
            ],
            "more": len(versions) > SHOWN_VERSIONS,
        },
    )


@require_safe
@never_cache
@in_reach
def version(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """`/routing/snippets/<slug>/versions/<number>/`: its text, and what differs from the one before."""
    row = fetched(Snippet, request.user, slug=slug)
    one = get_object_or_404(row.versions.select_related("created_by"), number=number)
    before = row.versions.filter(number=number - 1).first()
    local = Organisation.get().local
    return render(
        request,
        "snippets/version.html",
        {
            "here": "policy",
            "tab": "snippets",
            "whole": reach(request.user, VIEW).everything,
            "row": row,
            "version": one,
            "when": moment(local(one.created_at), local(timezone.now())),
            "who": shown_name(one.created_by) if one.created_by else "",
            "before": before,
            "differences": differences(before.text, one.text) if before else [],
            "is_newest": not row.versions.filter(number__gt=number).exists(),
        },
    )


@require_safe
@never_cache
@in_reach
def versions_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/export/snippets/<slug>/versions.csv`."""
    row = fetched(Snippet, request.user, slug=slug)
    rows = row.versions.select_related("created_by").order_by("-number")
    return csv_response(
        f"{row.slug}-versions",
        VERSION_HEADER,
        (
            [
                one.number,
                len(one.text),
                one.tokens,
                one.digest,
                one.note,
                one.created_by.username if one.created_by else "",
                one.created_at.isoformat(),
            ]
            for one in rows
        ),
    )
