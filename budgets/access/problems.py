"""Errors as RFC 9457 problem documents."""

import json
import logging
import secrets
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://tokenops.dev/problems/"


class Problem(Exception):
    """Something the caller can understand and mend. `code` names it for ever; `detail` is a sentence."""

    def __init__(self, status: int, code: str, title: str, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or title)
        self.status, self.code, self.title, self.detail, self.extra = status, code, title, detail, extra
        self.retry_after: int | None = extra.pop("retry_after", None)

    def as_dict(self) -> dict[str, Any]:
        """The document's members."""
        document = {"type": TYPE_BASE + self.code, "title": self.title, "status": self.status}
        if self.detail:
            document["detail"] = self.detail
        return {**document, **self.extra}


def problem_headers(problem: Problem) -> dict[str, str]:
    """Headers that go with it: Retry-After in seconds, and how to authenticate."""
    headers = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="TokenOps"'
    return headers


def problem_response(problem: Problem) -> HttpResponse:
    """A plain Django response, for code outside DRF."""
    body = json.dumps(problem.as_dict())
    return HttpResponse(body, status=problem.status, content_type=MEDIA_TYPE, headers=problem_headers(problem))


def what_failed(error: Exception, doing: str) -> str:
    """Why work in the background stopped, for whoever looks at it: a sentence of ours as it is, and of a fault a code.

    The exception is logged under that code, with what was being done; it may hold what is nobody's business.
    """
    if isinstance(error, Problem):
        return error.detail or error.title
    code = secrets.token_hex(4)
    logger.error("%s failed, code %s", doing, code, exc_info=error)
    return f"Something went wrong in TokenOps. The server's log says what, under the code {code}."


def of_exception(error: Exception) -> Problem | None:
    """The problem that an exception means to the caller; None where it is our own fault."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.ValidationError):
        return Problem(422, "invalid", "Some values are not valid", errors=error.detail)
    if isinstance(error, exceptions.APIException):
        code = str(error.default_code).replace("_", "-")
        problem = Problem(error.status_code, code, HTTPStatus(error.status_code).phrase, str(error.detail))
        wait = getattr(error, "wait", None)
        if wait:
            problem.retry_after = max(1, round(wait))
        return problem
    return of_django(error)


def of_django(error: Exception) -> Problem | None:
    """The same of what Django itself raises."""
    if isinstance(error, Http404):
        return Problem(404, "not-found", "Not found", str(error) or "There is nothing at this address.")
    if isinstance(error, PermissionDenied):
        return Problem(403, "forbidden", "Not allowed", str(error) or "Your role does not allow this.")
    if isinstance(error, RequestDataTooBig):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return Problem(413, "too-large", "The body is too large", f"Send at most {limit:,} bytes at a time.")
    return None


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler."""
    from rest_framework.views import set_rollback  # its module reads the setting that names this one

    problem = of_exception(error)
    if problem is None:
        return None
    set_rollback()
    # Already the final content type, whatever was negotiated: problem+json is JSON.
    return Response(problem.as_dict(), status=problem.status, headers=problem_headers(problem), content_type=MEDIA_TYPE)
