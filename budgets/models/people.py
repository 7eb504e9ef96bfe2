"""Who may do what: roles of people, invitations, and how a person wants to be reached."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from budgets.models.workflows import Team


class Role(models.TextChoices):
    """What somebody answers for. What each may do stands in `budgets.access.roles`."""

    VIEWER = "viewer", "Viewer"
    BUDGET_OWNER = "budget_owner", "Budget owner"
    APPROVER = "approver", "Approver"
    FINANCE = "finance", "Finance"
    POLICY_ADMIN = "policy_admin", "Policy admin"
    ADMINISTRATOR = "administrator", "Administrator"


COMPANY_WIDE = (Role.FINANCE, Role.POLICY_ADMIN, Role.ADMINISTRATOR)  # roles that no team narrows


class Membership(models.Model):
    """A role that somebody has: for one team, or without a team for the whole company."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="memberships")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["user_id", "role", "team_id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "team"], nulls_distinct=False, name="membership_once"),
            models.CheckConstraint(
                condition=Q(team=None) | ~Q(role__in=["finance", "policy_admin", "administrator"]),
                name="membership_company_wide",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}{f' of {self.team}' if self.team else ''}"


class Invitation(models.Model):
    """A person asked to join, with the role they will have. The link's token is kept as SHA-256 only."""

    email = models.EmailField()
    role = models.CharField(max_length=16, choices=Role)
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="+")
    digest = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_one_open_for_an_address",
            ),
            models.CheckConstraint(
                condition=Q(team=None) | ~Q(role__in=["finance", "policy_admin", "administrator"]),
                name="invitation_company_wide",
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="invitation_ends_later"),
        ]

    def __str__(self) -> str:
        return self.email


class Profile(models.Model):
    """How a person is reached beside the page: by e-mail (the account's address), and as whom Slack knows them."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="profile")
    slack_id = models.CharField(
        max_length=32, blank=True, db_default="", help_text="Slack's member id, such as U012AB3CD."
    )
    by_email = models.BooleanField(
        default=True, db_default=True, help_text="Requests that wait for them come by e-mail."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slack_id"], condition=~Q(slack_id=""), name="profile_one_slack_person"),
        ]

    def __str__(self) -> str:
        return str(self.user)
