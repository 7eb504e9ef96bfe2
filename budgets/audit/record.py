"""Leave a row of every change."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import models

from budgets.access.keys import KeyHolder
from budgets.models import AuditEntry


@dataclass(frozen=True)
class Actor:
    """Who changes something, and from where."""

    user: User | None
    text: str
    origin: str

    @classmethod
    def of_request(cls, request: Any) -> "Actor":
        """A signed-in person in the browser, or the holder of a key."""
        user = request.user
        if isinstance(user, KeyHolder):
            return cls(None, f"key {user.name}", AuditEntry.Origin.API)
        is_api = getattr(request, "path", "").startswith("/api/")
        return cls(user, user.get_username(), AuditEntry.Origin.API if is_api else AuditEntry.Origin.WEB)

    @classmethod
    def command(cls, name: str) -> "Actor":
        """A management command."""
        return cls(None, f"command {name}", AuditEntry.Origin.COMMAND)

    @classmethod
    def job(cls, name: str) -> "Actor":
        """TokenOps itself, in a task."""
        return cls(None, name, AuditEntry.Origin.JOB)


def record(
    actor: Actor,
    act: str,
    obj: models.Model,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    reason: str = "",
) -> AuditEntry:
    """Write the row, in the transaction of the change itself. `before` and `after` are JSON-ready."""
    reason = reason.replace("\0", "")  # what people typed; the database stores no such letter
    return AuditEntry.objects.create(
        who=actor.user,
        who_text=actor.text[:150],
        origin=actor.origin,
        act=act,
        object_type=obj._meta.label_lower,
        object_id=str(obj.pk),
        object_name=str(obj)[:200],
        before=before,
        after=after,
        reason=reason[:500],
    )
