"""What is our own of django-allauth: who may sign up (nobody), how tries are counted, how letters leave."""

import base64
import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.internal import ratelimit
from allauth.core.internal.httpkit import clean_client_ip
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from qrcode.main import QRCode

from budgets.access.sealing import seal, unseal
from budgets.people.letters import send_letter
from budgets.people.names import shown_name

UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104  # a caller whose address nobody told us
NOT_RIGHT = "User name or password is not right. Both tell small and capital letters apart."
WAIT = "Too many wrong tries. Wait {minutes}, or ask an administrator."


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by invitation; passwords are counted by account and address together."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": "This account is closed.",
        "username_password_mismatch": NOT_RIGHT,
        "email_password_mismatch": NOT_RIGHT,
        "incorrect_password": "That is not your password.",
        "enter_current_password": "That is not your password.",
        "incorrect_code": "That code is not right. Codes change every half minute; type the one shown now.",
        "too_many_login_attempts": WAIT.format(minutes="15 minutes"),
        "rate_limited": "Too many tries. Wait 15 minutes.",
        "duplicate_email": "This address is on your account already.",
        "email_taken": "Another account has this address.",
        "unverified_primary_email": "Confirm the address first.",
        "cannot_remove_primary_email": "Make another address the main one first.",
    }
    wait = 0  # seconds until the next try, where there were too many

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: people come by invitation (`budgets.people.accept`) or by the company's sign-in."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that tries are counted by: before the trusted proxies, else who connected to us."""
        forwarded = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
        proxies: int = settings.TRUSTED_PROXIES
        told = forwarded[-proxies] if 0 < proxies <= len(forwarded) else request.META.get("REMOTE_ADDR", "")
        return clean_client_ip(told) or UNKNOWN_ADDRESS

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """By address and account: nobody can lock somebody else out from afar."""
        login = str(credentials.get("email") or credentials.get("username") or "").casefold()
        return f"{ratelimit.get_ip(request)}|{login}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """allauth's, which also notes how long to wait, for the page."""
        try:
            super().pre_authenticate(request, **credentials)
        except Exception:
            self.wait = seconds_left(request, self._get_login_attempts_cache_key(request, **credentials))
            request.sign_in_wait = self.wait  # type: ignore[attr-defined]
            raise

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not within minutes of signing in, however that was done."""
        request = self.request
        if request is not None and isinstance(request.user, User):
            records = get_authentication_records(request, request.user)
            if records and time.time() - records[-1]["at"] < app_settings.REAUTHENTICATION_TIMEOUT:
                return False
        return bool(super().is_reauthentication_required(app=app, **kwargs))

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """allauth's, in our words."""
        words = {
            "reauthenticate": "Use your password",
            "mfa_reauthenticate": "Use a code from your app",
            "mfa_reauthenticate:webauthn": "Use a passkey",
        }
        return [{**one, "description": words[one["id"]]} for one in super().get_reauthentication_methods(user)]

    def get_reset_password_from_key_url(self, key: str) -> str:
        """`key` is "<user>-<token>"; the link of the letter."""
        user, _, token = key.partition("-")
        return reverse("account_reset_password_from_key", args=[user, token])

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("profile")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Into the outbox instead of at once: a mail server that is slow or down keeps nobody waiting."""
        send_letter(template_prefix, email, context)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of apps and recovery codes are sealed in the database."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": AccountAdapter.error_messages["incorrect_code"],
        "cannot_generate_recovery_codes": "Set up an app or a passkey first.",
    }
    NAME = "second factor"

    def encrypt(self, text: str) -> str:
        sealed = seal(text.encode(), self.NAME, settings.SECRET_KEY)
        return base64.b64encode(sealed).decode()

    def decrypt(self, encrypted_text: str) -> str:
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return unseal(base64.b64decode(encrypted_text), self.NAME, keys).decode()

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {number + 1}"

    def get_public_key_credential_user_entity(self, user: Any) -> dict[str, Any]:
        entity: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        return entity | {"display_name": shown_name(user)}

    def build_totp_svg(self, url: str) -> str:
        """The picture to scan, dark on light in either theme, and without an inline style."""
        code = QRCode(border=4)
        code.add_data(url)
        rows = code.get_matrix()
        dots = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
        size = len(rows)
        return (
            f'<svg viewBox="0 0 {size} {size}" width="200" height="200" role="img" aria-label="Picture to scan">'
            f'<rect width="{size}" height="{size}" fill="#fff"/><path d="{dots}" fill="#000"/></svg>'
        )

    def _get_site_name(self) -> str:
        return "TokenOps"


def seconds_left(request: HttpRequest, key: str) -> int:
    """How long until `key` has another try, by the oldest that still counts; a whole window where none is known."""
    longest = 0
    for rate in ratelimit.get_rates(app="allauth.account", action="login_failed"):
        name = ratelimit.get_cache_key(request, app="allauth.account", action="login_failed", rate=rate, key=key)
        tries = cache.get(name) or []
        if len(tries) >= rate.amount:
            longest = max(longest, int(tries[-1] + rate.duration - time.time()) + 1)
    return longest or 900
