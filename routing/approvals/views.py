"""Requests in the browser: what waits, what was decided, one of them with everything known, and deciding."""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.reachable import reachable
from budgets.access.roles import ASK, may
from budgets.approvals import decide, words
from budgets.approvals.open import InvalidRequest, open_request
from budgets.approvals.tiers import tier_names
from budgets.approvals.waiting import waiting_for
from budgets.audit.record import Actor
from budgets.models import ApprovalRequest, AuditEntry, Budget, Organisation, Workflow
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from budgets.pages.moments import moment
from budgets.pages.named import team_choices
from routing.approvals import acts
from routing.approvals.facts import facts_for
from routing.approvals.forms import AskForm, BudgetForm, PremiumForm, budgets_to_ask_for, workflows_to_ask_for
from routing.approvals.listing import RELATED, chosen, facts_of, rows_for, shown, shown_together

PER_PAGE = 25
ON_CARD = 3
HEADER = [
    "id", "kind", "state", "about", "team", "asked_by", "asked_at", "reason", "runs", "extra_cost", "at_most",
    "currency", "new_amount", "metric", "lapses_at", "decided_by", "decided_at", "decision_reason", "spent",
]  # fmt: skip


@require_safe
@never_cache
@in_reach
def request_list(request: HttpRequest) -> HttpResponseBase:
    """`/approvals/`: tabs Waiting and Decided; filters `kind`, `team`, `q`."""
    organisation, now = Organisation.get(), timezone.now()
    wanted = chosen(request.GET.dict())
    rows = wanted.of(rows_for(request.user))
    if wanted.tab == "waiting":
        rows = rows.order_by("lapses_at", "pk")
    mine = set(waiting_for(request.user).values_list("pk", flat=True))
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "approvals/list.html",
        {
            "here": "approvals",
            "chosen": wanted,
            "page": page,
            "rows": shown_together(page.object_list, request.user, now, organisation, mine),
            "for_you": len(mine),
            "kinds": ApprovalRequest.Kind.choices,
            "teams": team_choices("All teams", request.user),
            "may_ask": may(request.user, ASK),
        },
    )


