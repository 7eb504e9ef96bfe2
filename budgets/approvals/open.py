"""Ask for more than the limits allow."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from budgets.approvals import messages
from budgets.approvals.facts import Asked, Facts
from budgets.approvals.rules import deciders, first_to_ask, rule_for
from budgets.approvals.tiers import models_of, tier_names
from budgets.audit.record import Actor, record
from budgets.limits.values import MOST
from budgets.models import ApprovalRequest, Budget, Organisation, Team, Workflow
from budgets.pages import amounts

Kind = ApprovalRequest.Kind
LONGEST_REASON = 1000
LONGEST_NAME = 128
MOST_RUNS = 1_000_000_000
LONGEST_WISH = timedelta(days=366)
ONCE = "approval_request_once"


class InvalidRequest(ValueError):
    """`problems`: field of `Asked` → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class ReusedKey(Exception):
    """The idempotency key was used before for something else. `request` is what it was used for."""

    def __init__(self, request: ApprovalRequest) -> None:
        super().__init__("This idempotency key was used for another request. Use a new key for a new request.")
        self.request = request


@dataclass(slots=True)
class Found:
    """What a request is about, as rows."""

    workflow: Workflow | None = None
    budget: Budget | None = None
    team: Team | None = None
    risks: tuple[str, ...] = ()


def open_request(
    actor: Actor, asked: Asked, facts: Facts, now: datetime, *, idempotency_key: str = ""
) -> ApprovalRequest:
    """Ask, and have those who decide told. `facts` are frozen with it.

    The same `idempotency_key` by the same asker with the same content is the same request, asked once. Raises
    InvalidRequest, ReusedKey.
    """
    key, digest = _checked_key(idempotency_key), _digest_of(asked)
    with transaction.atomic():
        if key and (earlier := _earlier(actor, key)):
            return _same(earlier, digest)
        asked, found = _checked(asked, now)
        request = _stated(actor, asked, facts, found, now)
        request.idempotency_key, request.idempotency_digest = key, digest if key else None
        try:
            with transaction.atomic():
                request.save(force_insert=True)
        except IntegrityError as error:
            if getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) != ONCE:
                raise
            return _same(_earlier(actor, key), digest)  # asked in the same moment, by the same asker
        messages.opened(request, now)
        record(actor, "asked", request, None, as_json(request), request.reason[:500])
    return request


