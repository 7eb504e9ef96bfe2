"""What people are called on pages."""

from typing import Any


def shown_name(user: Any) -> str:
    """First and last name, or the user name where there is none."""
    return str(user.get_full_name() or user.get_username())
