"""Take a slice of what is left of a limit, atomically: spent + reserved never exceed it, whoever asks meanwhile.

Who gives of one limit holds its lock to the end of the transaction and reads what is free after taking it. The lock is
an advisory one of the budget or workflow, not the budget's row: evaluation leaves out rows that are held, and a budget
that is asked for all the time would never be judged. Order: configuration lock (shared), this, rows.
"""

import hmac
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NoReturn

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from budgets.leases import counted, terms
from budgets.leases.reading import Standing, reserved_of_workflows, standing_of_budget
from budgets.limits.evaluate import evaluate_here
from budgets.models import Budget, Lease, Organisation, Workflow
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import HOLD_CONFIGURATION

BUDGET_LOCK = 7_061_070  # advisory lock numbers, ours by choice: with a budget's id beside it
WORKFLOW_LOCK = 7_061_071  # with a workflow's id
KEY_LENGTH = 20  # six fit into an event's lease_id; 100 random bits
LETTERS = string.ascii_lowercase + "234567"
SOON = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. `subject`: the short name of a budget (kind money) or a workflow.

    `amount` and `at_least` in nano-dollars, calls or tokens; None where the caller has no wish.
    """

    kind: str
    subject: str
    environment: str = ""
    task_type: str = ""
    amount: int | None = None
    at_least: int | None = None
    client: str = ""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a key and its source, None for a person; `once` is the idempotency key, "" for none."""

    key_id: int | None = None
    source_id: int | None = None
    once: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """The lease; what was free after it. `is_new` is False where the same was asked before."""

    lease: Lease
    remaining: int
    is_new: bool = True


class Unknown(LookupError):
    """There is no such budget."""


class NotLeased(Exception):
    """Nothing to reserve there. `code` is stable, the text a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class NothingFree(Exception):
    """Not now. `retry_at` is worth another try, `resets_at` begins the next period; `free` in the unit of the kind."""

    def __init__(
        self, code: str, sentence: str, now: datetime, retry_at: datetime, resets_at: datetime | None, free: int
    ) -> None:
        super().__init__(sentence)
        self.code, self.now, self.retry_at, self.resets_at, self.free = code, now, retry_at, resets_at, free


@dataclass(frozen=True, slots=True)
class Limited:
    """The limit that a lease is of, as rows."""

    kind: str
    name: str
    budget: Budget | None = None
    workflow: Workflow | None = None
    environment: str = ""


def take(wish: Wish, asker: Asker = Asker(), now: datetime | None = None) -> Taken:
    """Reserve. `now` (aware) is the database's clock unless given.

    Raises Unknown, NotLeased, NothingFree; ReusedKey where `asker.once` was used for something else.
    """
    give = _of_budget if wish.kind == terms.MONEY else _of_workflow
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD_CONFIGURATION)
        return give(cursor, wish, asker, now)


def lock_budget(cursor: Any, budget_id: int) -> None:
    """Wait until nobody else gives of this budget; held to the end of the transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [BUDGET_LOCK, budget_id])


