"""`/settings/focus/`: a month as a FOCUS file, for the tools that read bills."""

from collections.abc import Callable
from datetime import date

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.limits.calendar import day_of
from budgets.models import Organisation
from budgets.pages.door import signed_in
from budgets.pages.moments import place
from budgets.plan.year import month_words
from reports.chargeback.months import Month, month_asked, months_back
from reports.focus.columns import VERSIONS
from reports.focus.reading import charges, is_kept, left_out
from reports.focus.write import csv_lines, parquet_file


@require_safe
@never_cache
@signed_in
def focus(request: HttpRequest) -> HttpResponseBase:
    """`/settings/focus/?month=2026-10`: what the files of a month hold and lack, and the files."""
    organisation = Organisation.get()
    today = day_of(timezone.now(), organisation.zone)
    month, note = month_asked(request.GET, today)
    return render(
        request,
        "focus/page.html",
        {
            "here": "settings",
            "organisation": organisation,
            "month": month,
            "month_words": month_words(month),
            "months": [(one, month_words(one)) for one in months_back(today, month)],
            "closed": Month(month).is_closed(organisation),
            "runs": month == today.replace(day=1),
            "lacks": left_out(organisation, month),
            "is_kept": is_kept(organisation, month),
            "versions": VERSIONS,
            "zone_words": place(organisation.time_zone),
            "note": note,
        },
    )


@require_safe
@never_cache
@signed_in
def focus_file(request: HttpRequest, version: str, month: date, form: str) -> HttpResponseBase:
    """`/export/focus/<1.4|1.2>/<2026-10>.<csv|parquet>`: all charges of the month."""
    organisation = Organisation.get()
    if version not in VERSIONS or month > day_of(timezone.now(), organisation.zone):
        raise Http404
    if not is_kept(organisation, month):
        raise Http404("The month's calls are not in the ledger any more.")
    rows = charges(organisation, month)
    name = f"focus-{version}-{month:%Y-%m}"
    answers: dict[str, Callable[[], HttpResponseBase]] = {
        "csv": lambda: StreamingHttpResponse(csv_lines(rows, version), content_type="text/csv; charset=utf-8"),
        "parquet": lambda: FileResponse(parquet_file(rows, version), content_type="application/vnd.apache.parquet"),
    }
    if form not in answers:
        raise Http404
    answer = answers[form]()
    answer["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return answer
