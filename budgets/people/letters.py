"""What accounts are told by e-mail: new passwords, confirmed addresses, changes of how somebody signs in."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from budgets.delivery.message import Message
from budgets.delivery.queue import queue

KIND = "account"
GIVE_UP_AFTER = timedelta(hours=1)  # a link to a new password is good for no longer
# allauth's name of the letter: title, text, label of the link, which value of its context the link is.
LINKS = {
    "account/email/password_reset_key": (
        "Choose a new password for TokenOps",
        "Somebody, probably you, asked for a new password for your account. The link works once, for an hour. "
        "If it was not you, do nothing: your password stays as it is.",
        "Choose a new password",
        "password_reset_url",
    ),
    "account/email/email_confirmation": (
        "Confirm your e-mail address for TokenOps",
        "This address was added to a TokenOps account. If that was not you, do nothing.",
        "Confirm the address",
        "activate_url",
    ),
    "account/email/account_already_exists": (
        "Your e-mail address was entered at TokenOps",
        "Somebody tried to add it to another account. You have an account with it already; nothing was changed.",
        "Choose a new password",
        "password_reset_url",
    ),
}
NEWS = {
    "account/email/password_changed": "Your password was changed",
    "account/email/password_set": "A password was set for your account",
    "account/email/password_reset": "Your password was changed by a link sent to you",
    "account/email/email_changed": "Your e-mail address was changed",
    "account/email/email_confirm": "Your e-mail address is confirmed",
    "account/email/email_deleted": "An e-mail address was removed from your account",
    "mfa/email/totp_activated": "An authenticator app was added to your account",
    "mfa/email/totp_deactivated": "The authenticator app was removed from your account",
    "mfa/email/webauthn_added": "A passkey was added to your account",
    "mfa/email/webauthn_removed": "A passkey was removed from your account",
    "mfa/email/recovery_codes_generated": "New recovery codes were made for your account",
    "socialaccount/email/account_connected": "Another way to sign in was connected to your account",
    "socialaccount/email/account_disconnected": "A way to sign in was removed from your account",
}


def letter(template: str, context: dict[str, Any]) -> Message:
    """The message that allauth calls `template`, with its `context`."""
    if template in LINKS:
        title, text, label, name = LINKS[template]
        return Message(title=title, text=text, path=_path(context.get(name, "")), open_label=label, kind=KIND)
    title = NEWS.get(template, "Something changed in how you sign in")
    text = "If it was not you, choose a new password and tell an administrator."
    return Message(title=f"{title} at TokenOps", text=text, path="/profile/", open_label="Your profile", kind=KIND)


def send_letter(template: str, address: str, context: dict[str, Any]) -> None:
    """Into the outbox."""
    queue(
        letter(template, context),
        f"account:{uuid4().hex}",
        transport="email",
        address=address,
        give_up_after=GIVE_UP_AFTER,
    )


def _path(url: str) -> str:
    """Of an address of ours, what stands after the host."""
    return urlsplit(str(url)).path
