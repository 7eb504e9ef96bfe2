"""`POST /api/v1/decide`: the decision for whoever cannot hold a bundle. See docs/decision.md."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from tokenops_sdk.asking import Request as Asked
from tokenops_sdk.decide import decide_prepared
from tokenops_sdk.wire import RequestRefused, read_request, write_decision

from budgets.access.drf import Scoped
from budgets.access.keys import KeyHolder
from budgets.access.problems import Problem
from budgets.access.reachable import BELONGING
from budgets.access.roles import VIEW, Reach, reach
from budgets.access.sent import invalid
from budgets.models import UNASSIGNED, ApiKey, Workflow
from routing.decision.current import NoBundle, prepared_now
from routing.decision.described import in_openapi

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST = 100  # calls in one question
SCHEMA = json.loads((Path(settings.BASE_DIR) / "docs/schemas/decision-v1.json").read_text())["$defs"]
ONE, ANSWER = in_openapi(SCHEMA["request"], SCHEMA), in_openapi(SCHEMA["decision"], SCHEMA)


def one_or_many(schema: dict[str, Any]) -> dict[str, Any]:
    """One of them or a list."""
    return {"oneOf": [schema, {"type": "array", "minItems": 1, "maxItems": MOST, "items": schema}]}


EXAMPLE = OpenApiExample(
    "One call",
    value={"workflow": "seo-briefs", "stage": "draft", "model": "gpt-5", "input_tokens": 1200, "output_tokens": 350},
    request_only=True,
)
ASKING = {ApiKey.Scope.BUNDLE, ApiKey.Scope.READ, ApiKey.Scope.ADMIN}


class MayAsk(Scoped):
    """Asking changes nothing, so a key that fetches bundles or reads is enough, and so is a role that reads."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(reach_of(request.user))


def reach_of(who: "KeyHolder | User | Any") -> Reach:
    """Of which teams' workflows somebody may ask."""
    if not isinstance(who, KeyHolder):
        return reach(who, VIEW)
    return Reach(everything=not who.teams, team_ids=who.teams) if who.scopes & ASKING else Reach()


class DecideView(APIView):
    permission_classes = [MayAsk]
    required_scope = "bundle"
    read_scope = "read"
    narrowed = True

    @extend_schema(
        summary="Ask what the policy says of a call",
        description=f"One call's facts, or a list of up to {MOST}; the answer has the same shape, in the same order. "
        "By the newest bundle, as the SDK decides with it; writes nothing and reserves nothing. Keys need the scope "
        "bundle or read; a key that is limited to teams may ask for their workflows only. See docs/decision.md and "
        "/schemas/decision-v1.json.",
        tags=["decision"],
        request={"application/json": one_or_many(ONE)},
        responses={
            (200, "application/json"): one_or_many(ANSWER),
            404: OpenApiResponse(description="A workflow that is not of the caller's teams."),
            422: OpenApiResponse(description="What is wrong, by field; in a list as `3.workflow`, counted from 0."),
            503: OpenApiResponse(description="No bundle was compiled yet."),
        },
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        sent: Any = request.data
        many = isinstance(sent, list)
        asked = read_requests(sent if many else [sent], many)
        refuse_out_of_reach(reach_of(request.user), asked)
        try:
            policy = prepared_now()
        except NoBundle as error:
            raise Problem(503, "no-bundle", "No policy bundle yet", str(error), retry_after=1) from None
        now = timezone.now()
        said = [write_decision(decide_prepared(policy, one, now)) for one in asked]
        return Response(said if many else said[0])


def read_requests(said: list[Any], many: bool) -> list[Asked]:
    """The calls; 422 with what is wrong by field, in a list as `3.workflow`, counted from 0."""
    if not 1 <= len(said) <= MOST:
        raise invalid({"request": f"Ask for 1 to {MOST} calls at once."})
    found: list[Asked] = []
    problems: dict[str, str] = {}
    for n, one in enumerate(said):
        try:
            found.append(read_request(one))
        except RequestRefused as refused:
            problems |= {f"{n}.{name}" if many else name: text for name, text in refused.problems.items()}
    if problems:
        raise invalid(problems)
    return found


def refuse_out_of_reach(reached: Reach, asked: Iterable[Asked]) -> None:
    """404 where a workflow is not of the teams that somebody is limited to, or there is none."""
    if reached.everything:
        return
    wanted = {one.workflow or UNASSIGNED for one in asked}
    rows = BELONGING[Workflow].narrowed(Workflow.objects.filter(slug__in=wanted), reached.team_ids)
    if missing := sorted(wanted - set(rows.values_list("slug", flat=True))):
        raise Http404(f"There is no workflow {missing[0]}.")
