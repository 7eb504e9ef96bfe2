"""E-mail, as HTML and plain text, through Django's mail settings. A link opens a page; it never decides anything."""

import re
import smtplib
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.template.loader import render_to_string

from budgets.delivery.links import link
from budgets.delivery.message import Message
from budgets.delivery.transport import Address, Field, InvalidAddress, Refused, Target, Temporary

MOST = 20  # addresses of one channel: longer lists belong to a mailing list


class Email:
    """One message to one or several addresses, each seeing the others of its channel."""

    key = "email"
    words = "E-mail"
    fields: tuple[Field, ...] = (Field("to", "E-mail addresses", "One, or several with commas between them."),)

    def clean(self, typed: Mapping[str, str], before: Mapping[str, Any] | None = None) -> Address:
        """Addresses with commas, semicolons or spaces between them."""
        found = list(dict.fromkeys(part for part in re.split(r"[,;\s]+", typed.get("to", "")) if part))
        if not found:
            raise InvalidAddress({"to": "Type at least one e-mail address."})
        if len(found) > MOST:
            raise InvalidAddress({"to": f"At most {MOST} addresses. Use a mailing list for more."})
        for one in found:
            try:
                validate_email(one)
            except ValidationError:
                raise InvalidAddress({"to": f"“{one[:100]}” is no e-mail address."}) from None
        shown = ", ".join(found)
        if len(shown) > 500:
            raise InvalidAddress({"to": "That is too long. Use a mailing list."})
        return Address(shown)

    def send(self, target: Target, message: Message) -> dict[str, Any]:
        """Hand it to the mail server. Its Message-ID is the delivery's, so that one sent twice is shown once."""
        if not settings.EMAIL_HOST:
            raise Temporary("E-mail is not set up: EMAIL_HOST is not set.")
        context = {
            "message": message,
            "link": link(message.path),
            "site": settings.SITE_URL,
            "items": [(item, link(item.path)) for item in message.items],
            "stop": link(message.stop_path),
        }
        _, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
        message_id = f"<{target.id}@{sender.rpartition('@')[2] or 'localhost'}>"
        mail = EmailMultiAlternatives(
            subject=subject_of(message),
            body=render_to_string("delivery/mail.txt", context).strip() + "\n",
            to=target.address.split(", "),
            headers=headers_of(message) | {"Message-ID": message_id},
        )
        for one in message.attachments:
            mail.attach(one.name, one.text, one.media_type)
        mail.attach_alternative(render_to_string("delivery/mail.html", context), "text/html")
        try:
            mail.send()
        except smtplib.SMTPRecipientsRefused as error:
            raise _by_code(min((code for code, _ in error.recipients.values()), default=550), error) from error
        except smtplib.SMTPResponseException as error:
            raise _by_code(error.smtp_code, error) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Temporary(f"The mail server did not take it: {_said(error)}") from error
        return {"message_id": message_id}


def subject_of(message: Message) -> str:
    """One line: no letter of a title may begin another header."""
    mark = "[Test] " if message.test else ""
    return mark + " ".join(message.title.split())[:200]


def headers_of(message: Message) -> dict[str, str]:
    """Beside the usual ones. One click in the mail program ends what has a `stop_path` (RFC 8058)."""
    found = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
    if message.stop_path:
        found |= {
            "List-Unsubscribe": f"<{link(message.stop_path)}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    return found


def _by_code(code: int, error: Exception) -> Exception:
    """5xx of a recipient or of the message is for good; wrong credentials (530 to 535) somebody may mend."""
    said = f"The mail server answered {code}: {_said(error)}"
    return Refused(said) if 500 <= code < 600 and not 530 <= code <= 538 else Temporary(said)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


EMAIL = Email()
