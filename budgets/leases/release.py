"""Give a lease back, or go on with it. Under its limit's lock, as it was taken."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from budgets.leases import counted, terms
from budgets.leases.holdings import charged_of
from budgets.leases.reading import Standing, standing_of_budget
from budgets.leases.take import Limited, lock_budget, lock_workflow, standing_of_workflow
from budgets.models import Budget, Lease
from budgets.organisation.configuration import HOLD_CONFIGURATION


class Over(Exception):
    """The lease cannot be renewed: a sentence that says why."""


def release(lease: Lease, used: int, now: datetime | None = None) -> Lease:
    """Free what its calls did not use; `used` in all, calls not reported yet included. A second time changes nothing.

    After it expired this still says how much of it is worth waiting for.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        row, moment = _locked(cursor, lease, now)
        if row.released_at is None and row.held_until > moment:
            row.released_at, row.used = moment, used
            if row.kind != terms.CALLS:  # what calls used of a minute stays used until its end
                waits = terms.reserves(row.amount, used, charged_of([row])[row.pk]) > 0
                row.held_until = min(row.held_until, moment + terms.GRACE) if waits else moment
            row.save(update_fields=["released_at", "used", "held_until"])
    return row


def renew(lease: Lease, now: datetime | None = None) -> Lease:
    """The same with a later end. Raises Over where it has ended, or nothing may be reserved any more."""
    with transaction.atomic(), connection.cursor() as cursor:
        row, moment = _locked(cursor, lease, now)
        if row.kind == terms.CALLS:
            raise Over("Calls are reserved for their minute only. Take a new lease.")
        if row.released_at is not None or row.expires_at <= moment:
            raise Over("This lease has ended. Take a new one.")
        standing = _standing(cursor, row, now)
        if standing is None or standing.window.ends_at != row.window_end:
            raise Over("What this lease is of has ended, or is not limited any more. Release it.")
        if standing.free < 0:
            raise Over("The limit is below what is spent and reserved by now. Release this lease.")
        window = terms.Window(row.window_start, row.window_end)
        times = terms.times_of(row.kind, moment, window)
        row.expires_at, row.held_until = times.expires_at, times.held_until
        row.save(update_fields=["expires_at", "held_until"])
    return row


def _locked(cursor: Any, lease: Lease, now: datetime | None) -> tuple[Lease, datetime]:
    """The lease as committed, its row and its limit's lock held; and the moment after that was waited for."""
    cursor.execute(HOLD_CONFIGURATION)
    if lease.budget_id is not None:
        lock_budget(cursor, lease.budget_id)
    else:
        assert lease.workflow is not None
        lock_workflow(cursor, lease.workflow.merged_into_id or lease.workflow.pk)
    row = (
        Lease.objects.select_for_update(no_key=True, of=("self",))
        .select_related("budget", "workflow__merged_into", "api_key")
        .get(pk=lease.pk)
    )
    cursor.execute("SELECT coalesce(%s::timestamptz, clock_timestamp())", [now])
    return row, cursor.fetchone()[0]


def _standing(cursor: Any, row: Lease, now: datetime | None) -> Standing | None:
    """Where its limit stands; None where there is none any more."""
    if row.budget is not None:
        live = row.budget.is_hard and row.budget.status == Budget.Status.ACTIVE
        return standing_of_budget(cursor, row.budget.pk, now) if live else None
    assert row.workflow is not None
    workflow = row.workflow.merged_into or row.workflow
    limit = counted.most_tokens_a_day(workflow, row.environment)
    if limit is None or workflow.paused_at is not None:
        return None
    return standing_of_workflow(
        cursor, Limited(row.kind, workflow.name, workflow=workflow, environment=row.environment), limit, now
    )