def as_json(request: ApprovalRequest) -> dict[str, Any]:
    """What was asked, for the history."""
    stated = {
        "kind": request.kind,
        "workflow": request.workflow.slug if request.workflow else None,
        "run": request.run_id or None,
        "user": request.subject_user or None,
        "tier": request.tier,
        "budget": request.budget.slug if request.budget else None,
        "amount": request.amount,
        "policy": request.policy_title or None,
        "runs": request.runs,
        "ceiling": request.ceiling,
        "wanted_until": request.wanted_until.isoformat() if request.wanted_until else None,
        "extra_cost": request.extra_cost,
        "lapses_at": request.lapses_at.isoformat(),
        "approvers_needed": request.approvers_needed,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _stated(actor: Actor, asked: Asked, facts: Facts, found: Found, now: datetime) -> ApprovalRequest:
    """The row, not saved."""
    budget, extra = found.budget, facts.extra_cost
    if budget is not None and budget.metric == Budget.Metric.MONEY and extra is None and asked.amount is not None:
        extra = asked.amount - budget.amount
    rule = rule_for(asked.kind, found.team, found.risks, at_most(extra, asked.ceiling))
    lapses_at = now + timedelta(hours=rule.lapses_after_hours)
    request = ApprovalRequest(
        kind=asked.kind,
        workflow=found.workflow,
        run_id=asked.run_id,
        subject_user=asked.user,
        tier=asked.tier,
        budget=budget,
        amount=asked.amount,
        policy=asked.policy,
        policy_title=asked.policy_title,
        runs=asked.runs,
        ceiling=asked.ceiling,
        wanted_until=asked.wanted_until,
        reason=asked.reason,
        facts=facts.as_json(),
        extra_cost=extra,
        team=found.team,
        risk_categories=list(found.risks),
        requested_by=actor.user,
        requested_text=actor.text[:150],
        origin=actor.origin,
        api_key_id=actor.key_id,
        rule=rule if rule.pk else None,
        approvers_needed=rule.approvers_needed,
        created_at=now,
        lapses_at=min(lapses_at, asked.wanted_until) if asked.wanted_until else lapses_at,
        before=budget_as_asked(budget) if budget else None,
    )
    _plan_asking(request, rule.second_after_hours, rule.remind_before_hours)
    return request


def at_most(extra_cost: int | None, ceiling: int | None) -> int | None:
    """What the rules weigh, nano-dollars: whoever approves allows the ceiling, whatever is expected below it."""
    known = [one for one in (extra_cost, ceiling) if one is not None]
    return max(known) if known else None


def budget_as_asked(budget: Budget) -> dict[str, Any]:
    """What an approval would replace, and what else would make it mean something else."""
    return {"amount": budget.amount, "metric": budget.metric, "period": budget.period}


def _plan_asking(request: ApprovalRequest, second_after: int, remind_before: int) -> None:
    """One is asked first and the others later, where one decides, others can, and there is time; else all at once."""
    second_at = request.created_at + timedelta(hours=second_after)
    alone = request.approvers_needed == 1 and second_at < request.lapses_at
    if alone and second_after and len(deciders(request)[:2]) == 2:
        request.first_asked, request.second_at = first_to_ask(request), second_at
    remind_at = request.lapses_at - timedelta(hours=remind_before)
    request.remind_at = remind_at if remind_before and remind_at > request.created_at else None


def _checked(asked: Asked, now: datetime) -> tuple[Asked, Found]:
    """In its one written form, with the rows it is about. Raises InvalidRequest."""
    if asked.kind not in Kind.values:
        raise InvalidRequest({"kind": "Say what you ask for: premium models, or a bigger budget."})
    problems: dict[str, str] = {}
    reason = _text(asked.reason)
    if not reason:
        problems["reason"] = "Say why, so that whoever decides can: one or two sentences."
    elif len(reason) > LONGEST_REASON:
        problems["reason"] = f"Keep the reason under {LONGEST_REASON:,} characters."
    if asked.kind == Kind.BUDGET:
        asked = Asked(asked.kind, reason, budget=_text(asked.budget), amount=asked.amount)
        found = _find_budget(asked, now, problems)
    elif asked.kind == Kind.POLICY:
        asked = Asked(asked.kind, reason, policy=asked.policy, policy_title=asked.policy_title)
        found = Found()
        if asked.policy is None:
            problems["kind"] = "A policy is asked for by publishing its draft."
    else:
        asked = replace(asked, reason=reason, budget="", amount=None, workflow=_text(asked.workflow))
        asked = replace(asked, policy=None, policy_title="")
        asked = replace(asked, run_id=_text(asked.run_id), user=_text(asked.user))
        found = _find_workflow(asked, problems)
        _check_limits(asked, now, problems)
    if problems:
        raise InvalidRequest(problems)
    return asked, found


def _find_budget(asked: Asked, now: datetime, problems: dict[str, str]) -> Found:
    budget = Budget.objects.filter(slug=asked.budget).first() if asked.budget else None
    if budget is None:
        problems["budget"] = "There is no such budget." if asked.budget else "Choose the budget that should be bigger."
        return Found()
    if budget.status == Budget.Status.ARCHIVED:
        problems["budget"] = f"“{budget.name}” is archived. Choose another, or have it restored first."
    elif budget.ends_on is not None and budget.ends_on < Organisation.get().local(now).date():
        problems["budget"] = f"“{budget.name}” is over, so a bigger amount would change nothing."
    if not _is_number(asked.amount) or not 0 < (asked.amount or 0) <= MOST:
        problems["amount"] = "Give the amount that the budget should have, above zero."
    elif (asked.amount or 0) <= budget.amount:
        has = amounts.amount(budget.amount, budget.metric)
        problems["amount"] = f"The budget has {has} already. Ask for more than that."
    return Found(budget=budget, team=_team_of(budget), risks=_risks_of(budget))


def _team_of(budget: Budget) -> Team | None:
    """Whose budget it is: its team, else its workflow's; None: the company's."""
    if slug := budget.scope.get("team"):
        return Team.objects.filter(slug=slug).first()
    workflow = _workflow_of(budget)
    return workflow.team if workflow else None


def _risks_of(budget: Budget) -> tuple[str, ...]:
    workflow = _workflow_of(budget)
    return tuple(workflow.risk_categories) if workflow else ()


def _workflow_of(budget: Budget) -> Workflow | None:
    slug = budget.scope.get("workflow")
    found = Workflow.objects.select_related("merged_into__team", "team").filter(slug=slug).first() if slug else None
    return (found.merged_into or found) if found else None


def _find_workflow(asked: Asked, problems: dict[str, str]) -> Found:
    rows = Workflow.objects.select_related("merged_into__team", "team")
    workflow = rows.filter(slug=asked.workflow).first() if asked.workflow else None
    workflow = (workflow.merged_into or workflow) if workflow else None
    if workflow is None:
        problems["workflow"] = "There is no such workflow." if asked.workflow else "Choose the workflow this is for."
        return Found()
    if workflow.status == Workflow.Status.RESERVED:
        problems["workflow"] = "Calls without a workflow are kept here. Choose the workflow this is for."
    elif workflow.status == Workflow.Status.IGNORED:
        problems["workflow"] = f"“{workflow.name}” is out of use. Choose another, or have it taken back first."
    if said := _problem_with_tier(asked.tier, workflow):
        problems["tier"] = said
    return Found(workflow, team=workflow.team, risks=tuple(workflow.risk_categories))


def _problem_with_tier(tier: int | None, workflow: Workflow) -> str:
    names = tier_names()
    if not _is_number(tier) or tier not in names:
        return f"Choose which models: {', '.join(f'{number} for {name}' for number, name in sorted(names.items()))}."
    if workflow.default_tier is not None and (tier or 0) <= workflow.default_tier:
        return f"{workflow.name} may use {models_of(tier)} already. Choose better ones, or ask for nothing."
    return ""


def _check_limits(asked: Asked, now: datetime, problems: dict[str, str]) -> None:
    """An allowance always ends: at a sum, a number of runs or with its one run."""
    for name, value in (("run_id", asked.run_id), ("user", asked.user)):
        if len(value) > LONGEST_NAME:
            problems[name] = f"At most {LONGEST_NAME} characters."
    if asked.runs is not None and not (_is_number(asked.runs) and 1 <= asked.runs <= MOST_RUNS):
        problems["runs"] = f"Give a whole number of runs from 1 to {MOST_RUNS:,}, or leave it empty."
    if asked.ceiling is not None and not (_is_number(asked.ceiling) and 1 <= asked.ceiling <= MOST):
        problems["ceiling"] = "Give the most that may be spent as an amount above zero, or leave it empty."
    if asked.runs is None and asked.ceiling is None and not asked.run_id:
        problems["ceiling"] = "Say the most that may be spent, or for how many runs."
    until = asked.wanted_until
    if until is None:
        return
    if not isinstance(until, datetime) or until.tzinfo is None:
        problems["wanted_until"] = "Give a day and a time, or leave it empty."
    elif until <= now:
        problems["wanted_until"] = "This time is over. Choose a later one."
    elif until > now + LONGEST_WISH:
        problems["wanted_until"] = "Choose a time within the next year."


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: object) -> str:
    """Without what a database cannot store, and without edges."""
    return value.replace("\0", "").encode("utf-8", "ignore").decode().strip() if isinstance(value, str) else ""


def _checked_key(key: str) -> str:
    if len(key) > LONGEST_NAME or not key.isprintable():
        raise InvalidRequest(
            {"idempotency_key": f"An idempotency key has at most {LONGEST_NAME} printable characters."}
        )
    return key


def _digest_of(asked: Asked) -> bytes:
    """SHA-256 of what was asked, the same for the same words."""
    stated = {name: _text(value) if isinstance(value, str) else value for name, value in asdict(asked).items()}
    if isinstance(asked.wanted_until, datetime):
        stated["wanted_until"] = asked.wanted_until.timestamp()
    return hashlib.sha256(json.dumps(stated, sort_keys=True, default=str).encode("utf-8", "surrogatepass")).digest()


def _earlier(actor: Actor, key: str) -> ApprovalRequest | None:
    return ApprovalRequest.objects.filter(
        requested_text=actor.text[:150], api_key_id=actor.key_id, idempotency_key=key
    ).first()


def _same(earlier: ApprovalRequest | None, digest: bytes) -> ApprovalRequest:
    assert earlier is not None  # nobody deletes requests
    if bytes(earlier.idempotency_digest or b"") != digest:
        raise ReusedKey(earlier)
    return earlier
