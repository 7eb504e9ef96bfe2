"""Send to an address that somebody typed, only after looking where it leads.

A name is resolved once, every address it stands for is checked, and the connection goes to the address that was
checked: a name that answers otherwise the second time reaches nothing inside. Redirects are not followed.
"""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import certifi
import urllib3
from django.conf import settings
from urllib3.util import Timeout

from budgets.delivery.transport import Refused, Temporary

PATIENCE = Timeout(connect=5, read=10)
MOST_READ = 64 * 1024  # bytes of an answer
PORTS = {"http": 80, "https": 443}


def problem_with(url: str) -> str:
    """Why this cannot be an address to send to, in a sentence; "" if it can. Does not resolve it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "That is no web address."
    if parts.scheme not in PORTS or not parts.hostname:
        return "Write a whole web address, such as https://example.com/hook."
    if parts.scheme == "http" and not settings.DELIVERY_ALLOW_PRIVATE:
        return "Use https: what is sent says what your company spends."
    if parts.username or parts.password:
        return "Leave name and password out of the address."
    if port == 0 or parts.fragment:
        return "That address has a part that cannot be sent to."
    return ""


def checked_address(host: str, port: int) -> str:
    """An IP address of `host` that may be reached. Raises Refused or Temporary."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise Temporary(f"The name {host} is not known.") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not settings.DELIVERY_ALLOW_PRIVATE and not all(is_public(one) for one in addresses):
        raise Refused(
            f"{host} leads to a private address. An administrator can allow that with DELIVERY_ALLOW_PRIVATE=1."
        )
    if not addresses:
        raise Temporary(f"The name {host} has no address.")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is reachable by anyone: neither private, link-local, loopback nor for special use."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or mapped.is_global)


def post(url: str, body: bytes, headers: Mapping[str, str], patience: Timeout = PATIENCE) -> tuple[int, bytes]:
    """Status and (bounded) body of the answer. Raises Refused or Temporary."""
    said = problem_with(url)
    if said:
        raise Refused(said)
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme]
    address = checked_address(host, port)
    path = parts.path or "/"
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, server_hostname=host, assert_hostname=host, ca_certs=certifi.where(), retries=False
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, retries=False)
    with pool:
        try:
            answer = pool.request(
                "POST",
                f"{path}?{parts.query}" if parts.query else path,
                body=body,
                headers={**headers, "Host": parts.netloc},
                timeout=patience,
                redirect=False,
                preload_content=False,
            )
            try:
                return answer.status, answer.read(MOST_READ)
            finally:
                answer.close()
        except urllib3.exceptions.SSLError as error:
            raise Temporary(f"No safe connection to {host}: {' '.join(str(error).split())[:200]}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Temporary(f"No answer from {host}: {type(error).__name__}.") from error


def judge(status: int, host: str) -> None:
    """Temporary or Refused unless the answer says that it was taken."""
    if 200 <= status < 300:
        return
    said = f"{host} answered {status}."
    if status in {408, 425, 429} or status >= 500:
        raise Temporary(said)
    raise Refused(said)
