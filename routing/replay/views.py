"""`/routing/drafts/<id>/preview/`: choose past calls, watch them being decided, see what would have become of them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.limits.calendar import day_of
from budgets.models import Organisation, Workflow
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes, signed_in
from budgets.pages.moments import moment, place, span_year
from budgets.people.names import shown_name
from routing.models import PolicyReplay, PolicyVersion
from routing.replay import showing, words
from routing.replay.begin import begin
from routing.replay.claim import OPEN
from routing.replay.forms import PreviewForm, last_month, offered
from routing.replay.result import Result, read
from routing.replay.take import KEPT, cancel

CHANGE = "routing.change_policy"
changes_policy = changes(CHANGE, "the policy")
PER_PAGE = 50
State = PolicyReplay.State


@dataclass(frozen=True, slots=True)
class Earlier:
    """A replay in the list of them."""

    replay: PolicyReplay
    days: str
    who: str
    when: str


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def preview(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The form, and the newest replay of the draft."""
    if request.method == "POST":
        return ask(request, pk=pk)
    version = version_of(pk)
    first, last = last_month(day_of(timezone.now(), Organisation.get().zone))
    return _page(request, version, PreviewForm(initial={"first_day": first, "last_day": last}))


@changes_policy
def ask(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Have it tried, in the background."""
    version = version_of(pk)
    form = PreviewForm(request.POST)
    if not form.is_valid():
        return _page(request, version, form, status=422)
    starts_at, ends_at = form.window(Organisation.get())
    try:
        replay, _ = begin(Actor.of_request(request), pk, starts_at, ends_at, form.cleaned_data["workflow"])
    except Problem as problem:
        form.add_error(None, " ".join(problem.extra.get("errors", {}).values()) or problem.detail)
        return _page(request, version, form, status=422)
    return go(request, reverse("policy-replay", args=[pk, replay.pk]))


@require_safe
@never_cache
@signed_in
def one(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """One replay with its figures."""
    replay = replay_of(version_pk, pk)
    told = {"how": words.HOW, "left_out": words.NOT_REPLAYED}
    return render(request, "routing/preview_one.html", {**shown(request, replay), **_earlier(replay.version), **told})


@require_safe
@never_cache
@signed_in
def progress(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """The moving part of the page; it asks for itself again until the replay has ended."""
    return render(request, "routing/preview_body.html", shown(request, replay_of(version_pk, pk)))


@require_POST
@changes_policy
def call_off(request: HttpRequest, version_pk: int, pk: int) -> HttpResponseBase:
    """Stop it."""
    replay_of(version_pk, pk)
    try:
        cancel(Actor.of_request(request), pk)
    except Problem as problem:
        tell_problem(request, str(problem.detail or problem.title))
    else:
        tell(request, "Called off. The draft is as it was.")
    return redirect("policy-replay", version_pk, pk)


def version_of(pk: int) -> PolicyVersion:
    """404 where there is no such version."""
    return get_object_or_404(PolicyVersion.objects.defer("document"), pk=pk)


def replay_of(version_pk: int, pk: int) -> PolicyReplay:
    """One of that version; else 404."""
    rows = PolicyReplay.objects.select_related("version", "asked_by").defer("version__document")
    return get_object_or_404(rows, pk=pk, version_id=version_pk)


def done_replay(version_pk: int, pk: int) -> tuple[PolicyReplay, Result]:
    """One that has figures; else 404."""
    replay = replay_of(version_pk, pk)
    if replay.result is None:
        raise Http404("This preview has no figures.")
    return replay, read(replay.result)


def _page(request: HttpRequest, version: PolicyVersion, form: PreviewForm, status: int = 200) -> HttpResponse:
    found = version.replays.select_related("version", "asked_by").defer("version__document").first()
    context = shown(request, found) if found else {"may_change": request.user.has_perm(CHANGE), "replay": None}
    organisation = Organisation.get()
    values = {
        **context,
        **_earlier(version),
        "here": "policy",
        "version": version,
        "form": form,
        "workflows": offered(),
        "zone_words": place(organisation.time_zone),
        "how": words.HOW,
        "left_out": words.NOT_REPLAYED,
        "discarded": version.state == PolicyVersion.State.DISCARDED,
    }
    return render(request, "routing/preview.html", values, status=status)


def _earlier(version: PolicyVersion) -> dict[str, Any]:
    organisation, now = Organisation.get(), timezone.now()
    rows = version.replays.select_related("asked_by").defer("result")[:KEPT]
    local = organisation.local
    return {
        "earlier": [
            Earlier(
                row,
                days_of(row, organisation),
                shown_name(row.asked_by) if row.asked_by else "",
                moment(local(row.created_at), local(now)),
            )
            for row in rows
        ]
    }


def days_of(replay: PolicyReplay, organisation: Organisation) -> str:
    """Its days in words."""
    first = day_of(replay.starts_at, organisation.zone)
    return span_year(first, max(first, day_of(replay.ends_at - timedelta(microseconds=1), organisation.zone)))


def tried(version: PolicyVersion) -> str:
    """What the column of the policy that is tried is called."""
    return "This version" if version.number else words.SIDES["draft"]


def shown(request: HttpRequest, replay: PolicyReplay) -> dict[str, Any]:
    """What the page's body shows of a replay, however far it is."""
    organisation = Organisation.get()
    whole, days = replay.taken or 0, days_of(replay, organisation)
    context: dict[str, Any] = {
        "here": "policy",
        "replay": replay,
        "version": replay.version,
        "days": days,
        "zone_words": place(organisation.time_zone),
        "moves": replay.state in OPEN,
        "tried": tried(replay.version),
        "whole": max(whole, replay.done),
        "fill": f"{min(100, replay.done * 100 // max(whole, 1))}%",
        "changed_since": replay.edit_version != replay.version.edit_version,
        "may_change": request.user.has_perm(CHANGE),
        "workflow_name": replay.workflow
        and (Workflow.objects.filter(slug=replay.workflow).values_list("name", flat=True).first() or replay.workflow),
    }
    if replay.state == State.DONE and replay.result is not None:
        context |= figures(request, replay, read(replay.result), days)
    return context


def figures(request: HttpRequest, replay: PolicyReplay, result: Result, days: str) -> dict[str, Any]:
    """The tables."""
    names = dict(Workflow.objects.filter(slug__in=result.workflows).values_list("slug", "name"))
    page = Paginator(showing.by_workflow(result, names), PER_PAGE).get_page(request.GET.get("page"))
    calls = replay.calls or 0
    return {
        "total": result.total,
        "headline": words.headline(result, days, calls, tried(replay.version).lower()),
        "really": words.really(result.total.happened),
        "is_sample": result.total.happened.calls < calls,
        "per_mille": result.share,
        "runs": result.runs,
        "live_number": result.live_number,
        "lines": showing.lines(result),
        "tiers": showing.by_tier(result),
        "reasons": showing.by_reason(result),
        "rules": showing.by_rule(result),
        "page": page,
        "rows": page.object_list,
    }
