"""A real SMTP server in a process of its own, which hands over each mail that it took."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any, cast

SERVER = """
import sys
from aiosmtpd.controller import Controller
class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 No such person"
        if address.startswith("later"):
            return "451 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        print(repr(envelope.content.decode()), flush=True)
        return "250 OK"
controller = Controller(Keep(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
print("ready", flush=True)
sys.stdin.read()
"""


class MailServer:
    """Refuses whoever is called nobody…, puts later… off, takes the rest."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process, self.port = process, port

    def next_mail(self) -> EmailMessage:
        """The oldest mail that was not handed over yet; waits for it."""
        assert self.process.stdout is not None
        raw: str = eval(self.process.stdout.readline())
        return cast(EmailMessage, message_from_string(raw, policy=policy.default))

    def use(self, settings: Any, site_url: str = "https://tokenops.example.com") -> None:
        """Have the product send its mail here, with links to `site_url`."""
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", self.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.DEFAULT_FROM_EMAIL = "TokenOps <tokenops@example.com>"
        settings.SITE_URL = site_url


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield MailServer(process, port)
        process.stdin.close()
