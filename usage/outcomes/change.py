"""Outcomes that people set on a page, and taking messages back: each with its row of history."""

from collections.abc import Sequence

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.models import Workflow
from usage.ingest.event import Refusal
from usage.ingest.write import Sender
from usage.models import OutcomeMessage, Run
from usage.outcomes.apply import apply_outcomes, restate, take_lock
from usage.outcomes.decode import Item
from usage.outcomes.message import Outcome, check
from usage.outcomes.take import Taking

PATIENCE = 5.0  # seconds that somebody waits for a folder at work
BUSY = "TokenOps is adding up calls at this moment. Nothing was changed; try again in a few seconds."
NOBODY = Sender(0, "")


class RefusedOutcome(ValueError):
    """Why it cannot be done now, in a sentence; `field` where one is to blame."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


def set_outcome(actor: Actor, run: Run, workflow: Workflow, said: Outcome, reason: str = "") -> OutcomeMessage:
    """Say by hand what became of a run, and apply it. Raises RefusedOutcome."""
    assert actor.user is not None
    try:
        check(said)
    except Refusal as error:
        raise RefusedOutcome(error.detail, error.field) from error
    taking = Taking(NOBODY, [Item(0, said)], entered_by=actor.user.pk)
    with transaction.atomic():
        taking.write()
        if not taking.made:
            refusal = taking.verdicts[0][1]
            raise RefusedOutcome(refusal.detail if refusal else "It was not taken.")
        message = OutcomeMessage.objects.get(pk=taking.made[0])
        record(actor, "set", message, {"outcome": run.outcome}, as_json(message, workflow), reason)
    apply_outcomes(PATIENCE)
    message.refresh_from_db()
    return message


def take_back(actor: Actor, message: OutcomeMessage) -> None:
    """Let it count no more; the run is what its other messages say. Raises RefusedOutcome."""
    with transaction.atomic():
        if not taken_back([message.pk]):
            raise RefusedOutcome("This was taken back already.")
        record(actor, "took back", message, {"outcome": message.outcome}, {"outcome": None})


def bring_back(actor: Actor, message: OutcomeMessage) -> None:
    """Let what was taken back count again. Raises RefusedOutcome."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            row = _held(cursor, [message.pk], is_taken_back=True)
            if not row:
                raise RefusedOutcome("This counts already.")
            OutcomeMessage.objects.filter(pk=message.pk).update(taken_back_at=None)
            _restate(cursor, row)
            record(actor, "brought back", message, {"outcome": None}, {"outcome": message.outcome})
    except IntegrityError as error:
        raise RefusedOutcome("The same was sent again meanwhile, and counts.") from error


def taken_back(ids: Sequence[int]) -> int:
    """Take these back, in the caller's transaction; how many still counted. Raises RefusedOutcome."""
    with connection.cursor() as cursor:
        rows = _held(cursor, ids, is_taken_back=False)
        OutcomeMessage.objects.filter(pk__in=[row.pk for row in rows]).update(
            taken_back_at=timezone.now(), is_duplicate=False
        )
        _restate(cursor, rows)
    return len(rows)


def _held(cursor: object, ids: Sequence[int], *, is_taken_back: bool) -> list[OutcomeMessage]:
    """The rows, under the lock of folding, which comes before theirs wherever both are taken."""
    if not take_lock(cursor, PATIENCE):
        raise RefusedOutcome(BUSY)
    rows = OutcomeMessage.objects.select_for_update().filter(pk__in=ids, taken_back_at__isnull=not is_taken_back)
    return list(rows.order_by("pk"))


def _restate(cursor: object, rows: Sequence[OutcomeMessage]) -> None:
    now = timezone.now()
    restate(cursor, {(row.applied_to, row.run_id): now for row in rows if row.applied_to is not None})


def as_json(message: OutcomeMessage, workflow: Workflow) -> dict[str, object]:
    """What was said, as the history has it."""
    said = {
        "outcome": message.outcome,
        "workflow": workflow.slug,
        "run": message.run_id,
        "reviewer": message.reviewer,
        "review_minutes": message.review_minutes,
        "satisfaction": message.satisfaction,
        "misrouted": message.misrouted,
        "revenue": message.revenue,
        "minutes_saved": message.minutes_saved,
        "cases": message.cases,
        "asset": message.asset,
    }
    kept = {name: value for name, value in said.items() if value not in (None, "")}
    return {name: f"{value:f}" if hasattr(value, "as_tuple") else value for name, value in kept.items()}
