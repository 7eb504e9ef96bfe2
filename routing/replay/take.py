"""Ask for a replay, carry it out in a worker, call it off.

A replay writes nothing but how far it is and, at the end, its result. A worker that dies leaves it as running; whoever
holds the lock next begins it anew, so that a result is always of the whole. `claimed_at` is the worker's heartbeat and
its claim at once: who does not find there what it wrote last has lost it, or it was called off.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.models import Organisation
from budgets.organisation.configuration import current_generation
from routing.models import PolicyReplay, PolicyVersion
from routing.policy.document import read as read_policy
from routing.replay import basis, ledger
from routing.replay.result import Basis, Result, written
from routing.replay.run import Replay
from usage.prices import book

logger = logging.getLogger(__name__)
State = PolicyReplay.State
REPLAY_LOCK = 7_061_050  # advisory lock number, ours by choice: one worker replays at a time, so that others stay free
MOST_CALLS = 1_000_000  # tried in one replay; beyond, a sample of whole runs
LONGEST = timedelta(days=400)
KEPT = 20  # of a version; older ones go when another is asked for
GIVE_UP = timedelta(hours=2)  # of beginning again and again
OPEN = (State.WAITING, State.RUNNING)


class Lost(Exception):
    """Somebody called the replay off, or another worker has it."""


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
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [REPLAY_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    try:
        seen: list[int] = []
        waiting = PolicyReplay.objects.filter(state__in=OPEN).order_by("pk").values_list("pk", flat=True)
        while (replay_id := waiting.exclude(pk__in=seen).first()) is not None:  # one may come in meanwhile
            seen.append(replay_id)
            carry_out(replay_id)
        return len(seen)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [REPLAY_LOCK])


def carry_out(replay_id: int) -> None:
    """Do one. What goes wrong is on the replay, for whoever looks at it; a lost database leaves it to the next."""
    claim = Claim.take(replay_id)
    if claim is None:
        return
    try:
        _replay(claim)
    except Lost:
        return
    except OperationalError:
        raise
    except Exception as error:
        logger.exception("Replay %s failed.", replay_id)
        claim.end(State.FAILED, problem=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"[:500])


class Claim:
    """A worker's hold on a replay."""

    def __init__(self, replay: PolicyReplay, at: datetime) -> None:
        self.replay, self.at = replay, at

    @classmethod
    def take(cls, replay_id: int) -> "Claim | None":
        """Begin it, from the start; None where it has ended, or was begun again for too long.

        The draft counts as it is now, and the replay says so by its `edit_version`.
        """
        now = timezone.now()
        replay = PolicyReplay.objects.select_related("version").defer("result").filter(pk=replay_id).first()
        if replay is None or replay.state not in OPEN:
            return None
        claim = cls(replay, now)
        replay.edit_version = replay.version.edit_version
        begun = PolicyReplay.objects.filter(pk=replay_id, state=replay.state, claimed_at=replay.claimed_at)
        values = {"claimed_at": now, "done": 0, "calls": None, "taken": None, "edit_version": replay.edit_version}
        if not begun.update(state=State.RUNNING, **values):
            return None
        if replay.state == State.RUNNING and now - replay.created_at > GIVE_UP:
            claim.end(State.FAILED, problem="It was begun again and again and never came to an end. Try fewer days.")
            return None
        return claim

    def mark(self, **values: Any) -> None:
        """Say how far it is; Lost where it is not this worker's any more."""
        now = max(timezone.now(), self.at + timedelta(microseconds=1))
        mine = PolicyReplay.objects.filter(pk=self.replay.pk, state=State.RUNNING, claimed_at=self.at)
        if not mine.update(claimed_at=now, **values):
            raise Lost
        self.at = now

    def end(self, state: State, **values: Any) -> None:
        """The last word, if it is still this worker's."""
        mine = PolicyReplay.objects.filter(pk=self.replay.pk, state=State.RUNNING, claimed_at=self.at)
        mine.update(state=state, finished_at=timezone.now(), **values)


def _replay(claim: Claim) -> None:
    replay = claim.replay
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
