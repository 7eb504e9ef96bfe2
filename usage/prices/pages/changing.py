"""Setting a price here, replacing it, ending it, and taking that back."""

from datetime import date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Organisation
from budgets.pages.amounts import cents, per_unit
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.moments import day_year, place, span_year
from usage.models import PriceEntry
from usage.prices import overrides
from usage.prices.entry import decimal_text
from usage.prices.meaning import PriceMeaning, Span, meaning_of_price
from usage.prices.pages.entries import changes_prices, dates_of, model_url
from usage.prices.pages.form import UNITS, PriceForm
from usage.prices.pages.seen import seen_models
from usage.prices.pages.words import TIERS, in_short
from usage.prices.seed import PRICE_FIELDS
from usage.prices.undo import last_act, undo


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_prices
def new(request: HttpRequest) -> HttpResponseBase:
    """`/settings/prices/new/`; the query may name provider, model, tier and first day."""
    organisation = Organisation.get()
    if request.method != "POST":
        return _form(request, PriceForm(organisation, initial=_prefilled(request, organisation)))
    form = PriceForm(organisation, request.POST)
    values = form.values()
    if values is None or "look" in request.POST:
        return _form(request, form, values)
    try:
        made = overrides.create_override(Actor.of_request(request), values, form.reason)
    except Problem as problem:
        return _refused(request, form, problem)
    return _saved(request, made, organisation)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_prices
def edit(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/prices/<id>/edit/`: another price in place of one that was set here."""
    entry, organisation = _own(pk), Organisation.get()
    if request.method != "POST":
        as_it_is = {name: getattr(entry, name) for name in ("provider", "model", "service_tier", *PRICE_FIELDS)}
        return _form(request, PriceForm(organisation, edited=entry), as_it_is)
    form = PriceForm(organisation, request.POST, edited=entry)
    values = form.values()
    if values is None or "look" in request.POST:
        return _form(request, form, values)
    try:
        made = overrides.replace_override(Actor.of_request(request), pk, values, form.reason)
    except Problem as problem:
        return _refused(request, form, problem)
    return _saved(request, made, organisation)


@require_POST
@changes_prices
def meaning(request: HttpRequest) -> HttpResponseBase:
    """`/settings/prices/meaning/`: what the price that is being typed would have meant. Fetched into the side panel."""
    organisation = Organisation.get()
    values = PriceForm(organisation, request.POST).values()
    return render(request, "prices/meaning.html", _meaning(values, organisation) if values else {})


@require_POST
@changes_prices
def end(request: HttpRequest, pk: int) -> HttpResponseBase:
    """End a price set here, now or after a last day; the toast offers to undo it."""
    entry, organisation = _own(pk), Organisation.get()
    back = model_url(entry.provider, entry.model)
    text = request.POST.get("last_day", "").strip()
    try:
        last = date.fromisoformat(text) if text else None
        at = day_starts_at(last + DAY, organisation.zone) if last else None
        overrides.end_override(Actor.of_request(request), pk, at, request.POST.get("reason", "").strip()[:500])
    except (ValueError, OverflowError):
        tell_problem(request, "Choose the last day from the calendar, or leave it empty. Nothing was changed.")
    except Problem as problem:
        tell_problem(request, str(problem.detail or problem.title))
    else:
        when = f"after {day_year(last)}" if last else "now"
        act = last_act(pk)
        tell(
            request,
            f"The price of {entry.model} ends {when}. Then the published one holds, or none.",
            _undo_url(act.pk) if act else "",
        )
    return redirect(back)


@require_POST
@changes_prices
def take_back(request: HttpRequest, told: int) -> HttpResponseBase:
    """Undo what that row of history tells of, if nothing happened since."""
    try:
        entry = undo(Actor.of_request(request), told)
    except Problem as problem:
        tell_problem(request, str(problem.detail or problem.title))
        return redirect("prices")
    tell(request, f"The price of {entry.model} is as it was before. Calls counted meanwhile keep their cost.")
    return redirect(model_url(entry.provider, entry.model))


def _own(pk: int) -> PriceEntry:
    entry = PriceEntry.objects.filter(pk=pk, origin=PriceEntry.Origin.OVERRIDE).first()
    if entry is None:
        raise Http404
    return entry


def _undo_url(told: int) -> str:
    return reverse("price-undo", args=[told])


def _prefilled(request: HttpRequest, organisation: Organisation) -> dict[str, Any]:
    asked = {
        name: request.GET.get(name, "").replace("\x00", "")[:128] for name in ("provider", "model", "tier", "from")
    }
    try:
        first = date.fromisoformat(asked["from"])
    except ValueError:
        first = day_of(timezone.now(), organisation.zone)
    return {
        "provider": asked["provider"],
        "model": asked["model"],
        "service_tier": asked["tier"] if asked["tier"] in TIERS else "standard",
        "first_day": first,
    }


def _saved(request: HttpRequest, made: PriceEntry, organisation: Organisation) -> HttpResponse:
    act = last_act(made.pk)
    first, last = dates_of(made.valid_from, made.valid_to, organisation)
    when = f"from {first or 'the beginning'}{f' to {last}' if last else ''}"
    values = {name: getattr(made, name) for name in PRICE_FIELDS}
    tell(
        request,
        f"Price saved. {made.model} costs {in_short(values)}, {when}. Past calls keep their cost until priced anew.",
        _undo_url(act.pk) if act else "",
    )
    return go(request, model_url(made.provider, made.model))


def _refused(request: HttpRequest, form: PriceForm, problem: Problem) -> HttpResponse:
    """What the book does not allow, at its field; 409 when somebody was faster."""
    errors = problem.extra.get("errors")
    form.refuse({name: str(said) for name, said in errors.items()} if errors else {"": problem.detail or problem.title})
    return _form(request, form, status=problem.status)


def _form(
    request: HttpRequest, form: PriceForm, values: dict[str, Any] | None = None, status: int | None = None
) -> HttpResponse:
    organisation = form.organisation
    seen = seen_models()
    return render(
        request,
        "prices/form.html",
        {
            "here": "settings",
            "organisation": organisation,
            "zone_words": place(organisation.time_zone),
            "form": form,
            "edited": form.edited,
            "back": model_url(form.edited.provider, form.edited.model) if form.edited else "",
            "models": seen,
            "providers": sorted({provider for provider, _ in seen if provider}),
            "units_known": UNITS,
            **(_meaning(values, organisation) if values else {}),
        },
        status=status or (422 if form.main.is_bound and values is None else 200),
    )


def _meaning(values: dict[str, Any], organisation: Organisation) -> dict[str, Any]:
    now = timezone.now()
    found: PriceMeaning = meaning_of_price(values, organisation, now)
    local = organisation.local
    return {
        "meaning": found,
        "short": in_short(values),
        "typical": _typical(found.lately),
        "month": _amounts(found.month),
        "month_days": span_year(day_of(found.month_starts, organisation.zone), local(now).date()),
        "model": values["model"],
        "input_text": decimal_text(values["input"]),
    }


def _typical(span: Span) -> dict[str, str]:
    """One call of average size, before and after."""
    return {
        "after": per_unit(span.after, span.calls) if span.after is not None else "",
        "before": per_unit(span.before, span.priced) if span.has_before else "",
    }


def _amounts(span: Span) -> dict[str, str]:
    return {
        "after": cents(span.after) if span.after is not None else "",
        "before": cents(span.before) if span.has_before else "",
    }