def lock_workflow(cursor: Any, workflow_id: int) -> None:
    """The same for the calls and tokens of a workflow, the one that its aliases count under."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [WORKFLOW_LOCK, workflow_id])


class ReusedKey(Exception):
    """The idempotency key was used before for something else."""

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another lease. Use a new key for a new lease.")


def _of_budget(cursor: Any, wish: Wish, asker: Asker, now: datetime | None) -> Taken:
    budget = Budget.objects.filter(slug=wish.subject).first()
    if budget is None:
        raise Unknown(wish.subject)
    lock_budget(cursor, budget.pk)
    of = Limited(wish.kind, f"the budget {budget.name}", budget=budget)
    with once(asker, of) as (key, earlier):
        if earlier is None and (not budget.is_hard or budget.status != Budget.Status.ACTIVE):
            raise NotLeased("no-lease-needed", f"The budget {budget.name} reserves nothing. Call without a lease.")
        standing = standing_of_budget(cursor, budget.pk, now) or _just_begun(cursor, budget, now)
        return Taken(earlier, max(0, standing.free), False) if earlier else _give(of, wish, asker, standing, key)


def _just_begun(cursor: Any, budget: Budget, now: datetime | None) -> Standing:
    """A period began a moment ago: have its state written at once, rather than by the next sweep."""
    moment = now or _clock(cursor)
    done = evaluate_here(cursor, [budget.pk], moment)
    transaction.on_commit(hint_settle)
    standing = standing_of_budget(cursor, budget.pk, now)
    if standing is not None:
        return standing
    if done.budget_ids:
        raise NotLeased("no-lease-needed", f"The budget {budget.name} does not run now. Call without a lease.")
    said = f"What the budget {budget.name} has spent is being counted."
    raise NothingFree("not-counted-yet", said, moment, moment + SOON, None, 0)


def _of_workflow(cursor: Any, wish: Wish, asker: Asker, now: datetime | None) -> Taken:
    found = Workflow.objects.filter(slug=wish.subject).select_related("merged_into").first()
    if found is None:
        said = f"Nothing was ever counted for a workflow {wish.subject}. Call without a lease."
        raise NotLeased("no-lease-needed", said)
    workflow = found.merged_into or found
    if workflow.paused_at is not None:
        raise NotLeased("workflow-paused", f"{workflow.name} was stopped. Its calls wait until it is resumed.")
    lock_workflow(cursor, workflow.pk)
    calls = wish.kind == terms.CALLS
    environment = "" if calls else wish.environment or counted.PRODUCTION
    of = Limited(wish.kind, workflow.name, workflow=workflow, environment=environment)
    with once(asker, of) as (key, earlier):
        limit = (
            counted.calls_a_minute(workflow, wish.task_type)
            if calls
            else counted.tokens_a_day(workflow, environment, wish.task_type)
        )
        if limit is None and earlier is None:
            what = "calls a minute" if calls else f"tokens a day in {environment}"
            raise NotLeased("no-lease-needed", f"{workflow.name} has no limit of {what}. Call without a lease.")
        standing = standing_of_workflow(cursor, of, limit or 0, now)
        return Taken(earlier, max(0, standing.free), False) if earlier else _give(of, wish, asker, standing, key)


def standing_of_workflow(cursor: Any, of: Limited, limit: int, now: datetime | None) -> Standing:
    """Where a limit of calls or tokens stands.

    What is reserved is read before what the ledger has: what moves from one to the other meanwhile counts on both
    sides, never on none.
    """
    assert of.workflow is not None
    ids = list(Workflow.objects.filter(Q(pk=of.workflow.pk) | Q(merged_into=of.workflow)).values_list("pk", flat=True))
    moment, reserved, soonest = reserved_of_workflows(cursor, ids, of.kind, of.environment, now)
    if of.kind == terms.CALLS:
        return Standing(moment, limit, 0, reserved, terms.minute_of(moment), soonest)
    window = terms.day_window(moment, Organisation.get().zone)
    used = counted.tokens_used(ids, of.environment, window.starts_at, window.ends_at)
    return Standing(moment, limit, used, reserved, window, soonest)


def _give(of: Limited, wish: Wish, asker: Asker, standing: Standing, key: str) -> Taken:
    amount = terms.granted(of.kind, standing.free, wish.amount, wish.at_least)
    if amount is None:
        _refuse(of, standing)
    times = terms.times_of(of.kind, standing.now, standing.window)
    lease = Lease.objects.create(
        key=key,
        kind=of.kind,
        budget=of.budget,
        workflow=of.workflow,
        environment=of.environment,
        window_start=standing.window.starts_at,
        window_end=standing.window.ends_at,
        amount=amount,
        api_key_id=asker.key_id,
        client=wish.client,
        starts_at=standing.now,
        expires_at=times.expires_at,
        held_until=times.held_until,
    )
    return Taken(lease, standing.free - amount)


def _refuse(of: Limited, standing: Standing) -> NoReturn:
    """Nothing is free, or less than one call needs: until others give back, or until the limit begins anew."""
    ends_at, soonest, free = standing.window.ends_at, standing.soonest, max(0, standing.free)
    if standing.reserved and standing.spent < standing.limit:
        retry_at = min(ends_at, standing.now + terms.LASTS, soonest or ends_at)
        said = f"What is left of {of.name} is reserved by other callers. Some of it may be given back soon."
        raise NothingFree("all-reserved", said, standing.now, retry_at, ends_at, free)
    said = f"Nothing is left of {of.name} until its limit begins anew."
    if free:
        said = f"Less is left of {of.name} than one call needs, until its limit begins anew."
    raise NothingFree("nothing-left", said, standing.now, ends_at, ends_at, free)


@contextmanager
def once(asker: Asker, of: Limited) -> Iterator[tuple[str, Lease | None]]:
    """The new lease's key, and the lease that was taken with this idempotency key before. Under the limit's lock.

    The key follows from who asks and the idempotency key, so a repetition finds it; nobody without our secret can say
    which it is.
    """
    if not asker.once:
        yield "".join(secrets.choice(LETTERS) for _ in range(KEY_LENGTH)), None
        return
    said = f"lease|{asker.source_id}|{asker.key_id if asker.source_id is None else ''}|{asker.once}"
    digest = hmac.digest(settings.SECRET_KEY.encode(), said.encode(), sha256)
    key = "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:KEY_LENGTH])
    earlier = Lease.objects.filter(key=key).select_related("budget", "workflow").first()
    if earlier and (earlier.kind, earlier.budget, earlier.workflow, earlier.environment) != (
        of.kind, of.budget, of.workflow, of.environment,
    ):  # fmt: skip
        raise ReusedKey
    yield key, earlier


def _clock(cursor: Any) -> datetime:
    cursor.execute("SELECT clock_timestamp()")
    moment: datetime = cursor.fetchone()[0]
    return moment
