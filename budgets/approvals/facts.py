"""What somebody asks for, and what it would cost, as values. Pure; the floors above compute the facts."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was asked for. Money (`ceiling`) in nano-dollars, `amount` in the budget's metric.

    `kind` premium: `workflow` (slug) and `tier`, maybe `run_id` or `user` to narrow it, `runs` and `ceiling` at most,
    until `wanted_until` (aware). `kind` budget: `budget` (slug) and its new `amount`. `kind` policy: the draft's key on
    the floor above, which alone asks for it, and its title.
    """

    kind: str
    reason: str
    workflow: str = ""
    run_id: str = ""
    user: str = ""
    tier: int | None = None
    runs: int | None = None
    ceiling: int | None = None
    wanted_until: datetime | None = None
    budget: str = ""
    amount: int | None = None
    policy: int | None = None
    policy_title: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was known when it was asked; nano-dollars, null where not known. Frozen with the request.

    `extra_cost` of all the runs together over what they cost now. `budget_*`: the tightest budget that the calls fall
    under, before; `*_after` with the extra cost. `landing` is what that budget is expected to come to by the period's
    end. `cheaper_*`: the tier below that might do, and what it would cost. `based_on_runs`: how many past runs the
    figures are computed from; 0: from nothing, so they are null.

    `policy_*`: what a draft changes in sentences, and the number of the version in force that it is to replace; if it
    was tried on past calls, on how many (of `policy_calls_of`: fewer is a sample), what those of them whose cost is
    known (`policy_compared`) cost by the one in force and by the draft, and how many the draft would refuse or have
    somebody approve. `extra_cost` is over all of them.
    """

    runs: int | None = None
    cost_per_run: int | None = None
    premium_per_run: int | None = None
    extra_cost: int | None = None
    based_on_runs: int = 0
    budget: str = ""
    budget_name: str = ""
    budget_limit: int | None = None
    budget_spent: int | None = None
    budget_after: int | None = None
    landing: int | None = None
    landing_after: int | None = None
    landing_on: str = ""
    cheaper_tier: int | None = None
    cheaper_name: str = ""
    cheaper_per_run: int | None = None
    cheaper_extra: int | None = None
    policy_changes: list[str] | None = None
    policy_over: int | None = None
    policy_calls: int | None = None
    policy_calls_of: int | None = None
    policy_compared: int | None = None
    policy_cost_before: int | None = None
    policy_cost_after: int | None = None
    policy_blocked: int | None = None
    policy_approvals: int | None = None

    def as_json(self) -> dict[str, Any]:
        """For `ApprovalRequest.facts`."""
        return asdict(self)
