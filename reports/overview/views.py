"""The Overview: page, live refresh, chart data, CSV. Views decode, authorise, call once, render."""

from typing import Any
from zlib import crc32

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.roles import VIEW, reach
from budgets.models import Organisation
from budgets.pages.amounts import per_unit, whole
from budgets.pages.csv import csv_response, currency_code
from budgets.pages.door import in_reach, may_change_budgets, signed_in
from budgets.pages.moments import ago, day, moment, place, span_year
from budgets.pages.standings import same_end
from reports.asking.window import PERIODS, WINDOW_KEYS, Window, unknown, window_of
from reports.overview import answers, figures
from reports.overview.drawing import chart
from reports.overview.saying import say
from reports.overview.spend import Ahead
from usage.prices.known import known_cost, priced
from usage.prices.showing import cost_in_file, cost_words

KNOWN = WINDOW_KEYS | {"chart", "v", "shape"}  # `v` and `shape` belong to the live refresh


@require_safe
@never_cache
@in_reach
def overview(request: HttpRequest) -> HttpResponseBase:
    """`/`: the whole page. It is about the whole company: whose role is for a team begins at their budgets."""
    if not reach(request.user, VIEW).everything:
        return redirect("budgets")
    return render(request, "overview/page.html", _context(request))


@require_safe
@never_cache
@signed_in
def live(request: HttpRequest) -> HttpResponseBase:
    """The moving parts of the page: 204 while nothing changed, the whole main area where the chart must change too."""
    organisation = Organisation.get()
    if request.GET.get("v") == figures.change_mark(organisation, timezone.now()):
        return HttpResponse(status=204)
    context = _context(request)
    if context["is_empty"]:
        return HttpResponse(status=204)
    if request.GET.get("shape") == context["shape"]:
        return render(request, "overview/live.html", context | {"oob": True})
    answer = render(request, "overview/page.html", context)
    answer["HX-Retarget"], answer["HX-Reselect"], answer["HX-Reswap"] = "#main", "#main", "outerHTML show:none"
    return answer


@require_safe
@never_cache
@signed_in
def card(request: HttpRequest) -> HttpResponseBase:
    """`/overview/answers/`: what is asked after the figures, as a card of its own: it reads more than the page may."""
    organisation, now = Organisation.get(), timezone.now()
    window = window_of(request.GET.dict(), now, organisation.zone, organisation.fiscal_year_starts)
    return render(
        request,
        "overview/answers.html",
        {
            "window": window,
            "worth": answers.worth(window),
            "blown": answers.blown(organisation, now),
            "saving": answers.saving(request.user),
        },
    )


@require_safe
@never_cache
@signed_in
def series(request: HttpRequest) -> HttpResponseBase:
    """`/series/spend-by-model.json`: what the chart draws."""
    organisation, now = Organisation.get(), timezone.now()
    window = window_of(request.GET.dict(), now, organisation.zone, organisation.fiscal_year_starts)
    return JsonResponse(_chart(organisation, figures.overview(organisation, window, now)))


