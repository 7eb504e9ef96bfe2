"""What is known of a version by its newest replay, for whoever decides on it."""

from dataclasses import dataclass
from datetime import datetime

from routing.models import PolicyReplay, PolicyVersion
from routing.replay.result import read


@dataclass(frozen=True, slots=True)
class ReplayFacts:
    """Sums over the calls that were tried, in nano-dollars; `before` by the policy in force, `after` by the version.

    `live_number` is that policy's. `cost_happened` is what they really cost. `calls` are those of the window, of which
    `taken` were tried: fewer is a sample, whose sums are the sample's. Calls without a known cost (`unknown`, by the
    version) are in no sum; `difference` is how much more the version costs, of the `compared` calls whose cost is known
    by both: these cost `compared_before` and `compared_after`.
    """

    replay: int
    live_number: int
    starts_at: datetime
    ends_at: datetime
    workflow: str
    calls: int
    taken: int
    cost_happened: int
    cost_before: int
    cost_after: int
    compared: int
    compared_before: int
    compared_after: int
    difference: int
    unknown: int
    blocked_before: int
    blocked: int
    approval: int
    lowered: int
    changed: int


def latest_facts(version: PolicyVersion) -> ReplayFacts | None:
    """Of the newest replay of all workflows that is done and of the version as it is now; None without one."""
    done = PolicyReplay.objects.filter(
        version=version, edit_version=version.edit_version, state=PolicyReplay.State.DONE, workflow=""
    )
    replay = done.order_by("-pk").first()
    if replay is None or replay.result is None:
        return None
    result = read(replay.result)
    total = result.total
    return ReplayFacts(
        replay=replay.pk,
        live_number=result.live_number,
        starts_at=replay.starts_at,
        ends_at=replay.ends_at,
        workflow=replay.workflow,
        calls=replay.calls or 0,
        taken=replay.taken or 0,
        cost_happened=total.happened.cost,
        cost_before=total.live.cost,
        cost_after=total.draft.cost,
        compared=total.compared,
        compared_before=total.live_compared,
        compared_after=total.draft_compared,
        difference=total.difference,
        unknown=total.draft.unpriced + total.draft.unmeasured,
        blocked_before=total.live.blocked,
        blocked=total.draft.blocked,
        approval=total.draft.approval,
        lowered=total.draft.lowered,
        changed=total.changed,
    )
