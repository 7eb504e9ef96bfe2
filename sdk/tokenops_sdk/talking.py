"""How the clients speak HTTP: addresses, limits, answers as values. What they say is decided elsewhere."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import httpx

from tokenops_sdk.following import Answer
from tokenops_sdk.jws import MAX_BUNDLE_BYTES

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0  # beyond what the server was asked to wait
MAX_REDIRECTS = 3

NETWORK_ERRORS = (httpx.HTTPError, httpx.InvalidURL, OSError)


class TooLarge(httpx.HTTPError):
    """An answer that is longer than any that the server gives."""


def software() -> str:
    """This package and its version, as it names itself to the server."""
    try:
        return f"tokenops-sdk/{version('tokenops-sdk')} python/{platform.python_version()}"
    except PackageNotFoundError:
        return f"tokenops-sdk python/{platform.python_version()}"


def checked_url(url: str) -> str:
    """The server's address without a slash at its end; ValueError where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"The server's address must begin with http:// or https://, not {url!r}.")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("The server's address has no query, fragment or user name.")
    return url.rstrip("/")


def headers_for(key: str) -> dict[str, str]:
    """What every request carries. httpx drops Authorization where a redirect leads to another host or port."""
    if not key or not key.isascii() or any(c.isspace() for c in key):
        raise ValueError("The API key is empty, or holds characters that no key has.")
    return {"Authorization": f"Bearer {key}", "User-Agent": software()}


def timeout(wait: float = 0.0) -> httpx.Timeout:
    """For an answer that may take `wait` seconds longer than others."""
    return httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, read=ANSWER_SECONDS + wait)


def waits(headers: Mapping[str, str]) -> float:
    """The seconds asked for in `Prefer: wait=N`; 0 without."""
    _, found, seconds = headers.get("Prefer", "").partition("wait=")
    return float(seconds) if found else 0.0


def sentence_for(error: Exception) -> str:
    """A network error as a sentence."""
    told = str(error) or type(error).__name__
    return f"The server cannot be reached: {told}"


def read(response: httpx.Response) -> Answer:
    """The whole answer of a stream, never more than 64 MiB of it. Raises TooLarge, httpx.HTTPError."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_BUNDLE_BYTES:
            raise TooLarge("The answer is too large.")
        parts.append(part)
    return Answer(response.status_code, dict(response.headers), b"".join(parts))


async def read_async(response: httpx.Response) -> Answer:
    """As `read`."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BUNDLE_BYTES:
            raise TooLarge("The answer is too large.")
        parts.append(part)
    return Answer(response.status_code, dict(response.headers), b"".join(parts))
