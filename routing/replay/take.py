"""Ask for a replay, carry it out in a worker, call it off.

A replay writes nothing but how far it is and, at the end, its result. How a worker holds it: `routing.replay.claim`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.models import Organisation
from budgets.notices.alone import work_off
from budgets.organisation.configuration import current_generation
from routing.models import PolicyReplay, PolicyVersion
from routing.policy.document import read as read_policy
from routing.replay import basis, ledger
from routing.replay.claim import GIVE_UP, OPEN, Claim
from routing.replay.result import Basis, Result, written
from routing.replay.run import Replay
from usage.prices import book

State = PolicyReplay.State
REPLAY_LOCK = 7_061_050  # advisory lock number, ours by choice: one worker replays at a time, so that others stay free
MOST_CALLS = 1_000_000  # tried in one replay; beyond, a sample of whole runs
LONGEST = timedelta(days=400)
KEPT = 20  # of a version; older ones go when another is asked for


def ask(
    actor: Actor, version_id: int, starts_at: datetime, ends_at: datetime, workflow: str = ""
) -> tuple[PolicyReplay, bool]:
    """Have a version tried on the calls of [starts_at, ends_at), of one workflow (its short name) or of all.

    The replay, and whether it is new: the same asked for twice while it waits is one. Problem 404 where there is no
    such version, 409 where it was discarded, 422 where the days make no sense.
    """
    refuse_window(starts_at, ends_at)
    with transaction.atomic():
        version = PolicyVersion.objects.select_for_update().filter(pk=version_id).first()
        if version is None:
            raise Problem(404, "not-found", "Not found", "There is no such draft.")
        if version.state == PolicyVersion.State.DISCARDED:
            raise Problem(409, "discarded", "Discarded", "This draft was discarded. Bring it back first.")
        asked: dict[str, Any] = {
            "version": version,
            "edit_version": version.edit_version,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "workflow": workflow,
        }
        same = PolicyReplay.objects.filter(**asked, state__in=OPEN).first()
        if same is not None:
            return same, False
        replay = PolicyReplay.objects.create(**asked, asked_by=actor.user)
        record(actor, "requested", replay, None, facts(replay))
        for (oldest,) in (
            PolicyReplay.objects.filter(version=version).order_by("-pk").values_list("pk")[KEPT : KEPT + 1]
        ):
            PolicyReplay.objects.filter(version=version, pk__lte=oldest).exclude(state__in=OPEN).delete()
    return replay, True


def refuse_window(starts_at: datetime, ends_at: datetime) -> None:
    """Raise a Problem with a sentence for the field where the window makes no sense."""
    wrong = ""
    if starts_at >= ends_at:
        wrong = "The end must come after the start."
    elif ends_at - starts_at > LONGEST:
        wrong = f"One preview covers at most {LONGEST.days} days."
    if wrong:
        raise Problem(422, "invalid", "Some values are not valid", errors={"ends_at": wrong})


def cancel(actor: Actor, replay_id: int) -> PolicyReplay:
    """Call it off; the worker stops within some thousand calls. Problem 404, or 409 where it has ended."""
    with transaction.atomic():
        replay = PolicyReplay.objects.select_for_update().filter(pk=replay_id).first()
        if replay is None:
            raise Problem(404, "not-found", "Not found", "There is no such preview.")
        if replay.state == State.CANCELLED:
            return replay
        if replay.state not in OPEN:
            raise Problem(409, "ended", "Ended already", f"This preview is {replay.get_state_display().lower()}.")
        before = {"state": replay.state}
        replay.state, replay.finished_at = State.CANCELLED, timezone.now()
        replay.save(update_fields=["state", "finished_at"])
        record(actor, "cancelled", replay, before, facts(replay))
    return replay


def facts(replay: PolicyReplay) -> dict[str, Any]:
    """A replay as the history has it."""
    return {
        "state": replay.state,
        "starts_at": replay.starts_at.isoformat(),
        "ends_at": replay.ends_at.isoformat(),
        "workflow": replay.workflow,
    }


def replay_waiting() -> int:
    """Carry out what was asked for, and what a dead worker left; how many. 0 where another worker is at it."""
    return work_off(REPLAY_LOCK, PolicyReplay.objects.filter(state__in=OPEN), carry_out)


def carry_out(replay_id: int) -> None:
    """Do one, if it is not done yet. The draft counts as it is now, and the replay says so by its `edit_version`."""
    replay = PolicyReplay.objects.select_related("version").defer("result").filter(pk=replay_id).first()
    if replay is None:
        return
    replay.edit_version = replay.version.edit_version
    anew = {"done": 0, "calls": None, "taken": None, "edit_version": replay.edit_version}
    claim = Claim.of(replay, GIVE_UP, "Try fewer days.", **anew)
    if claim is not None:
        claim.carry_out(_replay)


def _replay(claim: Claim[PolicyReplay]) -> None:
    replay = claim.job
    counted = ledger.count_calls(ledger.Window(replay.starts_at, replay.ends_at, replay.workflow), MOST_CALLS)
    claim.mark(calls=counted.calls, taken=counted.taken)
    prices = book.current(current_generation())
    number, live, draft = documents(replay)
    engine, done = Replay(live, draft, prices), 0
    for calls in ledger.read_calls(counted.window):
        for call in calls:
            engine.add(call)
        done += len(calls)
        claim.mark(done=done)
    found = result_of(engine, counted, number, live, draft)
    claim.end(State.DONE, result=written(found), done=done, taken=done)


def documents(replay: PolicyReplay) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The number of the policy in force, its document and that of the version that is tried."""
    content = basis.past_content(Organisation.get(), replay.starts_at, replay.ends_at)
    number, policy = basis.live_policy()
    version = replay.version
    tried = basis.document_of(read_policy(version.document), content, version.number or 0)
    return number, basis.document_of(policy, content, number), tried


def result_of(
    engine: Replay, counted: ledger.Counted, number: int, live: dict[str, Any], draft: dict[str, Any]
) -> Result:
    """What is kept: the sums, and what they were decided by, of the workflows that called."""
    kept: Iterable[str] = engine.workflows
    smaller = basis.only_of(draft, kept)
    return Result(
        live_number=number,
        share=counted.window.share,
        runs=engine.runs,
        total=engine.total,
        workflows=engine.workflows,
        tiers=engine.tiers,
        reasons=engine.reasons,
        rules=engine.rules,
        basis=Basis(
            document=smaller,
            differs=basis.differing(basis.only_of(live, kept), smaller),
            newest=counted.window.newest or 0,
            share=counted.window.share,
        ),
    )
