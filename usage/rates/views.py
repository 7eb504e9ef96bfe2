"""Currency rates in the browser: what is known, by currency, and changing it."""

from typing import Any

from babel.core import get_global
from babel.numbers import get_currency_name
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.currency.rates import InvalidRate, RefusedRate
from budgets.limits.calendar import day_of
from budgets.models import AuditEntry, CurrencyRate, Organisation
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response
from budgets.pages.door import changes, signed_in
from budgets.pages.moments import day_year
from usage.imports.kinds.rates import KIND
from usage.imports.sheet import Unreadable
from usage.imports.upload import take_file
from usage.rates import change
from usage.rates.forms import PasteForm, RateForm, typed_values

PER_PAGE = 50
CHANGE = "budgets.change_currencyrate"
may_change = changes(CHANGE, "currency rates")


@require_safe
@never_cache
@signed_in
def rate_list(request: HttpRequest) -> HttpResponseBase:
    """`/settings/rates/`: the newest of each currency; with `?currency=EUR` all of that one."""
    organisation = Organisation.get()
    code = _code(request)
    today = day_of(timezone.now(), organisation.zone)
    return _page(request, organisation, RateForm(initial={"currency": code, "day": today}), PasteForm(), code)


def _code(request: HttpRequest) -> str:
    wanted = request.GET.get("currency", "").strip().upper()[:3]
    return wanted if wanted in get_global("all_currencies") else ""


def _page(
    request: HttpRequest,
    organisation: Organisation,
    form: RateForm,
    paste: PasteForm,
    code: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "here": "settings",
        "organisation": organisation,
        "form": form,
        "paste": paste,
        "code": code,
        "code_name": get_currency_name(code, locale="en_US") if code else "",
        "may_change": request.user.has_perm(CHANGE),
        "unknown": bool(request.GET.get("currency")) and not code,
        "currencies": [(one, get_currency_name(one, locale="en_US")) for one in sorted(get_global("all_currencies"))],
    }
    if code:
        context["page"] = Paginator(_rates(code), PER_PAGE).get_page(request.GET.get("page"))
        context["none"] = not context["page"].paginator.count
    else:
        context["newest"] = _newest()
        context["none"] = not context["newest"]
    return render(request, "rates/list.html", context, status=status)


def _rates(code: str) -> QuerySet[CurrencyRate]:
    return CurrencyRate.objects.filter(currency=code).order_by("-day") if code else CurrencyRate.objects.all()


def _newest() -> list[dict[str, Any]]:
    """The newest rate of each currency with how many there are. Two statements."""
    counts = dict(CurrencyRate.objects.order_by().values_list("currency").annotate(n=Count("pk")))
    rows = CurrencyRate.objects.order_by("currency", "-day").distinct("currency")
    return [
        {"row": row, "name": get_currency_name(row.currency, locale="en_US"), "count": counts.get(row.currency, 1)}
        for row in rows
    ]


@require_safe
@never_cache
@signed_in
def rates_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/rates.csv`: every rate, of one currency where the page shows one; can be imported again."""
    return csv_response(
        "currency-rates",
        ["day", "currency", "rate", "source"],
        (
            [row.day.isoformat(), row.currency, f"{row.per_dollar.normalize():f}", row.origin]
            for row in _rates(_code(request)).iterator()
        ),
    )


@require_POST
@never_cache
@may_change
def new(request: HttpRequest) -> HttpResponseBase:
    """Add one by hand."""
    form = RateForm(request.POST)
    answer = _save(request, form, None) if form.is_valid() else None
    return answer or _page(request, Organisation.get(), form, PasteForm(), status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def edit(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/rates/<id>/`."""
    rate = get_object_or_404(CurrencyRate, pk=pk)
    form = RateForm(request.POST) if request.method == "POST" else RateForm(initial=typed_values(rate))
    answer = _save(request, form, rate) if request.method == "POST" and form.is_valid() else None
    context = {"here": "settings", "form": form, "rate": rate}
    return answer or render(request, "rates/form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: RateForm, rate: CurrencyRate | None) -> HttpResponse | None:
    """The answer to a rate that was saved; None, with the form's errors, where it was refused."""
    try:
        saved, converted = change.set_rate(Actor.of_request(request), form.values, rate)
    except InvalidRate as error:
        form.refuse(error.problems)
        return None
    except (RefusedRate, CurrencyRate.DoesNotExist) as error:
        refused = "This rate is removed already." if isinstance(error, CurrencyRate.DoesNotExist) else str(error)
        form.add_error(None, refused)
        return None
    said = f"One dollar is {saved.per_dollar.normalize():f} {saved.currency} from {day_year(saved.day)} on."
    _tell(request, saved.pk, said + _converted(converted))
    return go(request, f"{reverse('rates')}?currency={saved.currency}")


@require_POST
@may_change
def remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Take a rate out; the toast offers to undo it."""
    rate = CurrencyRate.objects.filter(pk=pk).first()
    try:
        if rate is None:
            raise RefusedRate("This rate is removed already.")
        converted = change.remove_rate(Actor.of_request(request), rate)
    except RefusedRate as error:
        tell_problem(request, str(error))
    else:
        _tell(request, pk, f"The rate for {rate.currency} of {day_year(rate.day)} is removed.{_converted(converted)}")
    return redirect(f"{reverse('rates')}?currency={rate.currency}" if rate else reverse("rates"))


@require_POST
@may_change
def undo(request: HttpRequest, entry: int) -> HttpResponseBase:
    """Take back the change that this row of history tells of."""
    found = get_object_or_404(AuditEntry, pk=entry, object_type=CurrencyRate._meta.label_lower)
    try:
        converted = change.undo_rate(Actor.of_request(request), found)
    except (RefusedRate, InvalidRate) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"The rate is as it was before.{_converted(converted)}")
    kept = found.before or found.after or {}
    return redirect(f"{reverse('rates')}?currency={kept.get('currency', '')}")


@require_POST
@may_change
def paste(request: HttpRequest) -> HttpResponseBase:
    """Pasted text becomes an import like an uploaded file: checked line by line, shown, confirmed, undone."""
    form = PasteForm(request.POST)
    if form.is_valid():
        try:
            run = take_file(Actor.of_request(request), KIND, "pasted rates.csv", [form.cleaned_data["text"].encode()])
        except Unreadable as error:
            form.add_error("text", str(error))
        else:
            return go(request, reverse("import", args=[run.pk]))
    return _page(request, Organisation.get(), RateForm(), form, status=422)


def _converted(count: int) -> str:
    if not count:
        return ""
    return f" {count} other cost{' is' if count == 1 else 's are'} converted anew."


def _tell(request: HttpRequest, pk: int, text: str) -> None:
    entry = newest_entry(CurrencyRate, pk)
    tell(request, text, reverse("rate-undo", args=[entry.pk]) if entry else "")
