"""Become a person of this company: by the link of an invitation, or by the company's sign-in."""

from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.utils import generate_unique_username
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.models import AuditEntry, Invitation
from budgets.people.invite import digest, person_with
from budgets.people.membership import Held, RefusedPeople, as_history, change_roles, people_locked

GONE = "This invitation does not work any more. Ask the person who invited you to send it again."
USED = "This invitation was accepted already. Sign in with the name and password chosen then."


def found(token: str, now: datetime | None = None) -> Invitation:
    """The open invitation of a link. RefusedPeople, in words for the person invited, where it is none."""
    row = Invitation.objects.select_related("team", "invited_by").filter(digest=digest(token)).first()
    return usable(row, now or timezone.now())


def usable(row: Invitation | None, now: datetime) -> Invitation:
    """The row, if it still can be accepted."""
    if row is not None and row.accepted_at is not None:
        raise RefusedPeople(USED)
    if row is None or row.revoked_at is not None or row.expires_at <= now:
        raise RefusedPeople(GONE)
    return row


def open_for(address: str, now: datetime | None = None) -> Invitation | None:
    """The open invitation to an address, which somebody has proved to be theirs."""
    waiting = Invitation.objects.filter(email__iexact=address, accepted_at=None, revoked_at=None)
    return waiting.filter(expires_at__gt=now or timezone.now()).first()


@transaction.atomic
def accept(token: str, name: str, password: str, now: datetime | None = None) -> User:
    """The new person, with the role of the invitation; their address is confirmed, since the link came to it.

    Of two who accept at once, one does; the other hears that it was accepted. `password` is checked already.
    """
    now = now or timezone.now()
    people_locked()
    row = Invitation.objects.select_for_update(of=("self",)).filter(digest=digest(token)).first()
    invitation = usable(row, now)
    if person_with(invitation.email) is not None:
        raise RefusedPeople("There is an account with this address already. Sign in, or ask an administrator.")
    first, _, last = name.strip().partition(" ")
    local = invitation.email.partition("@")[0]
    person = User(username=generate_unique_username([local, "person"]), email=invitation.email.lower())
    person.first_name, person.last_name = first[:150], last.strip()[:150]
    person.set_password(password)
    person.save()
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    join(person, invitation, now)
    return person


def join(person: User, invitation: Invitation, now: datetime) -> None:
    """Give a new person what the invitation says, and close it. Within the caller's transaction."""
    invitation.accepted_at, invitation.accepted_by = now, person
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    actor = Actor(person, person.get_username(), AuditEntry.Origin.WEB)
    record(actor, "accepted", invitation, {"accepted_at": None}, {"accepted_at": now.isoformat()})
    change_roles(actor, person, lambda held: held | {Held(invitation.role, invitation.team_id)}, "Invited")


def join_uninvited(person: User, role: str) -> None:
    """Give a new person whom nobody invited the role of OIDC_NEW_PEOPLE. Within the caller's transaction."""
    actor = Actor(person, person.get_username(), AuditEntry.Origin.WEB)
    record(actor, "joined as", person, None, {"roles": as_history([Held(role)])}, "By the company’s sign-in")
    change_roles(actor, person, lambda held: held | {Held(role)})
