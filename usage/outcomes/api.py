"""`POST /api/v1/runs/<run_id>/outcome` and `POST /api/v1/outcomes`: say what became of runs. GET reads it."""

from collections.abc import Sequence
from typing import Any, cast

import psycopg
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import Error as DatabaseError
from django.db import connection
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.drf import ApiKeyAuthentication, Scoped
from budgets.access.keys import KeyHolder
from budgets.access.problems import Problem
from usage.ingest.decode import JSON_TYPES, unpack
from usage.ingest.event import holds_unstorable_text
from usage.ingest.views import AnswerSerializer, media_type, read_body, sender_of, unavailable
from usage.ingest.write import Answer
from usage.models import OutcomeMessage
from usage.outcomes.api_reading import OutcomeList, RunOutcome
from usage.outcomes.decode import Item, decode_many, is_object, item_of
from usage.outcomes.message import BEST_SCORE, MAX_CASES, MAX_REVENUE, MAX_REVIEW, MAX_SAVED
from usage.outcomes.take import Taking, with_id

LONGEST_ID = 128
EXAMPLE = OpenApiExample(
    "An approved brief",
    value={
        "id": "review-9917",
        "outcome": "approved",
        "reviewer": "lena@example.com",
        "review_minutes": 4.5,
        "satisfaction": 4,
        "revenue_usd": "120.00",
        "minutes_saved": 90,
        "asset": "https://cms.example.com/briefs/481",
        "time": "2026-11-18T11:05:00Z",
    },
    request_only=True,
)
ONE_OF_MANY = OpenApiExample(
    "Two runs",
    value=[
        {"id": "review-9917", "workflow": "seo-briefs", "run_id": "brief-481", "outcome": "approved"},
        {"id": "review-9918", "workflow": "seo-briefs", "run_id": "brief-482", "outcome": "reworked"},
    ],
    request_only=True,
)


class OutcomeSerializer(serializers.Serializer[Any]):
    """What became of a run. Minutes and the score have at most two decimals; a member that is missing says nothing."""

    outcome = serializers.ChoiceField(OutcomeMessage.Kind.choices)
    id = serializers.CharField(
        required=False, max_length=LONGEST_ID,
        help_text="Your own id of this message. The same again with the same content counts once.",
    )  # fmt: skip
    workflow = serializers.CharField(required=False, help_text="Short name. Missing: `unassigned`, as for events.")
    run_id = serializers.CharField(required=False, max_length=128, help_text="As the run's events have it.")
    time = serializers.DateTimeField(required=False, help_text="When it was decided. Missing: now.")
    reviewer = serializers.CharField(required=False, max_length=128, help_text="Who looked at it.")
    review_minutes = serializers.DecimalField(
        required=False, max_digits=8, decimal_places=2, min_value=0, max_value=int(MAX_REVIEW)
    )
    satisfaction = serializers.DecimalField(
        required=False, max_digits=3, decimal_places=2, min_value=0, max_value=BEST_SCORE,
        help_text="From 0 to 5; 5 is best.",
    )  # fmt: skip
    misrouted = serializers.BooleanField(required=False, help_text="It went to the wrong workflow, model or person.")
    revenue_usd = serializers.DecimalField(
        required=False, max_digits=18, decimal_places=9, min_value=0, max_value=int(MAX_REVENUE),
        help_text="What it brought, US dollars, as decimal text.",
    )  # fmt: skip
    minutes_saved = serializers.DecimalField(
        required=False, max_digits=10, decimal_places=2, min_value=0, max_value=int(MAX_SAVED)
    )
    cases = serializers.IntegerField(required=False, min_value=0, max_value=MAX_CASES, help_text="Cases resolved.")
    asset = serializers.CharField(required=False, max_length=500, help_text="Where what it made is: an id or a link.")


class OutcomeTakenSerializer(serializers.Serializer[Any]):
    """What happened to one outcome."""

    status = serializers.ChoiceField(choices=["accepted", "duplicate"])
    id = serializers.CharField(help_text="Its own id; empty where it has none.")
    run_id = serializers.CharField()


