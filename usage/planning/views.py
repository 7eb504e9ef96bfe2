"""The annual plan in the browser: the table, one team's year, copying a year, the teams' budgets, CSV."""

from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.reachable import fetched, reachable
from budgets.access.roles import reach
from budgets.audit.record import Actor
from budgets.limits.calendar import day_of
from budgets.models import Organisation, PlanLine, Team
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import changes, changes_in_reach, in_reach
from budgets.pages.moments import MONTHS, place
from budgets.plan import edit
from budgets.plan.budgets import PlanRefused, make_team_budgets, team_budgets
from budgets.plan.year import FIRST_YEAR, LAST_YEAR, label, month_words, months_of, year_of
from usage.planning.figures import Row, plan_year
from usage.planning.forms import CopyForm, RowForm, seen_mark

PERMISSION = "budgets.change_planline"
PER_PAGE = 50
changes_plan = changes(PERMISSION, "the plan")
changes_row = changes_in_reach(PERMISSION, "the plan")


@require_safe
@never_cache
@in_reach
def plan(request: HttpRequest) -> HttpResponseBase:
    """`/plan/`: team by month, plan against actual."""
    organisation = Organisation.get()
    year, note = _year(request, organisation)
    table = plan_year(organisation, year, timezone.now(), who=request.user)
    page = Paginator(table.rows, PER_PAGE).get_page(request.GET.get("page"))
    starts = organisation.fiscal_year_starts
    plans_all = reach(request.user, PERMISSION).everything
    mine = reachable(Team, request.user, PERMISSION)
    return render(
        request,
        "plan/page.html",
        {
            "here": "plan",
            "organisation": organisation,
            "table": table,
            "page": page,
            "rows": page.object_list,
            "months": [(month, MONTHS[month.month - 1], month.year) for month in table.months],
            "years": [(one, label(one, starts)) for one in _years(organisation, year)],
            "year": year,
            "year_words": label(year, starts),
            "note": note,
            "is_empty": all(row.is_idle for row in table.rows),
            "zone_words": place(organisation.time_zone),
            "may_change": request.user.has_perm(PERMISSION),
            "plans_all": plans_all,
            "changeable": set() if plans_all else set(mine.values_list("slug", flat=True)),
            "runs": table.today.replace(day=1) in table.months,
        },
    )


def _year(request: HttpRequest, organisation: Organisation) -> tuple[int, str]:
    """The fiscal year asked for, else the present one; with a note where the address names none."""
    now = year_of(day_of(timezone.now(), organisation.zone), organisation.fiscal_year_starts)
    text = request.GET.get("year", "")
    if text.isascii() and text.isdecimal() and len(text) == 4 and FIRST_YEAR <= int(text) < LAST_YEAR:
        return int(text), ""
    return now, f"“{text[:20]}” is no year of the plan; the present one is shown." if text else ""


def _years(organisation: Organisation, shown: int) -> list[int]:
    """Those with a plan, the present one and its neighbours, and the one shown."""
    starts = organisation.fiscal_year_starts
    now = year_of(day_of(timezone.now(), organisation.zone), starts)
    planned = {
        year_of(month, starts) for month in PlanLine.objects.order_by().values_list("month", flat=True).distinct()
    }
    return sorted(planned | {now - 1, now, now + 1, shown})


