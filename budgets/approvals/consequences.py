"""What follows from a decision, by kind: an allowance made or ended, a budget raised or lowered.

Of a policy it is only said here. The floor above puts it in force when it finds the approved request.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Sum

from budgets.approvals import messages, words
from budgets.approvals.refusals import CannotApply
from budgets.audit.record import Actor
from budgets.limits.edit import StaleEdit, change_budget, last_change
from budgets.limits.edit import undo_change as undo_budget
from budgets.limits.values import values_of
from budgets.models import ApprovalRequest, AuditEntry, Grant
from budgets.pages import amounts
from budgets.pages.moments import day_year

ANEW = "Decline this; it can be asked for anew."


def before_closing(request: ApprovalRequest, now: datetime) -> dict[str, Any]:
    """What an approval makes before the request is closed; what of it goes into the history. Raises CannotApply."""
    if request.kind == request.Kind.PREMIUM:
        return allow(request, now)
    if request.kind == request.Kind.POLICY:
        return {"policy": request.policy_title}
    return {"amount": request.amount}


def take_back(request: ApprovalRequest, now: datetime) -> str:
    """What undoing an approval comes to, in a sentence; an allowance ends here. Raises CannotApply."""
    if request.kind == request.Kind.PREMIUM:
        return end_allowance(request, now)
    if request.kind == request.Kind.POLICY:
        return "What was in force before it is in force again."
    return lower_words(request)


def spent_of(grant: Grant) -> int:
    """Nano-dollars spent on it so far, with what is not folded yet."""
    waiting = grant.charges.aggregate(sum=Sum("cost", default=0))["sum"]
    return int(grant.spent + waiting)


def allow(request: ApprovalRequest, now: datetime) -> dict[str, Any]:
    """Make the grant; what of it goes into the history."""
    from budgets.grants.make import make_grant

    workflow = request.workflow
    assert workflow is not None
    workflow = workflow.merged_into or workflow
    if workflow.status == workflow.Status.IGNORED:
        raise CannotApply(f"“{workflow.name}” was taken out of use since this was asked. Decline it, or take it back.")
    if request.wanted_until is not None and request.wanted_until <= now:
        raise CannotApply("The time that this was wanted for is over. It can be asked for anew.")
    lowest = [one for one in request.votes.values_list("ceiling", flat=True) if one is not None]
    grant = make_grant(request, now, ceiling=min(lowest) if lowest else None)
    return without_none(
        grant=grant.key, ceiling=grant.ceiling, runs=grant.ceiling_runs, expires_at=grant.expires_at.isoformat()
    )


def raise_budget(actor: Actor, request: ApprovalRequest, reason: str) -> None:
    """Give the budget its new amount, unless it is another budget by now than the one that was asked about."""
    budget = request.budget
    assert budget is not None and request.amount is not None
    asked, has = request.before or {}, amounts.amount(budget.amount, budget.metric)
    if any(asked.get(name, getattr(budget, name)) != getattr(budget, name) for name in ("metric", "period")):
        raise CannotApply(f"What “{budget.name}” counts, or its period, was changed since. {ANEW}")
    if budget.amount >= request.amount:
        raise CannotApply(f"The budget has {has} by now, so there is nothing to raise. Decline this instead.")
    if budget.amount < asked.get("amount", budget.amount):
        raise CannotApply(
            f"The budget was lowered to {has} since, so this would raise it by more than was asked. {ANEW}"
        )
    said = f"Approved request {request.pk}{f': {reason}' if reason else ''}"
    entry = last_change(change_budget(actor, budget, replace(values_of(budget), amount=request.amount), said[:500]))
    assert entry is not None
    request.before = asked | {"replaced": budget.amount, "entry": entry.pk}
    request.save(update_fields=["before"])


def what_follows(request: ApprovalRequest) -> str:
    """What an approval comes to, in a sentence."""
    if request.kind == request.Kind.POLICY:
        return "It is put in force now."
    with messages.showing_their_currency():
        if request.kind == request.Kind.BUDGET:
            assert request.budget is not None and request.amount is not None
            return f"The budget has {amounts.amount(request.amount, request.budget.metric)} from now on."
        grant = request.grant
        until = day_year(words.local(grant.expires_at).date())
        most = f"at most {amounts.whole(grant.ceiling)}, " if grant.ceiling is not None else ""
        runs = f"{grant.ceiling_runs:,} {'run' if grant.ceiling_runs == 1 else 'runs'}, " if grant.ceiling_runs else ""
        return f"Allowed from now on: {most}{runs}until {until}."


def end_allowance(request: ApprovalRequest, now: datetime) -> str:
    """End what is left of it; the sentence with what was spent."""
    from budgets.grants.end import end_grant

    grant = request.grant
    is_over = grant.expires_at <= now  # whether or not a worker has written that down
    if is_over or not end_grant(grant, Grant.End.UNDONE, now):
        grant.refresh_from_db()
        how = (grant.get_end_display() or Grant.End.EXPIRED.label).lower()
        raise CannotApply(f"This allowance is over already ({how}), so there is nothing left to take back.")
    with messages.showing_their_currency():
        spent = spent_of(grant)
        return (
            f"What was left of the allowance is gone. {amounts.cents(spent)} was spent on it and stays spent."
            if spent > 0
            else "The allowance is gone. Nothing was spent on it."
        )


def lower_words(request: ApprovalRequest) -> str:
    """What undoing a raise comes to."""
    budget, replaced = request.budget, (request.before or {}).get("replaced")
    assert budget is not None
    if replaced is None:
        raise CannotApply("What the budget had before is not known any more. Change it on its own page.")
    with messages.showing_their_currency():
        return f"The budget has {amounts.amount(replaced, budget.metric)} again. What was spent stays spent."


def lower_again(actor: Actor, request: ApprovalRequest) -> None:
    """Give the budget back the amount it had, if nobody changed it since."""
    assert request.budget is not None and request.before is not None  # as `lower_words` found
    entry = AuditEntry.objects.get(pk=request.before["entry"])
    try:
        undo_budget(actor, request.budget, entry)
    except StaleEdit as error:
        said = "Somebody changed this budget since it was approved, so this cannot be undone here. Change the budget."
        raise CannotApply(said) from error


def without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
