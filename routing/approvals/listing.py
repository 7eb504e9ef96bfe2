"""Requests as pages show them: who asks what, what it costs and does, who may act."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from budgets.access.reachable import reachable
from budgets.approvals import words
from budgets.approvals.rules import lack_of_deciders, may_decide, may_undo
from budgets.approvals.tiers import tier_names
from budgets.models import ApprovalRequest, Organisation
from budgets.pages import amounts
from budgets.pages.moments import moment

State = ApprovalRequest.State
SOON = timedelta(hours=6)
RELATED = ("workflow", "budget", "team", "requested_by", "decided_by", "api_key", "rule", "grant")


@dataclass(frozen=True, slots=True)
class Shown:
    """One request for a template. `mine`: the reader asked. Texts are finished."""

    request: ApprovalRequest
    title: str
    asked: str
    cost: str
    changes: tuple[str, ...]
    page: str
    left: str
    is_soon: bool
    lapses: str
    decided: str
    needs: str
    lacks: str
    budget: str
    is_over: bool
    mine: bool
    may_decide: bool
    may_undo: bool
    may_withdraw: bool
    grant: str


def rows_for(user: Any) -> QuerySet[ApprovalRequest]:
    """What somebody may see, with all that a row shows."""
    rows = reachable(ApprovalRequest, user).select_related(*RELATED).prefetch_related("votes__user")
    return rows.order_by("-created_at", "-pk")


def shown_together(
    rows: Iterable[ApprovalRequest], user: Any, now: datetime, organisation: Organisation, mine: Container[int]
) -> list[Shown]:
    """Many, without a query for any one of them. `mine`: the ids of those that `user` may decide.

    Whether a decision can be undone, and by whom, and whether enough people can decide, the request's own page says.
    """
    names = tier_names()
    return [shown(row, user, now, organisation, Listed(row.pk in mine, names)) for row in rows]


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of a request in a list before it is looked at: whether the reader decides, the tiers' names."""

    decides: bool
    names: Mapping[int, str]


def shown(
    request: ApprovalRequest, user: Any, now: datetime, organisation: Organisation, listed: Listed | None = None
) -> Shown:
    """A request as `user` sees it at `now`; `listed` where it is one of many."""
    names = listed.names if listed else tier_names()
    facts = request.facts
    limit, after = facts.get("budget_limit"), facts.get("landing_after") or facts.get("budget_after")
    waits = request.state == State.WAITING
    mine = user.pk is not None and user.pk == request.requested_by_id
    return Shown(
        request=request,
        title=words.subject(request, names),
        asked=words.asked(request, organisation, names),
        cost=words.cost(request),
        changes=tuple(words.what_changes(request)),
        page=f"/routing/drafts/{request.policy}/" if request.policy is not None else "",
        left=left(request.lapses_at - now) if waits else "",
        is_soon=waits and request.lapses_at - now < SOON,
        lapses=words.lapses(request, now, organisation) if waits else "",
        decided=words.decided(request, now, organisation),
        needs=words.needs(request),
        lacks=lack_of_deciders(request) if waits and listed is None else "",
        budget=words.on_budget(request),
        is_over=request.kind == "premium" and limit is not None and after is not None and after > limit,
        mine=mine,
        may_decide=waits and (listed.decides if listed else may_decide(user, request)),
        may_undo=waits and has_said(user, request) if listed else may_undo(user, request),
        may_withdraw=waits and mine,
        grant=grant_words(request, organisation, now),
    )


def has_said(user: Any, request: ApprovalRequest) -> bool:
    """Whether `user` approved it already while another is waited for."""
    return any(vote.user_id == user.pk for vote in request.votes.all())


