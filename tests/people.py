"""People with roles, for tests."""

from typing import Any

from django.contrib.auth.models import User

from budgets.models import Membership, Team


def someone(role: str, team: Team | None = None, name: str = "", **values: Any) -> User:
    """A person with one role: for `team`, or for the whole company."""
    user = User.objects.create_user(name or f"{role}-{team.slug if team else 'company'}", **values)
    Membership.objects.create(user=user, role=role, team=team)
    return user


def viewer(name: str = "paul", **values: Any) -> User:
    """Somebody who sees everything and changes nothing."""
    return someone("viewer", name=name, **values)