class Sending(APIView):
    """Taking needs a key with the scope `ingest`, like events."""

    permission_classes: list[type[BasePermission]] = [Scoped]
    parser_classes: list[Any] = []
    required_scope = "ingest"
    narrowed = True

    def get_authenticators(self) -> list[BaseAuthentication]:
        sends = self.request is not None and self.request.method == "POST"  # None while the API is described
        return [ApiKeyAuthentication()] if sends else super().get_authenticators()

    def body(self, request: Request) -> bytes:
        """Plain JSON within the limit of events; 413 and 415 otherwise."""
        if media_type(request) not in JSON_TYPES:
            raise Problem(415, "unknown-type", "Unknown Content-Type", "Send application/json.")
        limit = settings.INGEST_MAX_BYTES
        encoding = request.headers.get("Content-Encoding", "").lower()
        return unpack(read_body(cast(WSGIRequest, request._request), limit), encoding, limit)

    def taken(self, request: Request, items: Sequence[Item]) -> Answer:
        holder = request.user
        if not isinstance(holder, KeyHolder):  # Scoped lets sessions read; sending needs a key
            raise Problem(403, "key-needed", "An API key is needed", "Send Authorization: Bearer KEY.")
        try:
            return Taking(sender_of(holder), items).take()
        except (DatabaseError, psycopg.Error) as error:
            connection.close()
            raise unavailable(error) from error


class OutcomeView(Sending, RunOutcome):
    """One run's outcome: said, and read."""

    @extend_schema(
        operation_id="send_outcome",
        summary="Say what became of a run",
        description="Applied within about a second; before the run's calls are there it waits for them. The same `id`"
        " (or `Idempotency-Key`) with the same content is a duplicate, with other content a conflict.",
        parameters=[
            OpenApiParameter("workflow", str, description="The run's workflow, where the body does not name it."),
            OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="Where the body has no id."),
        ],
        request=OutcomeSerializer,
        responses={
            200: OutcomeTakenSerializer,
            400: OpenApiResponse(description="The body cannot be read."),
            409: OpenApiResponse(description="This id was taken before with other content. The first counts."),
            422: OpenApiResponse(description="A value is not possible; `field` names it."),
            503: OpenApiResponse(description="Nothing was taken; come back after Retry-After seconds."),
        },
        examples=[EXAMPLE],
        tags=["outcomes"],
    )
    def post(self, request: Request, run_id: str) -> Response:
        body = is_object(self.body(request))
        item = item_of(0, body, run_id=run_id, workflow=request.query_params.get("workflow", ""))
        if once := request.headers.get("Idempotency-Key", ""):
            if len(once) > LONGEST_ID or holds_unstorable_text(once):
                raise Problem(
                    422, "invalid", "Some values are not valid", f"An Idempotency-Key has at most {LONGEST_ID} letters."
                )
            with_id(item, once)
        answer = self.taken(request, [item])
        said: dict[str, Any] = answer.items[0] if answer.items else {"status": "accepted"}
        if "problem" in said:
            problem: dict[str, Any] = dict(said["problem"])
            code = problem.pop("type").rpartition("/")[2]
            raise Problem(problem.pop("status"), code, problem.pop("title"), problem.pop("detail"), **problem)
        return Response({"status": said["status"], "id": item.sent_id, "run_id": run_id})


class OutcomesView(Sending, OutcomeList):
    """Many runs' outcomes: said, and read."""

    @extend_schema(
        operation_id="send_outcomes",
        summary="Say what became of many runs",
        description="A list of outcomes, each with `run_id` and `workflow`; answered item by item, like events.",
        request=OutcomeSerializer(many=True),
        responses={
            200: AnswerSerializer,
            207: OpenApiResponse(AnswerSerializer, description="Some items were not taken."),
            400: OpenApiResponse(description="The body cannot be read."),
            413: OpenApiResponse(description="Too large, or too many outcomes."),
            503: OpenApiResponse(description="Nothing was taken; come back after Retry-After seconds."),
        },
        examples=[ONE_OF_MANY],
        tags=["outcomes"],
    )
    def post(self, request: Request) -> Response:
        items = decode_many(self.body(request))
        answer = self.taken(request, items)
        status = 200 if answer.accepted + answer.duplicate == len(items) else 207
        return Response(answer.as_dict(), status=status)
