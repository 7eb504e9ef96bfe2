"""Ask for the levers to be tried on the last thirty days, and carry it out in a worker.

A run writes nothing but how far it is and, at the end, what it found. How a worker holds it, dies and is followed:
`routing.replay.claim`. Each night one is asked for by the sweep itself.
"""

from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Organisation
from budgets.notices import alone
from budgets.organisation.configuration import current_generation
from reports.models import SavingsRun
from reports.savings import ledger
from reports.savings.lever import Known, TierModels
from reports.savings.levers import LEVERS
from reports.savings.replay import Replay
from reports.savings.result import Result, written
from reports.what_if import basis
from routing.replay.basis import live_policy
from routing.replay.claim import OPEN, Claim
from routing.replay.ledger import Counted, Window, count_calls
from usage.models import PriceEntry
from usage.prices import book

TASK = "reports.tasks.work_out_savings"
State = SavingsRun.State
SAVINGS_LOCK = 7_061_083  # advisory lock number, ours by choice: one worker at a time, so that others stay free
DAYS = 30
MOST_CALLS = 500_000  # looked at in one run; beyond, a sample of whole runs
KEPT = 10  # runs; older ones go


def days_before(now: datetime, organisation: Organisation) -> tuple[date, date]:
    """The first and last of the last thirty complete days."""
    last = day_of(now, organisation.zone) - DAY
    return last - (DAYS - 1) * DAY, last


def ask(actor: Actor | None = None, now: datetime | None = None) -> tuple[SavingsRun, bool]:
    """Have the levers tried on the last thirty complete days. The run, and whether it is new: one waits at a time.

    Without an actor it is the night's own, which leaves no row of history.
    """
    organisation = Organisation.get()
    first, last = days_before(now or timezone.now(), organisation)
    try:
        with transaction.atomic():
            run = SavingsRun.objects.create(
                first_day=first,
                last_day=last,
                zone=organisation.time_zone,
                starts_at=day_starts_at(first, organisation.zone),
                ends_at=day_starts_at(last + DAY, organisation.zone),
                asked_by=actor.user if actor else None,
            )
            if actor is not None:
                record(actor, "requested", run, None, {"first_day": str(first), "last_day": str(last)})
    except IntegrityError:  # the same was asked for at once, and may be done by now
        return SavingsRun.objects.filter(last_day=last).latest("pk"), False
    return run, True


def ask_nightly(now: datetime | None = None) -> bool:
    """Ask where nobody did since the last midnight; whether that was needed."""
    _, last = days_before(now or timezone.now(), Organisation.get())
    if SavingsRun.objects.filter(last_day=last).exclude(state=State.FAILED).exists():
        return False
    if SavingsRun.objects.filter(last_day=last, state=State.FAILED).count() > 2:
        return False  # tomorrow's days may do better
    return ask(now=now)[1]


def work_off() -> int:
    """Carry out what was asked for, and what a dead worker left; how many. 0 where another worker is at it."""
    return alone.work_off(SAVINGS_LOCK, SavingsRun.objects.filter(state__in=OPEN), carry_out)


def carry_out(run_id: int) -> None:
    """Do one, if it is not done yet; then forget the oldest."""
    run = SavingsRun.objects.defer("result", "basis").filter(pk=run_id).first()
    if run is None:
        return
    claim = Claim.of(run, timedelta(hours=2), "Tell whoever runs TokenOps.", done=0, calls=None, taken=None)
    if claim is None:
        return
    claim.carry_out(_work_out)
    for (oldest,) in SavingsRun.objects.filter(state=State.DONE).order_by("-pk").values_list("pk")[KEPT : KEPT + 1]:
        SavingsRun.objects.filter(pk__lte=oldest).exclude(state__in=OPEN).delete()


def _work_out(claim: Claim[SavingsRun]) -> None:
    run = claim.job
    counted = count_calls(Window(run.starts_at, run.ends_at), MOST_CALLS)
    claim.mark(calls=counted.calls, taken=counted.taken)
    sums = basis.read_basis(counted.window)
    claim.mark()
    with ledger.kept_calls(counted.window):
        shapes = ledger.shapes(counted.window, run.zone, DAYS)
        engine, done = Replay(LEVERS, shapes, known()), 0
        for calls in ledger.read_calls():
            for call in calls:
                engine.add(call)
            done += len(calls)
            claim.mark(done=done)
    found = written(result_of(engine, counted))
    claim.end(State.DONE, result=found, basis=basis.written(sums), done=done, taken=done)


def result_of(engine: Replay, counted: Counted) -> Result:
    """What is kept."""
    return Result(
        spent=ledger.spent(counted.window),
        calls=counted.calls,
        taken=counted.taken,
        share=counted.window.share,
        newest=counted.window.newest or 0,
        workflows=engine.found(),
    )


def known() -> Known:
    """Prices, the tiers in force and the models of the book, as they are now."""
    _, policy = live_policy()
    entries = PriceEntry.objects.filter(superseded_at=None, service_tier=book.STANDARD).order_by()
    return Known(
        prices=book.current(current_generation()),
        tiers=[
            TierModels(tier.number, tier.name, [(one.provider, one.model) for one in tier.models])
            for tier in policy.tiers
        ],
        listed=sorted(set(entries.values_list("provider", "model"))),
        now=timezone.now(),
    )


def newest_done() -> SavingsRun | None:
    """The newest run with figures, without those themselves, which are large (`reports.savings.stored`)."""
    return SavingsRun.objects.defer("result", "basis").filter(state=State.DONE).order_by("-pk").first()
