"""`POST /api/v1/events`."""

import logging
from typing import Any

import psycopg
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import Error as DatabaseError
from django.db import connection
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from budgets.access.drf import ApiKeyAuthentication, Scoped
from budgets.access.keys import KeyHolder
from budgets.access.problems import Problem
from usage.ingest import quarantine
from usage.ingest.backlog import backlog
from usage.ingest.decode import decode, too_large, unpack
from usage.ingest.together import take_together
from usage.ingest.write import Sender

logger = logging.getLogger(__name__)


class BacklogThrottle(BaseThrottle):
    """Senders wait while more events are unfolded than the setting allows."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return not backlog().is_too_long
        except DatabaseError as error:
            connection.close()
            raise unavailable(error) from error

    def wait(self) -> float:
        return backlog().retry_after


class AnswerSerializer(serializers.Serializer[Any]):
    """The answer to a batch."""

    accepted = serializers.IntegerField(help_text="Events taken now.")
    duplicate = serializers.IntegerField(help_text="Taken before with the same content; nothing was charged again.")
    conflict = serializers.IntegerField(help_text="Taken before with other content; the first counts.")
    rejected = serializers.IntegerField(help_text="Refused; kept in quarantine with the reason.")
    items = serializers.ListField(child=serializers.DictField(), help_text="Every item that was not accepted.")


EXAMPLE = OpenApiExample(
    "One call",
    value={
        "id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "time": "2026-11-18T09:30:00Z",
        "workflow": "seo-briefs",
        "run_id": "brief-481",
        "provider": "openai",
        "model": "gpt-4.1-mini",
        "input_tokens": 1200,
        "cached_input_tokens": 800,
        "output_tokens": 350,
    },
    request_only=True,
)


class EventsView(APIView):
    """Take usage events: one, an array, or CloudEvents; plain or gzip."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes: list[type[BasePermission]] = [Scoped]
    throttle_classes = [BacklogThrottle]
    parser_classes: list[Any] = []
    required_scope = "ingest"
    narrowed = True

    @extend_schema(
        operation_id="send_events",
        request={"application/json": {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}},
        responses={
            200: AnswerSerializer,
            207: OpenApiResponse(AnswerSerializer, description="Some items were not taken."),
            400: OpenApiResponse(description="The body cannot be read."),
            413: OpenApiResponse(description="Too large, or too many events."),
            415: OpenApiResponse(description="Unknown Content-Type or Content-Encoding."),
            429: OpenApiResponse(description="Come back after Retry-After seconds."),
            503: OpenApiResponse(description="Nothing was taken; come back after Retry-After seconds."),
        },
        examples=[EXAMPLE],
        tags=["usage"],
    )
    def post(self, request: Request) -> Response:
        holder = request.user
        if not isinstance(holder, KeyHolder):  # Scoped lets sessions read; sending needs a key
            raise Problem(403, "key-needed", "An API key is needed", "Send Authorization: Bearer KEY.")
        limit = settings.INGEST_MAX_BYTES
        body = unpack(read_body(request._request, limit), request.headers.get("Content-Encoding", "").lower(), limit)
        try:
            items = decode(body, media_type(request), headers_of(request), settings.INGEST_MAX_EVENTS)
            answer = take_together(sender_of(holder), items)
        except Problem as problem:
            keep_unreadable(holder, body, problem)
            raise
        except (DatabaseError, psycopg.Error) as error:
            connection.close()
            raise unavailable(error) from error
        status = 200 if answer.accepted + answer.duplicate == len(items) else 207
        return Response(answer.as_dict(), status=status)


def media_type(request: Request) -> str:
    return (request.content_type or "").partition(";")[0].strip().lower()


def headers_of(request: Request) -> dict[str, str]:
    """Header names in small letters."""
    return {name.lower(): value for name, value in request.headers.items()}


def sender_of(holder: KeyHolder) -> Sender:
    """The key's own source, the other sources it may name, and the teams it is limited to."""
    return Sender(holder.source_id, holder.source, dict(holder.allowed), holder.team_names)


def read_body(request: WSGIRequest, limit: int) -> bytes:
    """The body as sent, never more than `limit` bytes of it in memory; 413 beyond that."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > limit:
        raise too_large(limit)
    # Django reads nothing of a chunked body, which has no length; the server ends that stream itself.
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    stream = request.META["wsgi.input"] if chunked and not length else request
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise too_large(limit)
    return body


def keep_unreadable(holder: KeyHolder, body: bytes, problem: Problem) -> None:
    """A body that cannot be split into events is kept whole, as far as the quarantine's limit goes."""
    if problem.status != 400:
        return
    try:
        with connection.cursor() as cursor:
            quarantine.keep(cursor, holder.source_id, [quarantine.Refused(body, "", problem.code, problem.as_dict())])
    except DatabaseError as error:
        connection.close()
        raise unavailable(error) from error


def unavailable(error: Exception) -> Problem:
    """503. Safe to send again, since ids are claimed in the transaction that failed."""
    logger.error("Ingest is unavailable: %s", error)
    return Problem(
        503,
        "unavailable",
        "The ledger cannot be written now",
        "Send it again: nothing counts twice.",
        retry_after=2,
    )
