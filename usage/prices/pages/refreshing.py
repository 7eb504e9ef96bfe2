"""The refresh of the book: what the published prices would change, what that touches, and what was decided before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Func, IntegerField
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.models import Organisation
from budgets.organisation.configuration import current_generation
from budgets.pages.answers import tell, tell_problem
from budgets.pages.csv import csv_response
from budgets.pages.door import signed_in
from budgets.pages.moments import moment, place
from usage.models import PriceRefresh
from usage.prices import book as price_book
from usage.prices import refresh
from usage.prices.pages.entries import CHANGE, changes_prices, dates_of, model_url
from usage.prices.pages.words import LABELS, TIERS, dollars, extras, percent
from usage.prices.seed import package
from usage.prices.used import LOOK_BACK, Used, keys_of, used_between

KINDS = {
    "changed": ("Changed", "Another price over the same dates. Calls counted so far keep their cost."),
    "added": ("New", "Models, service tiers or dates that the book does not have yet."),
    "ended": ("Other dates", "The same price, which begins or ends at another time."),
    "unlisted": ("No longer listed", "They stay in force here, since late usage still needs their price."),
}
SHOWN = 100  # of each kind, those in use first; the CSV has all of them
HISTORY = 20


@dataclass(frozen=True)
class Waiting:
    """The preview that waits for a decision, in short."""

    id: int
    package: str
    changes: int


@require_safe
@never_cache
@signed_in
def refreshes(request: HttpRequest) -> HttpResponseBase:
    """`/settings/prices/refresh/`."""
    return _page(request)


@require_POST
@changes_prices
def check(request: HttpRequest) -> HttpResponseBase:
    """Compare with what is published now; quick, since both are at hand."""
    found = refresh.propose(Actor.of_request(request))
    if found is None:
        tell(request, f"The book agrees with {package()}. Nothing would change.")
    else:
        tell(request, "Compared. Look at what would change; nothing has changed yet.")
    return redirect("price-refresh")


@require_POST
@changes_prices
def apply(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Do what the preview shows."""
    try:
        done = refresh.apply(pk, Actor.of_request(request))
    except Problem as problem:
        return _page(request, str(problem.detail or problem.title), problem.status)
    count = len(done.added) + len(done.changed) + len(done.ended)
    tell(request, f"{count} price{' was' if count == 1 else 's were'} brought up to date. Past calls keep their cost.")
    return redirect("price-refresh")


