"""A real OpenID Connect provider, in a process of its own."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from tokenops_site.company_sign_in import CompanySignIn
from tokenops_site.serve.command import free_port


@dataclass(frozen=True)
class Provider:
    """Where it listens. Whoever types a name there is signed in as that name."""

    url: str

    def knows(self, sub: str, **claims: object) -> None:
        """What it says of the person of that name: `email`, `email_verified`, `name`."""
        put = urllib.request.Request(
            f"{self.url}/users/{quote(sub)}",
            json.dumps(claims).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(put, timeout=10).close()

    def as_setting(self, new_people: str = "") -> CompanySignIn:
        """What `COMPANY_SIGN_IN` is with it."""
        return CompanySignIn("Acme", self.url, "tokenops", "secret", new_people, (self.url,))


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Started, answering, and stopped at the end."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    provider = Provider(f"http://localhost:{port}")
    try:
        deadline = time.monotonic() + 30
        while not _answers(provider.url):
            assert process.poll() is None and time.monotonic() < deadline, "the provider does not start"
            time.sleep(0.1)
        yield provider
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/.well-known/openid-configuration", timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True
