"""Sign-in and sign-out, and a brake on guessing passwords."""

from hashlib import sha256
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.cache import cache
from django.forms import ValidationError

TRIES, WINDOW = 8, 15 * 60  # wrong passwords for one name from one address, within seconds


class SignInForm(AuthenticationForm):
    """Django's, with our sentences, and no more tries after eight wrong ones in a quarter of an hour.

    Counted in the process's memory: each server process counts for itself, which slows guessing by as much as it needs
    to be slowed without a table that a stranger can fill.
    """

    error_messages = {
        "invalid_login": "User name or password is not right. Both tell small and capital letters apart.",
        "inactive": "This account is closed.",
    }

    def clean(self) -> dict[str, Any]:
        """Count wrong answers; forget them with a right one."""
        key = self._key()
        if cache.get(key, 0) >= TRIES:
            raise ValidationError("Too many wrong tries. Wait 15 minutes, or ask the person who runs TokenOps.")
        try:
            cleaned = super().clean()
        except ValidationError:
            if not cache.add(key, 1, WINDOW):
                cache.incr(key)
            raise
        cache.delete(key)
        return cleaned

    def _key(self) -> str:
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        name = str(self.cleaned_data.get("username", "")).casefold()
        return "sign-in:" + sha256(f"{address}|{name}".encode()).hexdigest()


class SignIn(LoginView):
    """`/sign-in/`."""

    template_name = "registration/sign_in.html"
    form_class = SignInForm
    redirect_authenticated_user = True
    http_method_names = ["get", "head", "post", "options"]


class SignOut(LogoutView):
    """`/sign-out/`, by POST only."""

    http_method_names = ["post", "options"]