@require_POST
@changes_prices
def discard(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Leave the book as it is."""
    try:
        refresh.discard(pk, Actor.of_request(request))
    except Problem as problem:
        tell_problem(request, str(problem.detail or problem.title))
    else:
        tell(request, "Discarded. The book stays as it is; the next check shows the differences again.")
    return redirect("price-refresh")


@require_safe
@never_cache
@signed_in
def refresh_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/price-refresh.csv`: every difference of the preview that waits; none: only the header."""
    waiting = PriceRefresh.objects.filter(status=PriceRefresh.Status.PREVIEW).first()
    rows = (
        (kind, change.get("before") or {}, change.get("after") or {}, change)
        for kind in KINDS
        for change in (getattr(waiting, kind) if waiting else [])
    )
    return csv_response(
        "price-refresh",
        [
            "change", "provider", "model", "service_tier", "currency", "input_before", "input_after",
            "cached_input_before", "cached_input_after", "output_before", "output_after", "valid_from", "valid_to",
        ],
        (
            [
                kind,
                change["provider"],
                change["model"],
                change["service_tier"],
                "USD",
                *(side.get(name, "") for name in ("input", "cached_input", "output") for side in (before, after)),
                (after or before or change).get("valid_from", ""),
                (after or before or change).get("valid_to") or "",
            ]
            for kind, before, after, change in rows
        ),
    )  # fmt: skip


def waiting_banner() -> Waiting | None:
    """For the banner of other pages. One statement; the lists themselves are not read."""

    def length(name: str) -> Func:
        return Func(F(name), function="jsonb_array_length", output_field=IntegerField())

    found = (
        PriceRefresh.objects.filter(status=PriceRefresh.Status.PREVIEW)
        .annotate(count=length("added") + length("changed") + length("ended"))
        .values_list("pk", "package", "count")
        .first()
    )
    return Waiting(*found) if found else None


def _page(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    organisation, now = Organisation.get(), timezone.now()
    waiting = PriceRefresh.objects.filter(status=PriceRefresh.Status.PREVIEW).first()
    past = PriceRefresh.objects.exclude(status=PriceRefresh.Status.PREVIEW).defer(*KINDS)[:HISTORY]
    local = organisation.local
    return render(
        request,
        "prices/refresh.html",
        {
            "here": "settings",
            "organisation": organisation,
            "zone_words": place(organisation.time_zone),
            "package": package(),
            "waiting": waiting,
            "made": moment(local(waiting.created_at), local(now)) if waiting else "",
            **(_differences(waiting, organisation, now) if waiting else {}),
            "past": [(one, moment(local(one.decided_at or one.created_at), local(now))) for one in past],
            "problem": problem,
            "may_change": request.user.has_perm(CHANGE),
        },
        status=status,
    )


def _differences(waiting: PriceRefresh, organisation: Organisation, now: datetime) -> dict[str, Any]:
    """The preview's tables, and how much of the last 30 days' spend its changes touch."""
    used = used_between(now - LOOK_BACK, now)
    spent = _spent_by_entry(used)
    kinds = []
    touched: set[tuple[str, str, str]] = set()
    for kind, (title, note) in KINDS.items():
        changes = getattr(waiting, kind)
        keys = [_key(one) for one in changes]
        if kind != "unlisted":
            touched.update(key for key in keys if key in spent)
        ranked = sorted(zip(changes, keys, strict=True), key=lambda pair: (-_sum(spent, [pair[1]]), pair[1]))
        rows = [_row(one, _sum(spent, [key]), organisation) for one, key in ranked[:SHOWN]]
        if changes:
            kinds.append({"key": kind, "title": title, "note": note, "rows": rows, "count": len(changes)})
    total = sum(one.cost for one in used)
    share = _sum(spent, touched)
    return {
        "kinds": kinds,
        "changes": len(waiting.added) + len(waiting.changed) + len(waiting.ended),
        "shown": SHOWN,
        "touched": share,
        "touched_words": percent(share, total),
    }


def _key(change: Mapping[str, Any]) -> tuple[str, str, str]:
    return change["provider"].casefold(), change["model"].casefold(), change["service_tier"]


def _spent_by_entry(used: list[Used]) -> dict[tuple[str, str, str], frozenset[Used]]:
    """Entry of the book → what was used that it may price. A use is under each name it may be priced by."""
    prices = price_book.current(current_generation())
    keys = keys_of({(one.provider, one.model) for one in used}, prices)
    found: dict[tuple[str, str, str], set[Used]] = {}
    for one in used:
        for provider, model in keys[one.provider, one.model]:
            found.setdefault((provider, model, one.service_tier), set()).add(one)
    return {key: frozenset(uses) for key, uses in found.items()}


def _sum(spent: Mapping[tuple[str, str, str], frozenset[Used]], keys: Any) -> int:
    """What was spent under any of these, each use once; nano-dollars."""
    uses: set[Used] = set()
    for key in keys:
        uses |= spent.get(key, frozenset())
    return sum(one.cost for one in uses)


def _row(change: Mapping[str, Any], spent: int, organisation: Organisation) -> dict[str, Any]:
    before, after = change.get("before") or {}, change.get("after") or {}
    return {
        "provider": change["provider"],
        "model": change["model"],
        "url": model_url(change["provider"], change["model"]),
        "tier": TIERS.get(change["service_tier"], change["service_tier"]),
        "differences": _compared(before, after),
        "dates": _dates(after or before or change, organisation),
        "dates_before": _dates(before, organisation) if before and after and _when(before) != _when(after) else "",
        "gone": bool(before) and not after,
        "spent": spent,
    }


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(what, before, after) of each price that differs; of a new entry all its prices."""
    found = [
        (label, dollars(before.get(name)), dollars(after.get(name)))
        for name, label in LABELS.items()
        if before.get(name) != after.get(name)
    ]
    old, new = extras(before), extras(after)
    found += [("", one, "") for one in old if one not in new]
    found += [("", "", one) for one in new if one not in old]
    return found


def _when(facts: Mapping[str, Any]) -> tuple[Any, Any]:
    return facts.get("valid_from"), facts.get("valid_to")


def _dates(facts: Mapping[str, Any], organisation: Organisation) -> str:
    starts, ends = (datetime.fromisoformat(one) if one else None for one in _when(facts))
    if starts is None:
        return ""
    first, last = dates_of(starts, ends, organisation)
    return f"from {first or 'the beginning'}{f' to {last}' if last else ''}"