def left(rest: timedelta) -> str:
    """ "3 h left", "1 day left"."""
    hours = max(0, int(rest.total_seconds() // 3600))
    if hours >= 48:
        return f"{hours // 24} days left"
    if hours >= 24:
        return "1 day left"
    return f"{hours} h left" if hours else "Less than 1 h left"


def grant_words(request: ApprovalRequest, organisation: Organisation, now: datetime) -> str:
    """What was spent of what an approval allows; "" where it allows nothing by itself."""
    grant = getattr(request, "grant", None)
    if grant is None:
        return ""
    spent = amounts.cents(grant.spent)
    of = f" of at most {amounts.cents(grant.ceiling)}" if grant.ceiling is not None else ""
    runs = f"{grant.runs:,} run{'' if grant.runs == 1 else 's'}"
    runs += f" of {grant.ceiling_runs:,}" if grant.ceiling_runs is not None else ""
    local = organisation.local
    if grant.ended_at is None:
        ends = f"Lasts until {moment(local(grant.expires_at), local(now))}."
    else:
        ends = f"{grant.get_end_display()}: ended {moment(local(grant.ended_at), local(now))}."
    return f"{spent}{of} spent in {runs}. {ends}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the query string asks for: `tab` waiting or decided, `kind`, `team` (slug), words."""

    tab: str
    kind: str
    team: str
    query: str

    @property
    def is_any(self) -> bool:
        return not (self.kind or self.team or self.query)

    def of(self, rows: QuerySet[ApprovalRequest]) -> QuerySet[ApprovalRequest]:
        waits = Q(state=State.WAITING)
        rows = rows.filter(waits if self.tab == "waiting" else ~waits)
        if self.tab == "decided":
            rows = rows.order_by("-decided_at", "-pk")
        if self.kind:
            rows = rows.filter(kind=self.kind)
        if self.team:
            rows = rows.filter(team__slug=self.team)
        if self.query:
            said = Q(reason__icontains=self.query) | Q(requested_text__icontains=self.query)
            named = Q(workflow__name__icontains=self.query) | Q(budget__name__icontains=self.query)
            rows = rows.filter(said | named | Q(policy_title__icontains=self.query))
        return rows


def chosen(query: dict[str, str]) -> Chosen:
    """What is understood of it; the rest is ignored."""
    kind = query.get("kind", "")
    return Chosen(
        "decided" if query.get("tab") == "decided" else "waiting",
        kind if kind in ApprovalRequest.Kind.values else "",
        query.get("team", "").replace("\0", "")[:128],
        query.get("q", "").replace("\0", "").strip()[:100],
    )


def facts_of(request: ApprovalRequest) -> Iterable[tuple[str, str]]:
    """Label → value of what was known when it was asked; what was not known is left out."""
    facts = request.facts
    runs = facts.get("runs")
    if request.kind == "budget" and request.budget is not None and request.amount is not None:
        metric = request.budget.metric
        before = (request.before or {}).get("replaced") or (request.before or {}).get("amount") or request.budget.amount
        yield "Budget", request.budget.name
        yield "Amount when asked", amounts.amount(before, metric)
        yield "Amount asked for", amounts.amount(request.amount, metric)
        if facts.get("budget_spent") is not None:
            yield "Spent when asked", amounts.amount(facts["budget_spent"], metric)
        if facts.get("landing") is not None:
            yield words.landing_label(facts), amounts.amount(facts["landing"], metric)
        return
    if request.kind == "policy":
        if request.policy is not None and (tried := words.tried(request)):
            yield "Tried on", tried
        yield "Cost on past calls", words.cost(request)
        return
    if runs is not None:
        yield "Runs", f"{runs:,}"
    if words.each_run(request):
        yield "Cost of a run", words.each_run(request)
    yield "Extra cost", f"{words.cost(request)}. {words.based_on(request)}".strip()
    if request.ceiling is not None:
        yield "At most", amounts.cents(request.ceiling)
    if words.on_budget(request):
        yield "Budget", words.on_budget(request)
    if words.landing(request):
        yield words.landing_label(facts), words.landing(request)
    if words.cheaper(request):
        yield "Cheaper choice", words.cheaper(request)