@require_safe
@never_cache
@signed_in
def spend_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/spend-by-model.csv`: one row per day and model, same filters and totals as the page."""
    organisation, now = Organisation.get(), timezone.now()
    window = window_of(request.GET.dict(), now, organisation.zone, organisation.fiscal_year_starts)
    rows = sorted(figures.day_tiers(window), key=lambda row: (row.day, row.model, row.tier))
    return csv_response(
        f"spend-by-model-{window.first}-{window.last}",
        [
            "day",
            "complete",
            "model",
            "tier",
            "cost",
            "currency",
            "calls",
            "calls_without_price",
            "calls_without_tokens",
        ],
        (
            [
                row.day.isoformat(),
                "no" if row.day == window.today else "yes",
                row.model,
                row.tier or "",
                cost_in_file(row),
                currency_code(),
                row.calls,
                row.unpriced,
                row.unmeasured,
            ]
            for row in rows
        ),
    )


def _context(request: HttpRequest) -> dict[str, Any]:
    organisation, now = Organisation.get(), timezone.now()
    query = request.GET.dict()
    window = window_of(query, now, organisation.zone, organisation.fiscal_year_starts)
    found = figures.overview(organisation, window, now)
    spend, fresh = found.spend, found.freshness
    saying = say(window, known_cost(spend.used), found.landing, found.crowd, found.how.lower())
    names = ",".join(one.name for one in spend.series)
    shape_mark = f"{window.today}.{crc32(names.encode())}"
    local = organisation.local
    return {
        "here": "overview",
        "organisation": organisation,
        "window": window,
        "periods": [(key, text, _days_of(key, window, organisation)) for key, text in PERIODS.items()],
        "ignored": " ".join(filter(None, (window.note, unknown(query, KNOWN)))),
        "found": found,
        "spend": spend,
        "say": saying,
        "tiles": _tiles(window, found),
        "chart": _chart(organisation, found),
        "chart_words": chart_words(window, found),
        "mode": "total" if query.get("chart") == "total" else "daily",
        "days_words": span_year(window.first, window.last),
        "zone_words": place(organisation.time_zone),
        "same_end": same_end(found.crowd.shown),
        "updated": ago(now - fresh.folded_at) if fresh.folded_at else "",
        "quiet_since": moment(local(fresh.arrived_at), local(now)) if fresh.arrived_at and fresh.is_quiet(now) else "",
        "behind": fresh.waiting if fresh.is_behind(now) else 0,
        "may_change": may_change_budgets(request),
        "is_empty": fresh.arrived_at is None and not spend.calls,
        "shape": shape_mark,
        "live_url": f"{reverse('overview-live')}?{window.link}&shape={shape_mark}"
        f"&v={figures.change_mark(organisation, now)}",
    }


def _days_of(key: str, window: Window, organisation: Organisation) -> str:
    now = timezone.now()
    return window_of({"period": key}, now, organisation.zone, organisation.fiscal_year_starts).days_words


def _chart(organisation: Organisation, found: figures.Overview) -> dict[str, Any]:
    return chart(
        found.spend,
        currency=currency_code(),
        before=found.before,
        landing=found.landing,
        plan=found.plan.limit if found.plan else None,
        how=found.how,
        forecast=found.ahead,
        flags=found.flags,
    )


def _tiles(window: Window, found: figures.Overview) -> dict[str, Any]:
    """The numbers of the tiles that are not simply a figure: changes, shares, the likely range as a bar."""
    spend, assets = found.spend, found.assets
    complete = sum(spend.by_day[: window.complete_days]) if window.complete_days > 0 and spend.series else 0
    before = sum(found.before)
    change = round((complete - before) * 100 / before) if before and window.complete_days > 0 else None
    tiered = spend.tiered_calls and spend.total > 0
    return {
        "change": None if change is None else abs(change),
        "more": (change or 0) >= 0,
        "excess": found.landing - found.plan.limit if found.plan and found.landing is not None else None,
        "unknown": cost_words(spend.used).capitalize() if known_cost(spend.used) is None else "",
        "per_call": per_unit(spend.total, priced(spend.used)) if spend.total else "",
        "premium": round(spend.premium_cost * 100 / spend.total) if tiered else None,
        "premium_calls": round(spend.premium_calls * 100 / spend.calls) if tiered and spend.calls > 0 else None,
        "likely": range_bar(found.ahead, found.plan.limit if found.plan else None) if found.ahead else None,
        "asset": per_unit(round(assets.cost), 1) if assets.cost is not None else "",
        "asset_change": None if assets.change is None else abs(assets.change),
        "asset_more": (assets.change or 0) >= 0,
    }


def range_bar(ahead: Ahead, plan: int | None) -> dict[str, str]:
    """The likely range and the plan as lengths of a bar that has room around both, and how it stands."""
    marks = [ahead.low, ahead.high, *([plan] if plan is not None else [])]
    room = max(max(marks) - min(marks), 1) // 4 + 1
    first, length = min(marks) - room, max(marks) - min(marks) + 2 * room

    def at(value: int) -> str:
        return f"{(value - first) * 1000 // length / 10}%"

    tone = "" if plan is None else "over" if ahead.landing > plan else "watch" if ahead.high > plan else "ok"
    said = f"Likely between {whole(ahead.low)} and {whole(ahead.high)}."
    return {
        "tone": tone,
        "x": at(ahead.low),
        "width": f"{max((ahead.high - ahead.low) * 1000 // length, 10) / 10}%",
        "plan": "" if plan is None else at(plan),
        "words": f"{said} The plan is {whole(plan)}." if plan is not None else said,
    }


def chart_words(window: Window, found: figures.Overview) -> str:
    """The chart as a sentence, for people who do not see it."""
    daily = found.spend.by_day[: max(0, window.complete_days)]
    if not any(daily):
        return "Chart of spend per day and model. No complete day has spend yet."
    peak = max(range(len(daily)), key=lambda i: daily[i])
    return (
        f"Stacked chart of spend per day and model, {window.days_words}. On average {whole(sum(daily) // len(daily))} "
        f"a day, most on {day(found.spend.days[peak])} with {whole(daily[peak])}. "
        "The same numbers are in the table below."
    )
