"""Pools that are shared out by themselves: once in each of the organisation's days."""

import logging
from datetime import datetime

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.limits.calendar import day_of
from budgets.limits.edit import InvalidBudget, RefusedEdit, changing_pools_too
from budgets.models import Budget, Organisation
from budgets.pools.reallocate import StalePreview, share_out
from usage.sharing.proposal import propose

ACTOR = Actor.job("nightly sharing")
REASON = "Shared out anew, as each night."
logger = logging.getLogger(__name__)


def share_nightly(now: datetime | None = None) -> int:
    """Share out the pools whose turn of the present day is due; how many took it.

    Running it twice, or together, changes nothing: the turn is noted in the transaction that takes it. What was
    changed while it was computed waits for the next round.
    """
    now = now or timezone.now()
    organisation = Organisation.get()
    today = day_of(now, organisation.zone)
    due = Q(shared_on=None) | Q(shared_on__lt=today)
    done = 0
    pools = Budget.objects.filter(due, shares_nightly=True).exclude(sharing="").exclude(status=Budget.Status.ARCHIVED)
    for pool in pools.order_by("pk"):
        try:
            proposal = propose(pool, organisation, now)
            with changing_pools_too():
                mine = Budget.objects.filter(due, pk=pool.pk, shares_nightly=True).update(shared_on=today)
                if mine and proposal.lines:
                    share_out(ACTOR, pool, proposal.previewed(), REASON)
        except (StalePreview, InvalidBudget, RefusedEdit) as error:
            logger.warning("Pool %s was not shared out tonight: %s", pool.slug, error)
        except OperationalError:
            raise
        except Exception:  # the next pool is not to blame
            logger.exception("Pool %s was not shared out tonight.", pool.slug)
        else:
            done += bool(mine)
    return done
