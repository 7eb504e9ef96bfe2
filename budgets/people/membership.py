"""Who has which role: one function changes it, whoever asks; the last administrator stays one."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from budgets.audit.record import Actor, record
from budgets.models import AuditEntry, Membership, Team
from budgets.models.people import COMPANY_WIDE, Role
from budgets.people.names import shown_name

PEOPLE_LOCK = 7_061_041  # advisory lock number: two who take each other's role away leave one administrator
PERMISSION = "budgets.change_people"


class Held(NamedTuple):
    """A role for a team's id, or for the whole company (None)."""

    role: str
    team_id: int | None = None


class RefusedPeople(ValueError):
    """What was asked cannot be done, in a sentence; `field` names the form field it belongs to ("" for none)."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


def people_locked() -> None:
    """One change of people at a time, until the transaction ends. Before any row is read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PEOPLE_LOCK])


def administrators() -> "QuerySet[User]":
    """Those with an open account who may do everything."""
    has_role = Q(pk__in=Membership.objects.filter(role=Role.ADMINISTRATOR).values("user"))
    return User.objects.filter(Q(is_superuser=True) | has_role, is_active=True)


def roles_of(person: User) -> frozenset[Held]:
    """What they hold now; a superuser is an administrator."""
    held = {Held(one.role, one.team_id) for one in Membership.objects.filter(user=person)}
    return frozenset(held | ({Held(Role.ADMINISTRATOR)} if person.is_superuser else set()))


def checked_role(role: str, team: Team | None) -> Held:
    """RefusedPeople unless there is such a role and it may be held for that team."""
    if role not in Role.values:
        raise RefusedPeople("Choose a role.", "role")
    if team is not None and role in COMPANY_WIDE:
        raise RefusedPeople(f"{Role(role).label} is a role for the whole company. Leave the team empty.", "team")
    return Held(role, team.pk if team else None)


def give_role(actor: Actor, person: User, role: str, team: Team | None, reason: str = "") -> AuditEntry | None:
    """One role more; None where they have it."""
    wanted = checked_role(role, team)
    return change_roles(actor, person, lambda held: held | {wanted}, reason)


def take_role(actor: Actor, person: User, role: str, team_id: int | None, reason: str = "") -> AuditEntry | None:
    """One role less; None where they do not have it. RefusedPeople for the last administrator."""
    return change_roles(actor, person, lambda held: held - {Held(role, team_id)}, reason)


@transaction.atomic
def change_roles(actor: Actor, person: User, change: Any, reason: str = "") -> AuditEntry | None:
    """Make of the roles that `person` holds what `change` (roles → roles) says; its row of history, None for no change.

    An administrator's role is also Django's superuser flag where they had that: taken away with it.
    """
    people_locked()
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    before = roles_of(person)
    after = frozenset(change(before))
    if before == after:
        return None
    if Held(Role.ADMINISTRATOR) in before - after:
        _keep_one_administrator(person)
        if person.is_superuser:
            person.is_superuser = person.is_staff = False
            person.save(update_fields=["is_superuser", "is_staff"])
    told_before = as_history(before)
    for role, team_id in before - after:
        Membership.objects.filter(user=person, role=role, team=team_id).delete()
    Membership.objects.bulk_create(
        [Membership(user=person, role=role, team_id=team_id) for role, team_id in sorted(after - before, key=str)],
        ignore_conflicts=True,
    )
    act = "gave a role to" if before < after else "took a role from" if after < before else "changed the roles of"
    return record(actor, act, person, {"roles": told_before}, {"roles": as_history(after)}, reason)


@transaction.atomic
def undo_roles(actor: Actor, person: User, entry: AuditEntry) -> None:
    """Give back what `entry` tells of; RefusedPeople where the roles were changed again since."""
    people_locked()
    if entry.before is None or (entry.after or {}).get("roles") != as_history(roles_of(person)):
        raise RefusedPeople("The roles were changed again since, so nothing was undone. Change them by hand.")
    was = frozenset(Held(one["role"], one["team_id"]) for one in entry.before["roles"])
    gone = {one.team_id for one in was if one.team_id} - set(Team.objects.values_list("pk", flat=True))
    if gone:
        raise RefusedPeople("A team of then is no more, so nothing was undone. Change the roles by hand.")
    change_roles(actor, person, lambda _held: was, "Undone")


@transaction.atomic
def close_account(actor: Actor, person: User, reason: str = "") -> AuditEntry | None:
    """They cannot sign in any more, and are signed out everywhere; what they did stays. None where it is closed."""
    people_locked()
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if not person.is_active:
        return None
    if actor.user is not None and actor.user.pk == person.pk:
        raise RefusedPeople("You cannot close your own account. Another administrator can.")
    if administrators().filter(pk=person.pk).exists():
        _keep_one_administrator(person)
    person.is_active = False
    person.save(update_fields=["is_active"])
    end_sessions(person)
    return record(actor, "closed the account of", person, {"open": True}, {"open": False}, reason)


@transaction.atomic
def open_account(actor: Actor, person: User, reason: str = "") -> AuditEntry | None:
    """They can sign in again, with the roles they had. None where it is open."""
    people_locked()
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if person.is_active:
        return None
    person.is_active = True
    person.save(update_fields=["is_active"])
    return record(actor, "opened the account of", person, {"open": False}, {"open": True}, reason)


@transaction.atomic
def remove_second_factor(actor: Actor, person: User, reason: str = "") -> AuditEntry | None:
    """For somebody who lost their phone: app, passkeys and recovery codes are gone, and all sessions end."""
    people_locked()
    found = Authenticator.objects.filter(user=person)
    kinds = sorted({str(one.get_type_display()) for one in found})
    if not kinds:
        return None
    found.delete()
    end_sessions(person)
    return record(
        actor, "removed the second factor of", person, {"second factor": kinds}, {"second factor": []}, reason
    )


def end_sessions(person: User) -> None:
    """Sign them out wherever they are signed in."""
    for session in UserSession.objects.filter(user=person):
        session.end()


def _keep_one_administrator(leaving: User) -> None:
    if not administrators().exclude(pk=leaving.pk).exists():
        raise RefusedPeople(
            f"{shown_name(leaving)} is the only administrator. Make somebody else an administrator first."
        )


def as_history(held: Iterable[Held]) -> list[dict[str, Any]]:
    """Roles for a row of history: role, team's id and the name it has now; in one order."""
    held = list(held)
    names = dict(Team.objects.filter(pk__in=[one.team_id for one in held if one.team_id]).values_list("pk", "name"))
    ordered = sorted(held, key=lambda one: (Role.values.index(one.role), one.team_id or 0))
    return [{"role": one.role, "team_id": one.team_id, "team": names.get(one.team_id or 0, "")} for one in ordered]


def role_words(role: str, team: str = "") -> str:
    """ "Approver of Brand"."""
    label = str(Role(role).label) if role in Role.values else role
    return f"{label} of {team}" if team else label
