"""Which saved views somebody sees, and which they may change: their own, and those shared with all to look at."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404

from budgets.access.roles import reach
from reports.models import SavedView

TIDY = "budgets.change_people"  # who may, renames and removes what somebody else shared
NOT_YOURS = "This view is somebody else’s. Open it and save it under a name of your own to have it as you like."


def seen_by(user: Any) -> QuerySet[SavedView]:
    """The views that `user` may open: by name."""
    return SavedView.objects.filter(Q(owner_id=user.pk) | Q(shared=True), removed_at=None).select_related("owner")


def may_change(view: SavedView, user: Any) -> bool:
    return view.owner_id == user.pk or (view.shared and reach(user, TIDY).everything)


def fetched_view(user: Any, pk: int, *, change: bool = False, removed: bool = False) -> SavedView:
    """One of them: Http404 where it is out of sight, PermissionDenied where only the change is."""
    rows = seen_by(user)
    if removed:
        rows = SavedView.objects.filter(Q(owner_id=user.pk) | Q(shared=True)).select_related("owner")
    found = get_object_or_404(rows, pk=pk)
    if change and not may_change(found, user):
        raise PermissionDenied(NOT_YOURS)
    return found
