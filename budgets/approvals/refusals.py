"""Why a request was not decided."""

from django.utils import timezone

from budgets.approvals import words
from budgets.models import ApprovalRequest


class NotDecided(Exception):
    """Nothing was decided or changed; the message is a sentence for a reader."""


class AlreadyDecided(NotDecided):
    """Somebody was faster; `request` is how it is now, and the message says who did what and when."""

    def __init__(self, request: ApprovalRequest) -> None:
        super().__init__(words.decided(request, timezone.now()))
        self.request = request


class MayNotDecide(NotDecided):
    """It is this person's own request, or they do not have the right."""


class ReasonNeeded(NotDecided):
    """A decline says why."""


class CannotApply(NotDecided):
    """What was asked for can no longer be had, or what was decided cannot be taken back."""
