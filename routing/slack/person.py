"""Who somebody in Slack is in TokenOps: by the member id in their profile, else by their verified e-mail address."""

import re
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse

from budgets.approvals import words
from budgets.approvals.rules import who_may_decide
from budgets.audit.record import Actor
from budgets.delivery.links import link
from budgets.delivery.slack_api import call
from budgets.delivery.transport import Refused, Temporary
from budgets.models import ApprovalRequest, AuditEntry, Profile

MEMBER = re.compile(r"[UW][A-Z0-9]{2,30}")
PATIENCE = 1  # seconds: Slack waits for three altogether
MOST_NAMES = 3


class Unknown(Exception):
    """Nobody here is that person; the sentence says what to do."""


def person_of(member: str, team: str = "", enterprise: str = "") -> User:
    """The active user that `member` of Slack's workspace `team` is. Raises Unknown."""
    if not MEMBER.fullmatch(member):
        raise Unknown("TokenOps does not know who you are in Slack.")
    profile = Profile.objects.select_related("user").filter(slack_id=member).first()
    if profile is not None:
        if not profile.user.is_active:
            raise Unknown("Your account in TokenOps was switched off. An administrator can say why.")
        return profile.user
    address = _address_of(member, team, enterprise)
    known = EmailAddress.objects.filter(email__iexact=address, verified=True, user__is_active=True)
    claimed = Q(profile__slack_id__gt="")  # they said that they are somebody else in Slack
    found = list(User.objects.filter(pk__in=known.values("user")).exclude(claimed)[:2]) if address else []
    if len(found) != 1:
        raise Unknown(
            "TokenOps does not know who you are in Slack. Sign in there and type your Slack member id, "
            f"{member}, into your profile: {link(reverse('profile'))}"
        )
    return found[0]


def actor_of(user: User) -> Actor:
    """For the history."""
    return Actor(user, user.get_username(), AuditEntry.Origin.SLACK)


def who_can(request: ApprovalRequest) -> str:
    """ "Lena or Max can decide it."."""
    if request.state != ApprovalRequest.State.WAITING:
        return ""
    able = [words.person(one, one.get_username()) for one in who_may_decide(request).order_by("pk")[:MOST_NAMES]]
    return f"{' or '.join(able) if able else 'An administrator'} can decide it."


def _address_of(member: str, team: str, enterprise: str) -> str:
    """Their e-mail address by Slack's word; "" for guests of another company, robots and those who have none."""
    try:
        answer = call("users.info", {"user": member}, PATIENCE)
    except (Refused, Temporary):
        return ""
    user = answer.get("user")
    if not isinstance(user, dict) or user.get("id") != member or not _is_of_this_company(user, team, enterprise):
        return ""
    profile: Any = user.get("profile")
    address = profile.get("email") if isinstance(profile, dict) else None
    return address if isinstance(address, str) and len(address) <= 254 and "\0" not in address else ""


def _is_of_this_company(user: dict[str, Any], team: str, enterprise: str) -> bool:
    """Another company writes what it likes into its own people's addresses."""
    if any(user.get(flag) for flag in ("is_bot", "deleted", "is_stranger")) or user.get("is_email_confirmed") is False:
        return False
    grid = user.get("enterprise_user")
    if enterprise and isinstance(grid, dict) and grid.get("enterprise_id") == enterprise:
        return True
    return bool(team) and user.get("team_id") == team
