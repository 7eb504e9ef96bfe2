"""A request in words for people who never heard of a token. No queries but for names and the organisation's clock."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User

from budgets.approvals.tiers import models_of
from budgets.models import ApprovalRequest, Budget, Organisation
from budgets.pages import amounts
from budgets.pages.moments import clock, day, moment

State = ApprovalRequest.State


def person(user: User | None, text: str) -> str:
    """What somebody is called; `text` is what was written down when they did it: a user name, or "key Writer"."""
    return user.get_full_name() or text if user else text[:1].upper() + text[1:]


def local(when: datetime) -> datetime:
    """As the organisation's clock shows it."""
    return Organisation.get().local(when)


def asker(request: ApprovalRequest) -> str:
    return person(request.requested_by, request.requested_text)


def subject(request: ApprovalRequest, names: Mapping[int, str] | None = None) -> str:
    """What is asked for: "Premium models for SEO briefs", "$6,000 for the budget Translation".

    `names`: those of the tiers, where many requests are told of.
    """
    if request.kind == ApprovalRequest.Kind.BUDGET:
        assert request.budget is not None and request.amount is not None
        return f"{_amount(request.amount, request.budget)} for the budget {request.budget.name}"
    if request.kind == ApprovalRequest.Kind.POLICY:
        return f"The policy “{request.policy_title}”"
    assert request.workflow is not None
    narrowed = f", run {request.run_id}" if request.run_id else ""
    narrowed += f", only for {request.subject_user}" if request.subject_user else ""
    return f"{models_of(request.tier, names)} for {request.workflow.name}{narrowed}"


def title(request: ApprovalRequest) -> str:
    """One line that leads with the amount: "$230 more: Premium models for SEO briefs"."""
    if request.kind == ApprovalRequest.Kind.POLICY and request.extra_cost is None:
        return subject(request)
    return f"{cost(request)}: {subject(request)}"


def asked(
    request: ApprovalRequest, organisation: Organisation | None = None, names: Mapping[int, str] | None = None
) -> str:
    """Who asks for what: "Kim asks for Premium models for SEO briefs: for 40 runs, at most $300, until 30 Nov."."""
    if request.kind == ApprovalRequest.Kind.POLICY:
        return f"{asker(request)} asks to publish the policy “{request.policy_title}”."
    limits = []
    if request.runs is not None:
        limits.append("for 1 run" if request.runs == 1 else f"for {request.runs:,} runs")
    if request.ceiling is not None:
        limits.append(f"at most {amounts.whole(request.ceiling)}")
    if request.wanted_until is not None:
        local = (organisation or Organisation.get()).local(request.wanted_until)
        limits.append(f"until {day(local.date())}, {clock(local)}")
    return f"{asker(request)} asks for {subject(request, names)}{': ' if limits else ''}{', '.join(limits)}."


def cost(request: ApprovalRequest) -> str:
    """ "$230 more"; where that is not known, the most that it can be."""
    if request.kind == ApprovalRequest.Kind.POLICY:
        return _on_past_calls(request)
    if request.extra_cost is not None:
        return f"{amounts.whole(request.extra_cost)} more"
    if request.ceiling is not None:
        return f"Up to {amounts.whole(request.ceiling)}"
    return "Cost not known yet"


def _on_past_calls(request: ApprovalRequest) -> str:
    """ "$120 less"; of a policy that was tried on past calls. "About", where only on a sample."""
    extra, calls = request.extra_cost, request.facts.get("policy_calls")
    if extra is None:
        return "Not tried on past calls" if calls is None else "Cost not known"
    if not extra:
        return "No change in cost"
    about = "About " if (request.facts.get("policy_calls_of") or 0) > (calls or 0) else ""
    return f"{about}{amounts.cents(abs(extra))} {'more' if extra > 0 else 'less'}"


def tried(request: ApprovalRequest) -> str:
    """What a policy would have done: "12,000 past calls: $400.00 instead of $520.00, 3 refused, 40 to be approved".

    "" where it was not tried. Costs are of the calls whose cost both policies know.
    """
    facts = request.facts
    calls, before, after = (facts.get(f"policy_{name}") for name in ("calls", "cost_before", "cost_after"))
    if calls is None or before is None or after is None:
        return ""
    of, compared = facts.get("policy_calls_of") or calls, facts.get("policy_compared", calls)
    said = f"{calls:,} past call{'' if calls == 1 else 's'}{f', a sample of {of:,}' if of > calls else ''}: "
    if not compared:
        said += "what they would have cost is not known"
    else:
        said += f"{amounts.cents(after)} instead of {amounts.cents(before)}"
        said += f" for the {compared:,} whose cost is known" if compared < calls else ""
    refused, approvals = facts.get("policy_blocked") or 0, facts.get("policy_approvals") or 0
    said += f", {refused:,} refused" if refused else ""
    return said + (f", {approvals:,} to be approved" if approvals else "")


def what_changes(request: ApprovalRequest) -> list[str]:
    """A policy's changes, a sentence each; none for other kinds."""
    return [str(one) for one in request.facts.get("policy_changes") or []]


