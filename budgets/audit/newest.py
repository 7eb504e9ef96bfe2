"""What was last recorded of something: an undo goes back from there, or refuses where more has happened since."""

from django.db import models

from budgets.models import AuditEntry


def newest_entry(of: type[models.Model], pk: int | str) -> AuditEntry | None:
    """The newest row of the history of `of`'s row `pk`, which may be gone."""
    entries = AuditEntry.objects.filter(object_type=of._meta.label_lower, object_id=str(pk))
    return entries.order_by("-at", "-id").first()
