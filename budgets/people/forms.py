"""The forms of the people pages, of an invitation and of one's own profile."""

import re
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.utils.html import format_html

from budgets.models import Profile, Team
from budgets.models.people import COMPANY_WIDE, Role
from budgets.people.sign_in_forms import NEW_PASSWORD

ROLE_HINTS = {
    Role.VIEWER: "Looks at everything of their team or of the company; changes nothing.",
    Role.BUDGET_OWNER: "Looks after budgets and workflows.",
    Role.APPROVER: "Decides requests.",
    Role.FINANCE: "All budgets, prices, other costs; closes a month.",
    Role.POLICY_ADMIN: "Which models may be called.",
    Role.ADMINISTRATOR: "Everything, people and keys included.",
}
ROLE_CHOICES = [
    (role, format_html('<span class="keep">{}</span> <span class="hint">{}</span>', label, ROLE_HINTS[Role(role)]))
    for role, label in Role.choices
]
SLACK_ID = re.compile(r"[UW][A-Z0-9]{6,30}")


class RoleForm(forms.Form):
    """A role, for the company or one team. `role` and `team` hold what was chosen."""

    role = forms.ChoiceField(
        choices=ROLE_CHOICES,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a role.", "invalid_choice": "Choose a role."},
    )
    team = forms.ModelChoiceField(
        Team.objects.all(),
        required=False,
        empty_label="The whole company",
        help_text="Finance, policy admin and administrator are always for the whole company.",
        error_messages={"invalid_choice": "There is no such team."},
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("team") is not None and cleaned.get("role") in COMPANY_WIDE:
            label = Role(cleaned["role"]).label
            self.add_error("team", f"{label} is a role for the whole company. Choose the whole company.")
        return cleaned


class InviteForm(RoleForm):
    """Whom to invite, as what."""

    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        help_text="The link goes there. It works once, for seven days.",
        error_messages={"required": "Write their e-mail address.", "invalid": "Write an e-mail address."},
        widget=forms.EmailInput({"autocomplete": "off"}),
    )
    field_order = ("email", "role", "team")


class AcceptForm(forms.Form):
    """Who accepts an invitation."""

    name = forms.CharField(
        label="Your name",
        max_length=200,
        help_text="As colleagues know you.",
        error_messages={"required": "Write your name."},
        widget=forms.TextInput({"autocomplete": "name"}),
    )
    password = forms.CharField(
        max_length=1_000,
        strip=False,
        help_text=NEW_PASSWORD,
        error_messages={"required": "Choose a password."},
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        self.email = email
        super().__init__(*args, **kwargs)

    def clean_password(self) -> str:
        """Held against name and address too."""
        password = str(self.cleaned_data["password"])
        first, _, last = str(self.cleaned_data.get("name", "")).partition(" ")
        local = self.email.partition("@")[0]
        validate_password(password, User(username=local, email=self.email, first_name=first, last_name=last))
        return password


class ProfileForm(forms.Form):
    """How one is called and reached."""

    first_name = forms.CharField(label="First name", max_length=150, required=False)
    last_name = forms.CharField(label="Last name", max_length=150, required=False)
    slack_id = forms.CharField(
        label="Slack member id",
        max_length=32,
        required=False,
        help_text="Such as U012AB3CD; in Slack under your profile, “Copy member ID”. So that Slack’s buttons know you.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    by_email = forms.BooleanField(label="Send me an e-mail when a request waits for me", required=False)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_slack_id(self) -> str:
        """Upper case; somebody else's is refused."""
        text = str(self.cleaned_data["slack_id"]).strip().upper()
        if text and not SLACK_ID.fullmatch(text):
            raise forms.ValidationError("A member id begins with U or W and has only letters and digits.")
        if text and Profile.objects.filter(slack_id=text).exclude(user=self.user).exists():
            raise forms.ValidationError("This member id is in somebody else’s profile. Ask an administrator.")
        return text
