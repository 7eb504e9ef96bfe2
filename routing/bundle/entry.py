"""Who may have the bundle: a bearer key with the scope `bundle`, or a ticket that such a key was given.

Clients drop `Authorization` when they follow a redirect to another port, as they should. So the web server sends those
who want to wait to the push process with a ticket in the address: bound to the key, good for a minute, and only there.
"""

from django.core import signing
from django.utils import timezone

from budgets.access.directory import directory
from budgets.access.keys import KeyHolder
from routing.bundle.answer import Answer, answer_problem, not_ready

SCOPE = "bundle"
TICKET_SECONDS = 60
_SALT = "tokenops.bundle.ticket"
_CHALLENGE = ("WWW-Authenticate", 'Bearer realm="TokenOps"')


def admit(authorization: str | None, ticket: str | None = None) -> KeyHolder | Answer:
    """The holder of a valid key or ticket; else the refusal to send. From memory, without a query."""
    if authorization:
        scheme, _, bearer = authorization.partition(" ")
        holder = directory().find(bearer.strip()) if scheme.lower() == "bearer" else None
    else:
        holder = holder_of(ticket) if ticket else None
    if holder is None:
        return unknown_caller()
    if SCOPE not in holder.scopes:
        return answer_problem(403, "forbidden", "Not allowed", f"This key does not have the scope {SCOPE}.")
    if holder.teams:
        return answer_problem(
            403, "forbidden", "Not allowed", "The bundle is about the whole company; this key is limited to teams."
        )
    return holder


def unknown_caller() -> Answer:
    """401; or 503 where the keys could not be read yet, since a good key must not be told that it is bad."""
    if not directory().ready.is_set():
        return not_ready("The database cannot be reached yet.")
    return answer_problem(
        401, "not-authenticated", "Not authenticated", "Send a valid key: Authorization: Bearer KEY.", _CHALLENGE
    )


def make_ticket(holder: KeyHolder) -> str:
    """A ticket for this key."""
    return signing.TimestampSigner(salt=_SALT).sign(str(holder.key_id))


def holder_of(ticket: str) -> KeyHolder | None:
    """The key behind a ticket that is not over, if the key still is valid."""
    try:
        key_id = int(signing.TimestampSigner(salt=_SALT).unsign(ticket, max_age=TICKET_SECONDS))
    except (signing.BadSignature, ValueError):
        return None
    return holder_with_id(key_id)


def holder_with_id(key_id: int) -> KeyHolder | None:
    """A valid key by its number. Looks through them all: tickets are few, and so are keys."""
    for holder in directory().holders.values():
        if holder.key_id == key_id:
            return holder if holder.expires_at is None or holder.expires_at > timezone.now() else None
    return None