def based_on(request: ApprovalRequest) -> str:
    """What the cost was computed from; "" for a budget."""
    if request.kind != ApprovalRequest.Kind.PREMIUM:
        return ""
    runs = request.facts.get("based_on_runs") or 0
    if not runs:
        return "There are no past runs to tell the cost from."
    return f"Computed from {'1 past run' if runs == 1 else f'{runs:,} past runs'}."


def each_run(request: ApprovalRequest) -> str:
    """ "$5.75 instead of $1.20"; "" where not known."""
    dear, now = request.facts.get("premium_per_run"), request.facts.get("cost_per_run")
    if dear is None:
        return ""
    return amounts.cents(dear) + (f" instead of {amounts.cents(now)}" if now is not None else "")


def cheaper(request: ApprovalRequest) -> str:
    """The cheaper choice: "Standard models: $40 more"; "" where none is known."""
    facts = request.facts
    if facts.get("cheaper_tier") is None and not facts.get("cheaper_name"):
        return ""
    name = f"{facts['cheaper_name']} models" if facts.get("cheaper_name") else models_of(facts["cheaper_tier"])
    if facts.get("cheaper_extra") is not None:
        return f"{name}: {amounts.whole(facts['cheaper_extra'])} more"
    if facts.get("cheaper_per_run") is not None:
        return f"{name}: {amounts.cents(facts['cheaper_per_run'])} a run"
    return name


def on_budget(request: ApprovalRequest) -> str:
    """What it does to the tightest budget: "SEO briefs: $4,200 of $5,000 spent, $4,430 with this"."""
    facts = request.facts
    if facts.get("budget_limit") is None or facts.get("budget_spent") is None:
        return ""
    said = f"{amounts.whole(facts['budget_spent'])} of {amounts.whole(facts['budget_limit'])} spent"
    if facts.get("budget_after") is not None:
        said += f", {amounts.whole(facts['budget_after'])} with this"
    return f"{facts['budget_name']}: {said}" if facts.get("budget_name") else said


def landing(request: ApprovalRequest) -> str:
    """Where the month ends: "$5,100, with this $5,330"; "" where not known."""
    before, after = request.facts.get("landing"), request.facts.get("landing_after")
    if before is None:
        return ""
    return amounts.whole(before) + (f", with this {amounts.whole(after)}" if after is not None else "")


def landing_label(facts: Mapping[str, Any]) -> str:
    """ "Expected by 30 Nov"."""
    try:
        return f"Expected by {day(date.fromisoformat(facts.get('landing_on') or ''))}"
    except ValueError:
        return "Expected by the end"


def needs(request: ApprovalRequest) -> str:
    """ "" where one person decides."""
    if request.approvers_needed < 2:
        return ""
    first = [vote for vote in request.votes.all() if vote.approves]
    if request.state == State.WAITING and first:
        return f"{person(first[0].user, first[0].user.get_username())} approved. One more person has to."
    return "Two people have to approve."


def lapses(request: ApprovalRequest, now: datetime, organisation: Organisation | None = None) -> str:
    """ "Lapses on 25 Nov, 14:00 if nobody decides."."""
    organisation = organisation or Organisation.get()
    when = moment(organisation.local(request.lapses_at), organisation.local(now))
    return f"Lapses {'at' if ',' not in when else 'on'} {when} if nobody decides."


def decided(request: ApprovalRequest, now: datetime, organisation: Organisation | None = None) -> str:
    """Who did what, and when: "Lena approved this at 14:22."; "" while it waits."""
    if request.decided_at is None:
        return ""
    organisation = organisation or Organisation.get()
    when = moment(organisation.local(request.decided_at), organisation.local(now))
    when = f"{'at' if ',' not in when else 'on'} {when}"
    who = person(request.decided_by, request.decided_text)
    return {
        State.APPROVED: f"{who} approved this {when}.",
        State.DECLINED: f"{who} declined this {when}.",
        State.LAPSED: f"Nobody decided in time: this lapsed {when}.",
        State.WITHDRAWN: f"{who} withdrew this {when}.",
        State.UNDONE: f"This was approved, and {who} undid that {when}.",
    }.get(State(request.state), "")


def outcome(request: ApprovalRequest, now: datetime, organisation: Organisation | None = None) -> str:
    """ "Approved by Lena, 14:22": what stands where the buttons were; "" while it waits."""
    if request.decided_at is None:
        return ""
    organisation = organisation or Organisation.get()
    when = moment(organisation.local(request.decided_at), organisation.local(now))
    who = person(request.decided_by, request.decided_text)
    return {
        State.APPROVED: f"Approved by {who}, {when}",
        State.DECLINED: f"Declined by {who}, {when}",
        State.LAPSED: f"Lapsed, {when}: nobody decided in time",
        State.WITHDRAWN: f"Withdrawn by {who}, {when}",
        State.UNDONE: f"Approved, then undone by {who}, {when}",
    }.get(State(request.state), "")


def _amount(value: int, budget: Budget) -> str:
    return amounts.amount(value, budget.metric)
