"""Put a draft in force, or an earlier version again. One transaction under the configuration lock, so one at a time.

What is in force is written out for the floors below: rows of `Tier`, and from those the dated catalogue that the ledger
charges by. A bundle with it follows at once.
"""

from datetime import datetime

import msgspec
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.models import Organisation
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import changing_configuration
from routing.models import PolicyVersion, Tier
from routing.policy.document import Policy, read
from routing.policy.edit import RefusedEdit, StaleEdit, locked
from routing.policy.known import read_known
from routing.policy.shape import InvalidPolicy
from routing.policy.validate import problems, remarks
from routing.tiers.publish import publish_tiers

State = PolicyVersion.State


class LiveMoved(RefusedEdit):
    """Another version was put in force since; `live` is that one."""

    def __init__(self, live: PolicyVersion, said: str = "") -> None:
        super().__init__(
            said
            or f"{live} was published meanwhile, and publishing this would take its changes back. Compare the two, then"
            " publish over it or take its changes over."
        )
        self.live = live


def publish(
    actor: Actor,
    version: PolicyVersion,
    *,
    over: int | None = None,
    edit_version: int | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> PolicyVersion:
    """Put a draft in force; where the organisation wants a second person, ask for their approval instead.

    Its `state` says which: published or waiting. `over` is the number of the version in force that was seen beside it,
    by default the one that was in force when the draft was begun; `edit_version` the draft's that was seen. Raises
    InvalidPolicy with what refuses it, StaleEdit, LiveMoved, or RefusedEdit for what is no draft.
    """
    now = now or timezone.now()
    with changing_configuration():
        row = locked(version)
        if row.state != State.DRAFT:
            raise RefusedEdit(_why_not(row))
        if edit_version is not None and row.edit_version != edit_version:
            raise StaleEdit(row)
        check_live(in_force_at(row.created_at) if over is None else over)
        check(read(row.document))
        if Organisation.get().policy_needs_second:
            from routing.policy.second import ask_second  # it publishes by the functions of this module

            return ask_second(actor, row, reason, now)
        row.request = None
        return put_in_force(actor, row, reason, now)


def roll_back(
    actor: Actor, version: PolicyVersion, reason: str = "", now: datetime | None = None, *, over: int | None = None
) -> PolicyVersion:
    """Put an earlier version in force again, under a new number. Nobody has to approve it: it was in force before.

    Undoing it is another roll back. `over` is the number of the version that was seen in force, where that is known.
    Raises LiveMoved where it is another by now, RefusedEdit for what was never published or says what is in force now,
    InvalidPolicy where it no longer fits what there is.
    """
    now = now or timezone.now()
    with changing_configuration():
        earlier = locked(version)
        if earlier.state != State.PUBLISHED:
            raise RefusedEdit(f"“{earlier.title}” was never published, so there is nothing to go back to.")
        live = PolicyVersion.objects.filter(live=True).first()
        if live is not None and over is not None and live.number != over:
            raise LiveMoved(live, f"{live} was put in force meanwhile. Nothing was changed: look at it first.")
        if live is not None and live.document == earlier.document:
            raise RefusedEdit(f"{live} is in force and says the same as {earlier}. Nothing was changed.")
        check(read(earlier.document))
        again = PolicyVersion(
            title=earlier.title,
            note=f"As version {earlier.number} had it.",
            document=earlier.document,
            based_on=earlier,
            created_by=actor.user,
            created_text=actor.text[:150],
        )
        again.save(force_insert=True)
        return put_in_force(actor, again, reason, now, act="rolled back to")


def put_in_force(actor: Actor, row: PolicyVersion, reason: str, now: datetime, act: str = "published") -> PolicyVersion:
    """Give it the next number and make it the one in force. The caller holds the configuration and the row."""
    live = PolicyVersion.objects.select_for_update(no_key=True).filter(live=True).first()
    if live is not None:
        live.live = False
        live.save(update_fields=["live"])
    highest = PolicyVersion.objects.aggregate(number=Max("number"))["number"] or 0
    row.state, row.number, row.live = State.PUBLISHED, highest + 1, True
    row.published_by, row.published_text, row.published_at = actor.user, actor.text[:150], now
    row.save()
    write_tiers(read(row.document))
    publish_tiers(now)
    after = {"number": row.number, "title": row.title}
    if act != "published" and row.based_on is not None:
        after["again"] = row.based_on.number
    record(actor, act, row, {"number": live.number if live else None}, after, reason)
    transaction.on_commit(hint_settle)
    return row


def write_tiers(policy: Policy) -> None:
    """Make the rows of `Tier` say what the policy does."""
    Tier.objects.exclude(number__in=[tier.number for tier in policy.tiers]).delete()
    for tier in policy.tiers:
        Tier.objects.update_or_create(
            number=tier.number,
            defaults={
                "name": tier.name,
                "needs_approval": tier.needs_approval,
                "review_note": tier.review_note,
                "models": msgspec.to_builtins(tier.models),
            },
        )


def check(policy: Policy) -> None:
    """Raises InvalidPolicy with all that refuses it now."""
    if found := problems(remarks(policy, read_known(policy))):
        raise InvalidPolicy(found)


def check_live(seen: int) -> None:
    """Raises LiveMoved unless the version with this number is in force; 0: none is."""
    live = PolicyVersion.objects.filter(live=True).first()
    if live is not None and live.number != seen:
        raise LiveMoved(live)


def in_force_at(when: datetime) -> int:
    """The number of the version that was in force at `when`; 0 for none."""
    found = PolicyVersion.objects.filter(published_at__lte=when).aggregate(number=Max("number"))["number"]
    return int(found or 0)


def _why_not(row: PolicyVersion) -> str:
    if row.state == State.PUBLISHED:
        return f"“{row.title}” was published already, as version {row.number}."
    if row.state == State.WAITING:
        return f"“{row.title}” waits for a second person already."
    return f"“{row.title}” was discarded. Bring it back first."