@require_safe
@never_cache
@in_reach
def plan_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/plan.csv`: a line for each team and month with anything in it; `amount` may be imported again."""
    organisation = Organisation.get()
    year, _ = _year(request, organisation)
    table = plan_year(organisation, year, timezone.now(), who=request.user)
    return csv_response(
        f"plan-{year}",
        ["month", "team", "team_name", "currency", "amount", "note", "metered", "other_costs", "actual", "expected"],
        (
            [
                f"{cell.month:%Y-%m}",
                row.team,
                row.name,
                currency_code(),
                "" if cell.plan is None else exact(cell.plan),
                cell.note,
                exact(cell.metered) if cell.is_shown else "",
                exact(cell.other) if cell.is_shown else "",
                exact(cell.actual) if cell.is_shown else "",
                "" if cell.expected is None else exact(cell.expected),
            ]
            for row in table.rows
            for cell in row.cells
            if cell.plan is not None or cell.actual
        ),
    )


def _one(request: HttpRequest, organisation: Organisation, year: int, slug: str) -> tuple[Team | None, Row]:
    """The team at this address ("" for none) and its year."""
    if not FIRST_YEAR <= year < LAST_YEAR:
        raise Http404
    if not slug and not reach(request.user, PERMISSION).everything:
        raise Http404
    team = fetched(Team, request.user, PERMISSION, slug=slug) if slug else None
    return team, plan_year(organisation, year, timezone.now(), slug).rows[0]


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_row
def edit_row(request: HttpRequest, year: int, slug: str = "") -> HttpResponseBase:
    """`/plan/<year>/teams/<slug>/`, `/plan/<year>/no-team/`: the twelve months of a team."""
    organisation = Organisation.get()
    team, row = _one(request, organisation, year, slug)
    if request.method != "POST":
        return _row_page(request, organisation, year, row, RowForm.of(row.cells))
    form = RowForm.read(request.POST.dict(), row.cells, team.pk if team else None)
    if form.errors:
        return _row_page(request, organisation, year, row, form)
    if form.seen != seen_mark(row.cells):
        form.problem, form.seen = str(edit.StalePlan()), seen_mark(row.cells)
        return _row_page(request, organisation, year, row, form, 409)
    seen = {value.key: (cell.plan, cell.note) for value, cell in zip(form.values, row.cells, strict=True)}
    try:
        saved = edit.set_lines(Actor.of_request(request), form.values, seen=seen)
    except edit.InvalidPlan as error:
        form.errors |= {f"{name}-{i}": said for i, name, said in error.problems}
        return _row_page(request, organisation, year, row, form)
    except edit.StalePlan as error:
        form.problem = str(error)
        return _row_page(request, organisation, year, _one(request, organisation, year, slug)[1], form, 409)
    if saved.count:
        _tell(request, saved, f"Plan of {row.name} saved: {_months(saved.count)} changed.")
    else:
        tell(request, "Nothing had to change.")
    return go(request, _at(year))


def _months(count: int) -> str:
    return f"{count} month{'' if count == 1 else 's'}"


def _at(year: int) -> str:
    return f"{reverse('plan')}?year={year}"


def _row_page(
    request: HttpRequest, organisation: Organisation, year: int, row: Row, form: RowForm, status: int | None = None
) -> HttpResponse:
    context = {
        "here": "plan",
        "organisation": organisation,
        "year": year,
        "year_words": label(year, organisation.fiscal_year_starts),
        "row": row,
        "form": form,
        "fields": form.rows(row.cells),
        "total_error": form.errors.get("total", ""),
    }
    return render(request, "plan/row.html", context, status=status or (422 if form.errors else 200))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_plan
def copy_year(request: HttpRequest, year: int) -> HttpResponseBase:
    """`/plan/<year>/copy/`: the plan of the year before, at a percentage."""
    if not FIRST_YEAR < year < LAST_YEAR:
        raise Http404
    organisation = Organisation.get()
    starts = organisation.fiscal_year_starts
    source = list(PlanLine.objects.filter(month__in=months_of(year - 1, starts)))
    form = CopyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        stated = form.cleaned_data
        taken: set[edit.Key] = set()
        if not stated["replace"]:
            taken = set(PlanLine.objects.filter(month__in=months_of(year, starts)).values_list("month", "team_id"))
        values = edit.copied(source, 12, stated["percent"], taken)
        saved = edit.set_lines(Actor.of_request(request), values, stated["note"] or f"Copied from {year - 1}.")
        if saved.count:
            lines = f"{saved.count} amount{' was' if saved.count == 1 else 's were'}"
            _tell(request, saved, f"{lines} copied from {label(year - 1, starts)}.")
        else:
            tell(request, "Nothing had to change.")
        return go(request, _at(year))
    context = {
        "here": "plan",
        "organisation": organisation,
        "form": form,
        "year": year,
        "year_words": label(year, starts),
        "before_words": label(year - 1, starts),
        "lines": len(source),
        "total": sum(line.amount for line in source),
    }
    return render(request, "plan/copy.html", context, status=422 if form.errors else 200)


@require_POST
@never_cache
@changes_row
def undo(request: HttpRequest, together: str) -> HttpResponseBase:
    """Take back one act on the plan, whole."""
    try:
        saved = edit.undo_together(Actor.of_request(request), together)
    except (edit.StalePlan, edit.InvalidPlan) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"The plan is as it was before: {_months(saved.count)} changed back.")
    year = request.GET.get("year", "")
    return go(request, _at(int(year)) if year.isascii() and year.isdecimal() and len(year) == 4 else reverse("plan"))


def _tell(request: HttpRequest, saved: edit.Saved, text: str) -> None:
    year = (request.resolver_match.kwargs if request.resolver_match else {}).get("year", "")
    tell(request, text, f"{reverse('plan-undo', args=[saved.together])}?year={year}")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes("budgets.change_budget", "budgets")
def budgets(request: HttpRequest) -> HttpResponseBase:
    """`/plan/budgets/`: a monthly budget for each team of what is planned for the running month."""
    organisation = Organisation.get()
    month = day_of(timezone.now(), organisation.zone).replace(day=1)
    if request.method != "POST":
        return _budgets_page(request, organisation, month)
    try:
        told = make_team_budgets(Actor.of_request(request), month, request.POST.getlist("seen"))
    except PlanRefused as error:
        return _budgets_page(request, organisation, month, str(error), 409)
    if told:
        count = f"{len(told)} team budget{' is' if len(told) == 1 else 's are'}"
        undo_url = reverse("budget-bulk-undo", args=[told[0].position, told[-1].position])
        tell(request, f"{count} set from the plan of {month_words(month)}.", undo_url)
    else:
        tell(request, "Nothing had to change.")
    return go(request, reverse("budgets"))


def _budgets_page(
    request: HttpRequest, organisation: Organisation, month: date, problem: str = "", status: int = 200
) -> HttpResponse:
    rows = team_budgets(month)
    context: dict[str, Any] = {
        "here": "plan",
        "organisation": organisation,
        "month_words": month_words(month),
        "rows": rows,
        "changes": sum(row.is_change for row in rows),
        "total": sum(row.amount for row in rows),
        "problem": problem,
    }
    return render(request, "plan/budgets.html", context, status=status)
