"""Answers for the bundle and the public keys before Django's middleware, from memory."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from budgets.access.keys import KeyHolder
from routing.bundle.answer import (
    BUNDLE_PATH,
    JWKS_PATH,
    NOTICES_PATH,
    Answer,
    answer_bundle,
    answer_jwks,
    answer_problem,
    not_allowed,
    not_ready,
    wanted_wait,
)
from routing.bundle.entry import admit, make_ticket
from routing.bundle.memory import memory
from routing.opa.serve import OPA_PATH, opa_archive_for

WSGI = Callable[..., Iterable[bytes]]
STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class BundleFront:
    """Wraps the Django application; everything else passes through."""

    def __init__(self, application: WSGI) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == BUNDLE_PATH:
            answer = bundle_for(environ)
        elif path == JWKS_PATH:
            answer = keys_for(environ)
        elif path == NOTICES_PATH:
            answer = notices_for(environ)
        elif path == OPA_PATH:
            answer = opa_archive_for(environ)
        else:
            return self.application(environ, start_response)
        start_response(STATUS_LINES[answer.status], answer.headers)
        return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]


def bundle_for(environ: dict[str, Any]) -> Answer:
    """The answer to a request for the bundle."""
    method = environ["REQUEST_METHOD"]
    if method not in ("GET", "HEAD"):
        return not_allowed()
    holder = admit(environ.get("HTTP_AUTHORIZATION"))
    if isinstance(holder, Answer):
        return holder
    served = memory().served
    if served is None:
        return not_ready()
    answer = answer_bundle(served, environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_ACCEPT_ENCODING", ""))
    # Who has the newest and wants to wait goes to the push process; who has an older one gets the newest here, now.
    if answer.status == HTTPStatus.NOT_MODIFIED and wanted_wait(environ.get("HTTP_PREFER", "")):
        return send_to_push(environ, holder)
    return answer


def keys_for(environ: dict[str, Any]) -> Answer:
    """The answer to a request for the public keys; needs no key."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return not_allowed()
    served = memory().served
    return not_ready() if served is None else answer_jwks(served.jwks)


def notices_for(environ: dict[str, Any]) -> Answer:
    """Notices are held by the push process, like waiting."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return not_allowed()
    holder = admit(environ.get("HTTP_AUTHORIZATION"))
    return holder if isinstance(holder, Answer) else send_to_push(environ, holder, NOTICES_PATH)


def send_to_push(environ: dict[str, Any], holder: KeyHolder, path: str = BUNDLE_PATH) -> Answer:
    """307 to where waiting is cheap."""
    base = settings.PUSH_URL.rstrip("/") or push_host(environ)
    if not base:
        return answer_problem(400, "bad-host", "Unknown host", "This Host header is not among ALLOWED_HOSTS.")
    location = f"{base}{path}?{urlencode({'ticket': make_ticket(holder)})}"
    return Answer(307, [("Location", location), ("Cache-Control", "no-store"), ("Content-Length", "0")], b"")


def push_host(environ: dict[str, Any]) -> str:
    """The host the client came to, on PUSH_PORT; empty where the host is not ours."""
    domain, _ = split_domain_port(environ.get("HTTP_HOST", ""))
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return ""
    forwarded = settings.BEHIND_TLS and environ.get("HTTP_X_FORWARDED_PROTO") == "https"
    scheme = "https" if forwarded else environ.get("wsgi.url_scheme", "http")
    return f"{scheme}://{domain}:{settings.PUSH_PORT}"
