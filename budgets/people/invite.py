"""Ask a person to join: a link that works once, for seven days, sent to their address."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.delivery.message import Message
from budgets.delivery.queue import queue
from budgets.models import AuditEntry, Invitation, Organisation, Team
from budgets.pages.moments import day_year
from budgets.people.membership import RefusedPeople, checked_role, people_locked, role_words
from budgets.people.names import shown_name

GOOD_FOR = timedelta(days=7)
KIND = "invitation"


def digest(token: str) -> bytes:
    """What the database keeps of a link's token."""
    return sha256(token.encode(errors="replace")).digest()


def person_with(address: str) -> User | None:
    """Whose account has this address, confirmed or not."""
    known = Q(email__iexact=address) | Q(pk__in=EmailAddress.objects.filter(email__iexact=address).values("user"))
    return User.objects.filter(known).order_by("-is_active", "pk").first()


@transaction.atomic
def invite(
    actor: Actor, address: str, role: str, team: Team | None = None, now: datetime | None = None
) -> tuple[Invitation, str]:
    """The invitation and its token, which is nowhere else but in the letter that is queued with it.

    RefusedPeople for nonsense, for somebody who has an account, and while an invitation to the address is open.
    """
    now, address = now or timezone.now(), address.strip()
    held = checked_role(role, team)
    try:
        validate_email(address)
    except ValidationError:
        raise RefusedPeople("Write an e-mail address, such as lena@example.com.", "email") from None
    if len(address) > 254 or "\0" in address:
        raise RefusedPeople("Write an e-mail address of at most 254 letters.", "email")
    people_locked()
    known = person_with(address)
    if known is not None:
        more = "Give them the role." if known.is_active else "It is closed; open it again."
        raise RefusedPeople(f"{shown_name(known)} has an account with this address. {more}", "email")
    earlier = Invitation.objects.filter(email__iexact=address, accepted_at=None, revoked_at=None).first()
    if earlier is not None and earlier.expires_at > now:
        raise RefusedPeople("There is an open invitation to this address. Send it again instead.", "email")
    if earlier is not None:  # over, but never answered: the new one takes its place
        earlier.revoked_at = now
        earlier.save(update_fields=["revoked_at"])
    token = secrets.token_urlsafe(32)
    made = Invitation.objects.create(
        email=address, role=role, team_id=held.team_id, digest=digest(token), invited_by=actor.user,
        expires_at=now + GOOD_FOR,
    )  # fmt: skip
    record(actor, "sent", made, None, as_history(made))
    send(made, token, actor)
    return made, token


@transaction.atomic
def send_again(actor: Actor, invitation: Invitation, now: datetime | None = None) -> str:
    """A new link, good for seven days more; the one sent before no longer works. RefusedPeople once it is closed."""
    now = now or timezone.now()
    people_locked()
    row = open_or_refuse(invitation.pk)
    token = secrets.token_urlsafe(32)
    before = {"expires_at": row.expires_at.isoformat()}
    row.digest, row.expires_at = digest(token), now + GOOD_FOR
    row.save(update_fields=["digest", "expires_at"])
    record(actor, "sent again", row, before, {"expires_at": row.expires_at.isoformat()})
    send(row, token, actor)
    return token


@transaction.atomic
def revoke(actor: Actor, invitation: Invitation, now: datetime | None = None) -> AuditEntry:
    """Its link no longer works. RefusedPeople once it was accepted or revoked."""
    people_locked()
    row = open_or_refuse(invitation.pk)
    row.revoked_at = now or timezone.now()
    row.save(update_fields=["revoked_at"])
    return record(actor, "revoked", row, {"revoked_at": None}, {"revoked_at": row.revoked_at.isoformat()})


@transaction.atomic
def undo_revoke(actor: Actor, invitation: Invitation, now: datetime | None = None) -> None:
    """Its link works again, until the day it said."""
    people_locked()
    row = Invitation.objects.select_for_update(of=("self",)).get(pk=invitation.pk)
    if row.revoked_at is None or row.accepted_at is not None:
        raise RefusedPeople("This invitation is not revoked. Nothing was changed.")
    others = Invitation.objects.filter(email__iexact=row.email, accepted_at=None, revoked_at=None)
    if others.exists() or person_with(row.email) is not None or row.expires_at <= (now or timezone.now()):
        raise RefusedPeople("This invitation has been replaced or is over. Invite them anew.")
    was = row.revoked_at.isoformat()
    row.revoked_at = None
    row.save(update_fields=["revoked_at"])
    record(actor, "opened again", row, {"revoked_at": was}, {"revoked_at": None}, "Undone")


def open_or_refuse(pk: int) -> Invitation:
    """The row, locked, if it waits for an answer."""
    row = Invitation.objects.select_for_update(of=("self",)).get(pk=pk)
    if row.accepted_at is not None:
        raise RefusedPeople(f"{row.email} has accepted it already. Nothing was changed.")
    if row.revoked_at is not None:
        raise RefusedPeople(f"The invitation to {row.email} is revoked already. Nothing was changed.")
    return row


def send(invitation: Invitation, token: str, actor: Actor) -> None:
    """Queue the letter with the link."""
    who = shown_name(actor.user) if actor.user else "An administrator"
    until = day_year(Organisation.get().local(invitation.expires_at).date())
    role = role_words(invitation.role, invitation.team.name if invitation.team else "")
    message = Message(
        title=f"{who} invites you to TokenOps",
        text=f"TokenOps shows what work with language models costs, in time. Your role will be: {role}. "
        f"The link works once, until {until}.",
        path=reverse("invitation", args=[token]),
        open_label="Accept the invitation",
        kind=KIND,
    )
    queue(
        message, f"invitation:{invitation.pk}:{digest(token).hex()[:16]}", transport="email", address=invitation.email
    )


def as_history(invitation: Invitation) -> dict[str, object]:
    """What a row of history keeps of it: nothing that opens it."""
    return {
        "role": role_words(invitation.role, invitation.team.name if invitation.team else ""),
        "expires_at": invitation.expires_at.isoformat(),
    }
