"""Looking at imports: the list, one import, how far it is, its bad lines as CSV, an example of each kind."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.models import Organisation
from budgets.pages.csv import csv_response
from budgets.pages.door import REFUSAL, signed_in
from usage.imports.columns import OURS, form
from usage.imports.kinds import all_kinds
from usage.imports.pages import (
    FILTERS,
    PER_PAGE,
    asked,
    choosers,
    context_of,
    imports,
    kinds_for,
    row_of,
    samples,
)
from usage.imports.sheet import Unreadable, read_lines
from usage.imports.upload import same_done_before
from usage.models import Import, ImportProblem

PROBLEMS_SHOWN = 1_000
PROBLEMS_A_PAGE = 50


@require_safe
@never_cache
@signed_in
def import_list(request: HttpRequest) -> HttpResponseBase:
    """`/settings/imports/`: what can be imported, and every import so far."""
    return listed(request)


def listed(request: HttpRequest, error: str = "", chosen: str = "") -> HttpResponse:
    """The list with its upload form; with status 422 where a file was refused."""
    status, query, kind = filters_of(request)
    page = Paginator(imports(status, query, kind), PER_PAGE).get_page(request.GET.get("page"))
    mine = kinds_for(request.user)
    return render(
        request,
        "imports/list.html",
        {
            "here": "settings",
            "page": page,
            "rows": [row_of(run) for run in page.object_list],
            "kinds": all_kinds().values(),
            "mine": mine,
            "chosen": chosen or request.GET.get("new", ""),
            "error": error,
            "limit": f"{settings.IMPORT_MAX_BYTES / 2**20:,.0f} MB",
            "zone": Organisation.get().time_zone,
            "filters": FILTERS.items(),
            "status": status,
            "query": query,
            "kind_filter": kind,
            "any": bool(page.paginator.count or Import.objects.exclude(status="discarded").exists()),
        },
        status=422 if error else 200,
    )


def filters_of(request: HttpRequest) -> tuple[str, str, str]:
    """Status, words and kind of the query string; what is unknown is left away."""
    status, kind = request.GET.get("status", ""), request.GET.get("kind", "")
    query = request.GET.get("q", "").strip().replace("\0", "")[:100]
    return (status if status in FILTERS else "", query, kind if kind in all_kinds() else "")


@require_safe
@signed_in
def imports_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/imports.csv`: the list with the same filter."""
    header = [
        "file",
        "kind",
        "status",
        "lines",
        "good",
        "bad",
        "there_already",
        "left_out",
        "by",
        "created",
        "finished",
    ]
    return csv_response(
        "imports",
        header,
        (
            [
                run.file_name, run.kind, run.status, run.rows, run.good, run.bad, run.skipped, run.left_out,
                run.requested_by_text, run.created_at.isoformat(),
                run.finished_at.isoformat() if run.finished_at else "",
            ]
            for run in imports(*filters_of(request)).iterator()
        ),
    )  # fmt: skip


@require_safe
@signed_in
def example(request: HttpRequest, key: str) -> HttpResponseBase:
    """A file to begin from."""
    kind = all_kinds().get(key)
    if kind is None:
        raise Http404
    answer = HttpResponse(kind.example, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="example-{kind.key}.csv"'
    return answer


def open_run(request: HttpRequest, pk: int, *, with_file: bool = False) -> Import:
    """The import, for those who may bring such things in: its file may hold what others should not see."""
    found = Import.objects.all() if with_file else Import.objects.defer("file")
    run = get_object_or_404(found, pk=pk)
    kind = all_kinds().get(run.kind)
    if kind is None or not request.user.has_perm(kind.permission):
        raise PermissionDenied(REFUSAL.format(what="what this file brings"))
    return run


@require_safe
@never_cache
@signed_in
def import_page(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/imports/<id>/`: the next thing to decide, or how far it is, or what it brought."""
    return shown(request, open_run(request, pk))


def shown(
    request: HttpRequest,
    run: Import,
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> HttpResponse:
    """The page of one import; with `problems` the columns as they were `typed`, status 422."""
    context = context_of(run)
    kind = context["kind"]
    if run.status == Import.Status.MAPPING:
        run = Import.objects.get(pk=run.pk)
        mapping = run.mapping if typed is None else typed
        known = kind.recognise(run.header) if kind.recognise and run.options.get("known") else None
        context |= {
            "known": known,
            "choosers": [] if known else choosers(run, kind, mapping, problems or {}),
            "asked": asked(run, kind, options or {}, problems or {}),
            "samples": samples(run),
            "headings": [heading for heading in run.header if heading],
            "problems": problems or {},
            "others": [said for name, said in (problems or {}).items() if not _has_place(name, run, kind)],
            "earlier": same_done_before(run),
        }
    elif not context["at_work"]:
        told = run.problems.all()
        page = Paginator(told[:PROBLEMS_SHOWN], PROBLEMS_A_PAGE).get_page(request.GET.get("page"))
        context |= {"page": page, "told": list(page.object_list), "more_problems": run.bad > PROBLEMS_SHOWN}
        context["file_kept"] = not Import.objects.filter(pk=run.pk, file=b"").exists()
    return render(request, "imports/import.html", context, status=422 if problems else 200)


def _has_place(name: str, run: Import, kind: Any) -> bool:
    return (
        name in {column.name for column in kind.columns}
        or name in {"decimal", "order", "zone"}
        or name in {option.name for option in kind.asked_of(run)}
    )


@require_safe
@never_cache
@signed_in
def progress(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The fragment that the page asks for every two seconds; when the work is over it loads the page anew."""
    run = open_run(request, pk)
    context = context_of(run)
    if not context["at_work"]:
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = reverse("import", args=[pk])
        return answer
    return render(request, "imports/progress.html", context)


@require_safe
@signed_in
def errors_csv(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Every bad line as it was, with its number and what is wrong: corrected, it can be uploaded again."""
    run = open_run(request, pk, with_file=True)
    if not run.file:
        raise Http404("The file is no longer kept.")
    header = [heading for heading in run.header if heading not in OURS]
    return csv_response(f"bad-lines-{run.pk}", [*header, *OURS], _bad_lines(run, header))


def _bad_lines(run: Import, header: list[str]) -> Iterator[list[Any]]:
    """The file's lines beside their problems; both are in the order of the file."""
    told = run.problems.order_by("line", "id").iterator()
    problem: ImportProblem | None = next(told, None)
    places = [run.header.index(heading) for heading in header]
    try:
        for line in read_lines(run.file, form(run)):
            sentences = []
            while problem is not None and problem.line <= line.number:
                sentences.append(f"{problem.column}: {problem.sentence}" if problem.column else problem.sentence)
                problem = next(told, None)
            if sentences:
                cells = [line.cells[at] if at < len(line.cells) else "" for at in places]
                yield [*cells, line.number, " ".join(sentences)]
            if problem is None:
                return
    except Unreadable:
        return
