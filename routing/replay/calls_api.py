"""The calls behind a figure of a replay, over HTTP."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from tokenops_sdk.asking import Decision

from routing.approvals.api import dollars
from routing.replay.api import Replayed
from routing.replay.behind import LOOKED_AT, Found, Wanted
from routing.replay.lists import listed_calls, page_number
from routing.replay.run import FIGURES, Outcome
from routing.replay.views import done_replay
from routing.replay.words import CHANGED, SIDES


class GivenReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    code = serializers.CharField()
    text = serializers.CharField()


class SaidOfCallSerializer(serializers.Serializer[Any]):
    """What a policy says of the call. `cost` in US dollars: null where it is not known."""

    action = serializers.CharField()
    made = serializers.BooleanField()
    tier = serializers.IntegerField(help_text="0: in none, or not made.")
    provider = serializers.CharField()
    model = serializers.CharField()
    cost = serializers.CharField(allow_null=True)
    reasons = GivenReasonSerializer(many=True)


class PastCallSerializer(serializers.Serializer[Any]):
    """A call as it happened, and what the two policies say of it."""

    time = serializers.DateTimeField()
    workflow = serializers.CharField()
    run_id = serializers.CharField(allow_null=True)
    step = serializers.IntegerField(allow_null=True)
    provider = serializers.CharField()
    model = serializers.CharField()
    requested_model = serializers.CharField(allow_null=True)
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    status = serializers.CharField()
    cost = serializers.CharField(allow_null=True)
    live = SaidOfCallSerializer()
    draft = SaidOfCallSerializer()


class CallsSerializer(serializers.Serializer[Any]):
    """Fifty calls. `more`: there is another page; `ended`: only so many calls were looked at, and there may be more."""

    count = serializers.IntegerField(allow_null=True, help_text="As the preview counted them; null: not counted.")
    page = serializers.IntegerField()
    more = serializers.BooleanField()
    ended = serializers.BooleanField()
    calls = PastCallSerializer(many=True)


class ReplayCallsView(Replayed, APIView):
    """The calls behind a figure."""

    @extend_schema(
        summary="The calls behind a figure of a preview",
        description=f"Run by run, fifty to a page. At most {LOOKED_AT:,} calls are looked at for one page; the CSV"
        " of the page has no such end.",
        parameters=[
            OpenApiParameter("figure", str, enum=[*FIGURES, CHANGED]),
            OpenApiParameter("side", str, enum=list(SIDES)),
            OpenApiParameter("workflow", str),
            OpenApiParameter("tier", str, description="A number; 0: in none; not-made."),
            OpenApiParameter("code", str, description="Of a reason."),
            OpenApiParameter("rule", str, description="Its id."),
            OpenApiParameter("page", int),
        ],
        responses=CallsSerializer,
        tags=["policy"],
    )
    def get(self, request: Request, draft: int, pk: int) -> Response:
        replay, result = done_replay(draft, pk)
        given = request.query_params
        wanted = Wanted.asked(given.dict())
        if given.get("figure", wanted.figure) != wanted.figure or given.get("side", wanted.side) != wanted.side:
            raise Http404("There is no such figure.")
        listed = listed_calls(replay, wanted, page_number(given.get("page", "")))
        return Response(
            {
                "count": wanted.of(result),
                "page": listed.number,
                "more": listed.more,
                "ended": listed.ended,
                "calls": PastCallSerializer([told(one) for one in listed.rows], many=True).data,
            }
        )


def told(found: Found) -> dict[str, Any]:
    """A call as the serializer has it."""
    call = found.call
    names = ("time", "workflow", "run_id", "step", "provider", "model", "requested_model", "input_tokens")
    facts = {name: getattr(call, name) for name in (*names, "output_tokens", "status")}
    sides = {"live": said(found.live, found.said_live), "draft": said(found.draft, found.said_draft)}
    return {**facts, "cost": dollars(call.cost), **sides}


def said(outcome: Outcome, decision: Decision) -> dict[str, Any]:
    names = ("action", "made", "tier", "provider", "model")
    facts = {name: getattr(outcome, name) for name in names}
    return {**facts, "cost": dollars(outcome.cost), "reasons": decision.reasons}