@require_safe
@never_cache
@in_reach
def request_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/approvals.csv`: the list's filter, every row."""
    rows = chosen(request.GET.dict()).of(rows_for(request.user))
    names = tier_names()
    return csv_response("approvals", HEADER, (_line(row, names) for row in rows.iterator(chunk_size=500)))


def _line(row: ApprovalRequest, names: Mapping[int, str]) -> list[Any]:
    grant = getattr(row, "grant", None)
    return [
        row.pk,
        row.kind,
        row.state,
        words.subject(row, names),
        row.team.slug if row.team else "",
        words.asker(row),
        row.created_at.isoformat(),
        row.reason,
        row.runs,
        "" if row.extra_cost is None else exact(row.extra_cost),
        "" if row.ceiling is None else exact(row.ceiling),
        currency_code(),
        _amount(row),
        row.budget.metric if row.budget else "",
        row.lapses_at.isoformat(),
        words.person(row.decided_by, row.decided_text) if row.decided_at else "",
        row.decided_at.isoformat() if row.decided_at else "",
        row.decision_reason,
        "" if grant is None else exact(grant.spent),
    ]


def _amount(row: ApprovalRequest) -> Any:
    if row.amount is None or row.budget is None:
        return ""
    return exact(row.amount) if row.budget.metric == Budget.Metric.MONEY else row.amount


@require_safe
@never_cache
@in_reach
def card(request: HttpRequest) -> HttpResponseBase:
    """`/approvals/card/`: what waits for the reader, for the Overview; empty where nothing does."""
    organisation, now = Organisation.get(), timezone.now()
    waiting = waiting_for(request.user)
    first = list(waiting.select_related(*RELATED).prefetch_related("votes__user")[:ON_CARD])
    rows = shown_together(first, request.user, now, organisation, {row.pk for row in first})
    return render(request, "approvals/card.html", {"rows": rows, "count": waiting.count() if rows else 0})


@require_safe
@never_cache
@in_reach
def count(request: HttpRequest) -> HttpResponseBase:
    """`/approvals/count/?known=`: how many wait for the reader; 204 where that is as `known` says."""
    waiting = waiting_for(request.user).count()
    if request.GET.get("known") == str(waiting):
        return HttpResponse(status=204)
    return render(request, "approvals/count.html", {"waiting": waiting})


@require_safe
@never_cache
@in_reach
def detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/approvals/<id>/`."""
    return _detail(request, _fetched(request, pk))


def _detail(request: HttpRequest, row: ApprovalRequest, problem: str = "", status: int = 200) -> HttpResponse:
    organisation, now = Organisation.get(), timezone.now()
    local = organisation.local
    history = AuditEntry.objects.filter(object_type=ApprovalRequest._meta.label_lower, object_id=str(row.pk))
    return render(
        request,
        "approvals/detail.html",
        {
            "here": "approvals",
            "one": shown(row, request.user, now, organisation),
            "facts": list(facts_of(row)),
            "asked_at": moment(local(row.created_at), local(now)),
            "history": [
                {
                    "who": words.person(entry.who, entry.who_text),
                    "act": entry.act,
                    "when": moment(local(entry.at), local(now)),
                    "from": entry.get_origin_display(),
                    "reason": "" if entry.act == "asked" else entry.reason,
                }
                for entry in history.select_related("who").order_by("pk")
            ],
            "problem": problem,
        },
        status=status,
    )


def _fetched(request: HttpRequest, pk: int) -> ApprovalRequest:
    return get_object_or_404(reachable(ApprovalRequest, request.user).select_related(*RELATED), pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@in_reach
def new(request: HttpRequest) -> HttpResponseBase:
    """`/approvals/new/?kind=premium|budget`, filled in by `workflow`, `run`, `budget`."""
    if not may(request.user, ASK):
        raise PermissionDenied("Nothing was asked. You need a role to ask; an administrator can give you one.")
    form = _form(request)
    if request.method != "POST":
        return _ask(request, form)
    if not form.is_valid():
        return _ask(request, form, 422)
    now = timezone.now()
    asked = form.asked  # type: ignore[attr-defined]
    try:
        made = open_request(
            Actor.of_request(request), asked, facts_for(asked, now), now, idempotency_key=request.POST.get("once", "")
        )
    except InvalidRequest as error:
        form.refuse({("until" if name == "wanted_until" else name): said for name, said in error.problems.items()})
        return _ask(request, form, 422)
    tell(request, "Your request is on its way to those who decide.")
    return go(request, reverse("approval", args=[made.pk]))


def _form(request: HttpRequest) -> AskForm:
    """The form of what is asked for, with what the asker can reach to choose from."""
    given = request.GET
    data = request.POST if request.method == "POST" else None
    if given.get("kind") == "budget":
        rows = budgets_to_ask_for(reachable(Budget, request.user, ASK))
        return BudgetForm(data, budgets=rows, initial={"budget": given.get("budget", "")})
    rows = workflows_to_ask_for(reachable(Workflow, request.user, ASK))
    first = {"workflow": given.get("workflow", ""), "run_id": given.get("run", "")[:128], "tier": given.get("tier")}
    return PremiumForm(data, workflows=rows, zone=Organisation.get().zone, initial=first)


def _ask(request: HttpRequest, form: AskForm, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {"here": "approvals", "form": form, "is_budget": isinstance(form, BudgetForm)}
    context["once"] = request.POST.get("once") or secrets.token_hex(16)  # a form sent twice asks once
    return render(request, "approvals/new.html", context, status=status)


Act = Callable[[Actor, int, str, datetime], decide.Decided]


@require_POST
@never_cache
@in_reach
def act(request: HttpRequest, pk: int, what: str) -> HttpResponseBase:
    """Approve, decline, undo or withdraw. A fragment request gets the row as it is after that, else the page."""
    row = _fetched(request, pk)
    reason = request.POST.get("reason", "").replace("\0", "")
    status, problem, said = 200, "", ""
    try:
        said = _done(Actor.of_request(request), row.pk, what, reason)
    except decide.AlreadyDecided as error:
        status, problem = 409, str(error)
    except decide.ReasonNeeded as error:
        status, problem = 422, str(error)
    except decide.CannotApply as error:
        status, problem = 409, str(error)
    except decide.MayNotDecide as error:
        status, problem = 403, str(error)
    row = _fetched(request, pk)
    htmx: Any = getattr(request, "htmx", None)
    if htmx and request.POST.get("row"):
        return _row(request, row, problem, said, what, 409 if status == 403 else status)
    if problem:
        if htmx:
            tell_problem(request, problem)
            return go(request, reverse("approval", args=[pk]))
        return _detail(request, row, problem, status)
    tell(request, said, reverse("approval-act", args=[pk, "undo"]) if what in {"approve", "decline"} else "")
    return go(request, reverse("approval", args=[pk]))


def _done(actor: Actor, pk: int, what: str, reason: str) -> str:
    """Do it; what to say of it."""
    now = timezone.now()
    if what == "approve":
        decided = acts.approve(actor, pk, reason, now)
        return decided.said or ("Approved. One more person has to." if decided.waiting_for_second else "Approved.")
    if what == "decline":
        acts.decline(actor, pk, reason, now)
        return "Declined. Whoever asked is told why."
    if what == "undo":
        return acts.undo(actor, pk, reason, now).said or "Undone. The request waits again."
    if what == "withdraw":
        acts.withdraw(actor, pk, now)
        return "Withdrawn. Nobody has to decide it any more."
    raise Http404


def _row(request: HttpRequest, row: ApprovalRequest, problem: str, said: str, what: str, status: int) -> HttpResponse:
    """The row of the list or card as it is now, with both counters."""
    one = shown(row, request.user, timezone.now(), Organisation.get())
    context = {
        "one": one, "problem": problem, "said": said, "focus": True, "waiting": waiting_for(request.user).count(),
        "open_decline": what == "decline" and status == 422,
    }  # fmt: skip
    answer = render(request, "approvals/row.html", context, status=status)
    if said:
        answer["HX-Trigger"] = json.dumps({"toast": {"text": said}})
    return answer
