"""Leave a row of every change."""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import models

from budgets.access.keys import KeyHolder
from budgets.models import AuditEntry

TOGETHER = "together"  # member of `after`: the mark of the act that a row belongs to


@dataclass(frozen=True)
class Actor:
    """Who changes something, and from where; `together` marks the rows of one act on several objects.

    `key_id` is the API key that was shown, where it was one. `who` is the person or the key's holder of a request: what
    is made or changed must be in their reach; commands and jobs have none.
    """

    user: User | None
    text: str
    origin: str
    together: str = ""
    key_id: int | None = None
    who: Any = field(default=None, compare=False, repr=False)

    @classmethod
    def of_request(cls, request: Any) -> "Actor":
        """A signed-in person in the browser, or the holder of a key."""
        user = request.user
        if isinstance(user, KeyHolder):
            return cls(None, f"key {user.name}", AuditEntry.Origin.API, key_id=user.key_id, who=user)
        is_api = getattr(request, "path", "").startswith("/api/")
        return cls(user, user.get_username(), AuditEntry.Origin.API if is_api else AuditEntry.Origin.WEB, who=user)

    def in_one_act(self) -> "Actor":
        """The same, about to do one thing to several objects; by the mark their rows are found and taken back."""
        return replace(self, together=uuid4().hex)

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
    """Write the row, in the transaction of the change itself. `before` and `after` are JSON-ready.

    The mark of an act on several objects goes into `after`.
    """
    if actor.together and after is not None:
        after = {**after, TOGETHER: actor.together}
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
