"""A discount on published prices: what was agreed, the list before and after, confirm, undo."""

from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Organisation
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.moments import place
from usage.models import PriceEntry
from usage.prices.discount import Discount, Line, apply_discount, digest, lines, undo_discount
from usage.prices.entry import decimal_text
from usage.prices.pages.days import DayField
from usage.prices.pages.entries import changes_prices, dates_of, model_url
from usage.prices.pages.seen import seen_models
from usage.prices.pages.words import TIERS, extras, per_million
from usage.prices.seed import PRICE_FIELDS, SEED_ORIGIN

FIELDS_ERRORS = {"valid_from": "first_day", "ends_on": "last_day"}


class DiscountForm(forms.Form):
    """What was agreed with a provider."""

    provider = forms.ChoiceField(label="Provider", error_messages={"required": "Say whose prices are lowered."})
    model = forms.CharField(
        label="Model",
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"list": "models-seen", "autocomplete": "off"}),
        help_text="As the price book names it. Empty: every model of the provider.",
    )
    service_tier = forms.ChoiceField(
        label="Service tier", required=False, choices=[("", "All service tiers"), *TIERS.items()]
    )
    percent = forms.DecimalField(
        label="Percent off the published price",
        min_value=Decimal("0.01"),
        max_value=100,
        max_digits=7,
        decimal_places=4,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value", "max_digits", "max_decimal_places"),
            "Enter a percentage above 0 and at most 100, such as 12.5.",
        ),
    )
    first_day = DayField(label="First day", error_messages={"required": "Say from which day it holds."})
    last_day = DayField(label="Last day", required=False, help_text="Empty: until further notice.")
    reason = forms.CharField(
        label="Reason", required=False, max_length=500, help_text="For instance the contract. Kept in the history."
    )

    def __init__(self, *given: Any, providers: list[str], **options: Any) -> None:
        super().__init__(*given, **options)
        field: Any = self.fields["provider"]
        field.choices = [("", "Choose one"), *((one, one) for one in providers)]

    def asked(self, organisation: Organisation) -> Discount:
        """What was typed, valid as fields."""
        typed, zone = self.cleaned_data, organisation.zone
        last = typed["last_day"]
        return Discount(
            provider=typed["provider"],
            model=typed["model"].strip(),
            service_tier=typed["service_tier"],
            percent=typed["percent"],
            starts=day_starts_at(typed["first_day"], zone),
            ends=day_starts_at(last + DAY, zone) if last else None,
        )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_prices
def discount(request: HttpRequest) -> HttpResponseBase:
    """`/settings/prices/discount/`: first the list before and after, then, with its digest, the act."""
    organisation = Organisation.get()
    providers = list(
        PriceEntry.objects.filter(origin=SEED_ORIGIN, superseded_at=None)
        .order_by("provider")
        .values_list("provider", flat=True)
        .distinct()
    )
    if request.method != "POST":
        form = DiscountForm(
            providers=providers,
            initial={
                "provider": request.GET.get("provider", ""),
                "model": request.GET.get("model", "")[:128],
                "first_day": day_of(timezone.now(), organisation.zone),
            },
        )
        return _page(request, organisation, form)
    form = DiscountForm(request.POST, providers=providers)
    if not form.is_valid():
        return _page(request, organisation, form, status=422)
    try:
        asked = form.asked(organisation)
        found = lines(asked)
        seen = request.POST.get("seen", "")
        if "confirm" not in request.POST:
            return _page(request, organisation, form, found)
        made = apply_discount(Actor.of_request(request), asked, seen, form.cleaned_data["reason"])
    except Problem as problem:
        return _refused(request, organisation, form, problem)
    return _saved(request, asked, made)


@require_POST
@changes_prices
def take_back(request: HttpRequest, first: int, last: int) -> HttpResponseBase:
    """Undo a whole discount."""
    try:
        count = undo_discount(Actor.of_request(request), first, last)
    except Problem as problem:
        tell_problem(request, str(problem.detail or problem.title))
    else:
        tell(request, f"The discount on {count} price{'' if count == 1 else 's'} is taken back.")
    return redirect("prices")


def _saved(request: HttpRequest, asked: Discount, made: list[PriceEntry]) -> HttpResponse:
    undo = reverse("price-discount-undo", args=[made[0].pk, made[-1].pk])
    count = len(made)
    tell(
        request,
        f"{decimal_text(asked.percent)}% off {count} price{'' if count == 1 else 's'} of {asked.provider}."
        " Past calls keep their cost until priced anew.",
        undo,
    )
    one = {(entry.provider, entry.model) for entry in made}
    return go(request, model_url(*one.pop()) if len(one) == 1 else f"{reverse('prices')}?whose=own")


def _refused(request: HttpRequest, organisation: Organisation, form: DiscountForm, problem: Problem) -> HttpResponse:
    errors = problem.extra.get("errors") or {"": problem.detail or problem.title}
    for name, sentence in errors.items():
        field = FIELDS_ERRORS.get(name, name)
        form.add_error(field if field in form.fields else None, sentence)
    return _page(request, organisation, form, status=problem.status)


def _page(
    request: HttpRequest,
    organisation: Organisation,
    form: DiscountForm,
    found: list[Line] | None = None,
    status: int = 200,
) -> HttpResponse:
    rows = [_row(line, organisation) for line in found or []]
    return render(
        request,
        "prices/discount.html",
        {
            "here": "settings",
            "organisation": organisation,
            "zone_words": place(organisation.time_zone),
            "form": form,
            "models": seen_models(),
            "rows": rows,
            "lowered": sum(not row["kept"] for row in rows),
            "seen": digest(found) if found else "",
            "typed": {name: form.data.get(name, "") for name in form.fields} if found else {},
        },
        status=status,
    )


def _row(line: Line, organisation: Organisation) -> dict[str, Any]:
    before = {name: getattr(line.published, name) for name in PRICE_FIELDS}
    first, last = dates_of(line.values["valid_from"], line.values["valid_to"], organisation)
    old, new = dict(per_million(before)), dict(per_million(line.values))
    was, then = extras(before), extras(line.values)
    return {
        "model": line.published.model,
        "url": model_url(line.published.provider, line.published.model),
        "tier": TIERS.get(line.published.service_tier, line.published.service_tier),
        "prices": [(label, old[label], new[label]) for label in old],
        "extras": list(zip(was, then, strict=True)),
        "dates": f"from {first or 'the beginning'}{f' to {last}' if last else ''}",
        "kept": line.kept,
    }
