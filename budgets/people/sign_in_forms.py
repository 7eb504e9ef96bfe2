"""django-allauth's forms in the words of our pages; what they check is theirs."""

from typing import Any, ClassVar

from allauth.account import forms as account
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.core.validators import MaxLengthValidator

NEW_PASSWORD = "At least 8 characters, not a common word, not your name."  # noqa: S105  # words, no password


class InOurWords(forms.Form):
    """Labels and hints of our own; no placeholder repeats a label."""

    words: ClassVar[dict[str, str]] = {}
    hints: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = self.words.get(name, field.label)
            field.help_text = self.hints.get(name, "")
            field.widget.attrs.pop("placeholder", None)


class SignInForm(InOurWords, account.LoginForm):
    """User name or e-mail address, and password; the field is called `username`, as it always was."""

    words: ClassVar[dict[str, str]] = {"login": "User name or e-mail", "password": "Password"}

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else str(super().add_prefix(field_name))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autocapitalize": "none"}
        self.fields["login"].validators.append(MaxLengthValidator(254))


class ChangePasswordForm(InOurWords, account.ChangePasswordForm):
    words: ClassVar[dict[str, str]] = {
        "oldpassword": "Password now",
        "password1": "New password",
        "password2": "New password, once more",
    }
    hints: ClassVar[dict[str, str]] = {"password1": NEW_PASSWORD}


class SetPasswordForm(InOurWords, account.SetPasswordForm):
    words: ClassVar[dict[str, str]] = {"password1": "Password", "password2": "Password, once more"}
    hints: ClassVar[dict[str, str]] = {"password1": NEW_PASSWORD}


class ResetPasswordKeyForm(InOurWords, account.ResetPasswordKeyForm):
    words: ClassVar[dict[str, str]] = {"password1": "New password", "password2": "New password, once more"}
    hints: ClassVar[dict[str, str]] = {"password1": NEW_PASSWORD}


class ResetPasswordForm(InOurWords, account.ResetPasswordForm):
    words: ClassVar[dict[str, str]] = {"email": "E-mail"}


class AddEmailForm(InOurWords, account.AddEmailForm):
    words: ClassVar[dict[str, str]] = {"email": "Another address"}
    hints: ClassVar[dict[str, str]] = {"email": "We send a link to it. It counts once the link was followed."}


class ReauthenticateForm(InOurWords, account.ReauthenticateForm):
    words: ClassVar[dict[str, str]] = {"password": "Password"}


class CodeForm(InOurWords, mfa.AuthenticateForm):
    words: ClassVar[dict[str, str]] = {"code": "Code"}
    hints: ClassVar[dict[str, str]] = {"code": "The six digits your app shows now, or one of your recovery codes."}


class ConfirmByCodeForm(InOurWords, mfa.ReauthenticateForm):
    words: ClassVar[dict[str, str]] = CodeForm.words
    hints: ClassVar[dict[str, str]] = CodeForm.hints


class ActivateTOTPForm(InOurWords, totp.ActivateTOTPForm):
    words: ClassVar[dict[str, str]] = {"code": "Code from the app"}
    hints: ClassVar[dict[str, str]] = {"code": "Six digits. They change every half minute."}


class AddPasskeyForm(InOurWords, webauthn.AddWebAuthnForm):
    """Always one that can be used to sign in without a password."""

    words: ClassVar[dict[str, str]] = {"name": "Name"}
    hints: ClassVar[dict[str, str]] = {"name": "To tell it from others, such as “Laptop”."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["maxlength"] = "100"
        self.fields.pop("passwordless", None)

    def clean_name(self) -> str:
        return str(super().clean_name())[:100]


class RenamePasskeyForm(InOurWords, webauthn.EditWebAuthnForm):
    words: ClassVar[dict[str, str]] = {"name": "Name"}

    def clean_name(self) -> str:
        return str(self.cleaned_data["name"])[:100]
