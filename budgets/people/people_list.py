"""People as rows of a page or a file: one query for both, filtered and searched in the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Prefetch, Q, QuerySet

from budgets.models import Membership, Organisation
from budgets.models.people import Role
from budgets.pages.moments import ago, clock, day_year
from budgets.people.membership import role_words
from budgets.people.names import shown_name
from budgets.people.second_factor import with_second_factor

STATES = {"": "Open accounts", "closed": "Closed", "all": "All"}


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person in words. `last` is when they signed in last."""

    person: User
    name: str
    roles: tuple[str, ...]
    last: str
    has_second_factor: bool


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """What the address asks for; `note` says what of it was not understood."""

    state: str
    role: str
    query: str
    note: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "PeopleFilter":
        """`state`, `role` and `q`; unknown values are left out, with a note."""
        state, role = query.get("state", ""), query.get("role", "")
        text = query.get("q", "").strip()[:100].replace("\x00", "")
        said = []
        if state not in STATES:
            said.append(f"“{state[:40]}” is no state that TokenOps knows; this filter was left out.")
        if role and role not in Role.values:
            said.append(f"“{role[:40]}” is no role that TokenOps knows; this filter was left out.")
        return cls(state if state in STATES else "", role if role in Role.values else "", text, " ".join(said))

    def found(self) -> "QuerySet[User]":
        """Those people, with their memberships, by name."""
        own = Membership.objects.select_related("team").order_by("role", "team__name")
        people = with_second_factor(User.objects.prefetch_related(Prefetch("memberships", own)))
        if self.state != "all":
            people = people.filter(is_active=self.state != "closed")
        if self.role:
            has_role = Q(pk__in=Membership.objects.filter(role=self.role).values("user"))
            people = people.filter(has_role | Q(is_superuser=True) if self.role == Role.ADMINISTRATOR else has_role)
        for word in self.query.split()[:10]:
            people = people.filter(
                Q(username__icontains=word)
                | Q(first_name__icontains=word)
                | Q(last_name__icontains=word)
                | Q(email__icontains=word)
            )
        return people.order_by("first_name", "last_name", "username", "pk")


def row_of(person: Any, organisation: Organisation, now: datetime) -> PersonRow:
    """A person (of `PeopleFilter.found`) in words."""
    roles = [role_words(one.role, one.team.name if one.team else "") for one in person.memberships.all()]
    administrator = role_words(Role.ADMINISTRATOR)
    if person.is_superuser and administrator not in roles:
        roles.insert(0, administrator)
    return PersonRow(
        person,
        shown_name(person),
        tuple(roles),
        ago(now - person.last_login) if person.last_login else "Not yet",
        person.has_second_factor,
    )


def when(moment: datetime, organisation: Organisation) -> str:
    """ "18 Nov 2026, 09:40"."""
    local = organisation.local(moment)
    return f"{day_year(local.date())}, {clock(local)}"
