"""Requests over HTTP: for agents and gateways that ask, and for people who decide."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.problems import Problem
from budgets.access.reachable import reachable
from budgets.access.roles import ASK
from budgets.access.sent import asked, body, invalid
from budgets.approvals import decide, words
from budgets.approvals.facts import Asked
from budgets.approvals.open import InvalidRequest, ReusedKey, open_request
from budgets.approvals.rules import live_rules
from budgets.approvals.tiers import tier_names
from budgets.audit.record import Actor
from budgets.models import NANO, ApprovalRequest, ApprovalRule, Budget, Grant, Organisation, Workflow
from routing.approvals import acts
from routing.approvals.facts import facts_for
from routing.approvals.listing import RELATED
from routing.bundle.content import decimal_text

# A policy is asked for by publishing its draft.
ASKED_FOR = [(one.value, one.label) for one in ApprovalRequest.Kind if one != ApprovalRequest.Kind.POLICY]
MONEY = {"max_digits": 20, "decimal_places": 9, "required": False, "allow_null": True, "default": None}


def dollars(nano: int | None) -> str | None:
    """Plain decimal text of nano-dollars."""
    return None if nano is None else decimal_text(Decimal(nano) / NANO)


class GrantSerializer(serializers.ModelSerializer[Grant]):
    """What an approved request allows. Send `id` as `grant_id` with each call that uses it. Money in US dollars."""

    id: Any = serializers.CharField(source="key")
    request = serializers.IntegerField(source="request_id")
    workflow = serializers.CharField(source="workflow.slug")
    ceiling = serializers.SerializerMethodField(help_text="Null: no ceiling of money.")
    spent = serializers.SerializerMethodField()
    end = serializers.CharField(help_text="ceiling, expired or undone; empty while it runs.")

    class Meta:
        model = Grant
        fields = [
            "id", "request", "workflow", "scope", "tier", "ceiling", "ceiling_runs", "spent", "calls", "runs",
            "starts_at", "expires_at", "ended_at", "end",
        ]  # fmt: skip
        read_only_fields = fields

    def get_ceiling(self, grant: Grant) -> str | None:
        return dollars(grant.ceiling)

    def get_spent(self, grant: Grant) -> str:
        return str(dollars(grant.spent))


class RequestSerializer(serializers.ModelSerializer[ApprovalRequest]):
    """A request and what became of it. Money in US dollars; `amount` in the budget's metric."""

    summary = serializers.SerializerMethodField(help_text="What is asked for, in words.")
    workflow = serializers.CharField(source="workflow.slug", allow_null=True, default=None)
    budget = serializers.CharField(source="budget.slug", allow_null=True, default=None)
    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    policy: Any = serializers.IntegerField(help_text="The id of the draft under /policy/drafts; null for other kinds.")
    user: Any = serializers.CharField(source="subject_user")
    amount = serializers.SerializerMethodField()
    ceiling = serializers.SerializerMethodField()
    extra_cost = serializers.SerializerMethodField()
    requested_by = serializers.CharField(source="requested_text")
    decided_by = serializers.CharField(source="decided_text")
    decided = serializers.SerializerMethodField(help_text="Who did what and when, in words; empty while it waits.")
    grant = GrantSerializer(allow_null=True, default=None)

    class Meta:
        model = ApprovalRequest
        fields = [
            "id", "kind", "state", "summary", "workflow", "run_id", "user", "tier", "runs", "ceiling", "wanted_until",
            "budget", "amount", "policy", "team", "risk_categories", "reason", "extra_cost", "facts", "requested_by",
            "created_at", "lapses_at", "approvers_needed", "decided_by", "decided_at", "decision_reason", "decided",
            "grant",
        ]  # fmt: skip
        read_only_fields = fields

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Of the tiers, read once for a whole list."""
        return tier_names()

    @cached_property
    def organisation(self) -> Organisation:
        return Organisation.get()

    def get_summary(self, row: ApprovalRequest) -> str:
        return words.subject(row, self.names)

    def get_amount(self, row: ApprovalRequest) -> str | None:
        if row.amount is None or row.budget is None:
            return None
        return dollars(row.amount) if row.budget.metric == Budget.Metric.MONEY else str(row.amount)

    def get_ceiling(self, row: ApprovalRequest) -> str | None:
        return dollars(row.ceiling)

    def get_extra_cost(self, row: ApprovalRequest) -> str | None:
        return dollars(row.extra_cost)

    def get_decided(self, row: ApprovalRequest) -> str:
        return words.decided(row, timezone.now(), self.organisation)


class AskSerializer(serializers.Serializer[Any]):
    """What is asked for. `premium`: workflow, tier, and runs or ceiling or run_id. `budget`: budget and amount."""

    kind = serializers.ChoiceField(ASKED_FOR)
    reason = serializers.CharField(max_length=1000)
    workflow = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    run_id = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    user: Any = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    tier = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=1000)
    runs = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=10**9)
    ceiling = serializers.DecimalField(**MONEY, help_text="US dollars.")  # type: ignore[arg-type]
    wanted_until = serializers.DateTimeField(required=False, allow_null=True, default=None)
    budget = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    amount = serializers.DecimalField(**MONEY, help_text="In the budget's metric.")  # type: ignore[arg-type]


class DecisionSerializer(serializers.Serializer[Any]):
    """Why; a decline needs it. `ceiling` (US dollars) with an approval: allow no more than that."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")
    ceiling = serializers.DecimalField(**MONEY)  # type: ignore[arg-type]


def visible(request: Request) -> QuerySet[ApprovalRequest]:
    rows = reachable(ApprovalRequest, request.user)
    return rows.select_related(*RELATED).order_by("-created_at", "-pk")


class Requests:
    """Reading needs the scope `read` or `request` (its own requests); asking `request`. People decide, not keys."""

    required_scope = "request"
    permission = ASK
    narrowed = True

    @property
    def read_scope(self) -> str:
        """A key that only asks reads what it asked."""
        caller = getattr(self, "request").user  # noqa: B009  a view's, which this is mixed into
        scopes: frozenset[str] = getattr(caller, "scopes", frozenset())
        return "read" if scopes & {"read", "admin"} else "request"


@extend_schema_view(
    get=extend_schema(
        summary="List requests",
        description="The newest first.",
        parameters=[
            OpenApiParameter("state", str, enum=ApprovalRequest.State.values),
            OpenApiParameter("kind", str, enum=ApprovalRequest.Kind.values),
        ],
        tags=["approvals"],
    )
)
class RequestListView(Requests, generics.ListAPIView[ApprovalRequest]):
    """All that the caller may see."""

    serializer_class = RequestSerializer
    queryset = ApprovalRequest.objects.all()

    def get_queryset(self) -> QuerySet[ApprovalRequest]:
        rows = visible(self.request)
        state = asked(self.request, "state", ApprovalRequest.State.values)
        kind = asked(self.request, "kind", ApprovalRequest.Kind.values)
        rows = rows.filter(state=state) if state else rows
        return rows.filter(kind=kind) if kind else rows

    @extend_schema(
        summary="Ask",
        description="With an `Idempotency-Key` header the same request sent again is answered with the first (200);"
        " the same key for other content is 409. Figures are computed when it is asked.",
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
        request=AskSerializer,
        responses={201: RequestSerializer, 200: RequestSerializer},
        tags=["approvals"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        wanted = stated(body(AskSerializer, request))
        check_reach(request, wanted)
        now = timezone.now()
        key = request.headers.get("Idempotency-Key", "")
        try:
            made = open_request(Actor.of_request(request), wanted, facts_for(wanted, now), now, idempotency_key=key)
        except InvalidRequest as error:
            raise invalid(error.problems) from error
        except ReusedKey as error:
            raise Problem(409, "reused-key", "Idempotency key used before", str(error)) from error
        row = ApprovalRequest.objects.select_related(*RELATED).get(pk=made.pk)
        code = status.HTTP_201_CREATED if made.created_at == now else status.HTTP_200_OK
        return Response(RequestSerializer(row).data, status=code)


def stated(sent: dict[str, Any]) -> Asked:
    """Validated data as values: dollars as nano-dollars, an amount in its budget's metric."""
    values = dict(sent)
    amount, ceiling = values.pop("amount"), values.pop("ceiling")
    budget = Budget.objects.filter(slug=values["budget"]).first() if values["budget"] else None
    if amount is not None:
        if budget is not None and budget.metric != Budget.Metric.MONEY and amount != int(amount):
            raise serializers.ValidationError({"amount": [f"Give a whole number of {budget.metric}."]})
        values["amount"] = int(amount if budget and budget.metric != Budget.Metric.MONEY else amount * NANO)
    if ceiling is not None:
        values["ceiling"] = int(ceiling * NANO)
    return Asked(**values)


def check_reach(request: Request, wanted: Asked) -> None:
    """What is out of the caller's reach is as if it were not there."""
    for name, model, slug in (("workflow", Workflow, wanted.workflow), ("budget", Budget, wanted.budget)):
        if slug and not reachable(model, request.user, ASK).filter(slug=slug).exists():
            raise serializers.ValidationError({name: [f"There is no {name} with the short name “{slug}”."]})


@extend_schema_view(get=extend_schema(summary="One request", tags=["approvals"]))
class RequestView(Requests, generics.RetrieveAPIView[ApprovalRequest]):
    """A request that the caller may see."""

    serializer_class = RequestSerializer
    queryset = ApprovalRequest.objects.all()

    def get_queryset(self) -> QuerySet[ApprovalRequest]:
        return visible(self.request)


class DecisionView(Requests, generics.GenericAPIView[ApprovalRequest]):
    """One act on a request; 409 says who decided before, 403 why the caller may not."""

    serializer_class = DecisionSerializer
    queryset = ApprovalRequest.objects.all()
    act = ""

    def post(self, request: Request, pk: int) -> Response:
        sent = body(DecisionSerializer, request)
        row = get_object_or_404(visible(request), pk=pk)
        ceiling = sent["ceiling"]
        try:
            self.do(Actor.of_request(request), row.pk, sent["reason"], None if ceiling is None else int(ceiling * NANO))
        except decide.ReasonNeeded as error:
            raise serializers.ValidationError({"reason": [str(error)]}) from error
        except decide.MayNotDecide as error:
            raise Problem(403, "may-not-decide", "Not yours to decide", str(error)) from error
        except decide.AlreadyDecided as error:
            raise Problem(409, "already-decided", "Decided already", str(error)) from error
        except decide.NotDecided as error:
            raise Problem(409, "refused", "Not possible now", str(error)) from error
        return Response(RequestSerializer(visible(request).get(pk=pk)).data)

    def do(self, actor: Actor, pk: int, reason: str, ceiling: int | None) -> None:
        raise NotImplementedError


def told(summary: str, description: str = "") -> Any:
    return extend_schema_view(
        post=extend_schema(
            summary=summary,
            description=description,
            request=DecisionSerializer,
            responses=RequestSerializer,
            tags=["approvals"],
        )
    )


@told("Approve", "Where two people have to approve, the first leaves it waiting.")
class ApproveView(DecisionView):
    def do(self, actor: Actor, pk: int, reason: str, ceiling: int | None) -> None:
        acts.approve(actor, pk, reason, ceiling=ceiling)


@told("Decline", "Needs a reason.")
class DeclineView(DecisionView):
    def do(self, actor: Actor, pk: int, reason: str, ceiling: int | None) -> None:
        acts.decline(actor, pk, reason)


@told("Undo a decision", "What is left of an allowance ends; what was spent stays spent.")
class UndoView(DecisionView):
    def do(self, actor: Actor, pk: int, reason: str, ceiling: int | None) -> None:
        acts.undo(actor, pk, reason)


@told("Withdraw", "One's own request, while it waits.")
class WithdrawView(DecisionView):
    def do(self, actor: Actor, pk: int, reason: str, ceiling: int | None) -> None:
        acts.withdraw(actor, pk)


@extend_schema_view(
    get=extend_schema(
        summary="List allowances",
        description="What approved requests allow, the newest first; `running=1` only those that have not ended.",
        parameters=[OpenApiParameter("running", str, enum=["1"])],
        tags=["approvals"],
    )
)
class GrantListView(generics.ListAPIView[Grant]):
    """Allowances of what the caller may see."""

    narrowed = True
    required_scope = "read"
    read_scope = "read"
    serializer_class = GrantSerializer
    queryset = Grant.objects.all()

    def get_queryset(self) -> QuerySet[Grant]:
        rows = reachable(Grant, self.request.user).select_related("workflow").order_by("-starts_at", "-pk")
        return rows.filter(ended_at=None) if asked(self.request, "running", ["1"]) else rows


class RuleSerializer(serializers.ModelSerializer[ApprovalRule]):
    """Who decides which requests; the first that fits does. `above` in US dollars of extra cost, inclusive."""

    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    above = serializers.SerializerMethodField()
    people: Any = serializers.SlugRelatedField(slug_field="username", many=True, read_only=True)

    class Meta:
        model = ApprovalRule
        fields = [
            "id", "position", "name", "kinds", "team", "risk_category", "above", "role", "people", "approvers_needed",
            "second_after_hours", "remind_before_hours", "lapses_after_hours",
        ]  # fmt: skip
        read_only_fields = fields

    def get_above(self, rule: ApprovalRule) -> str | None:
        return dollars(rule.above)


@extend_schema_view(get=extend_schema(summary="List approval rules", tags=["approvals"]))
class RuleListView(generics.ListAPIView[ApprovalRule]):
    """The rules in force, in their order. They are changed on their page."""

    required_scope = "read"
    read_scope = "read"
    serializer_class = RuleSerializer
    queryset = ApprovalRule.objects.all()

    def get_queryset(self) -> QuerySet[ApprovalRule]:
        return live_rules().select_related("team").prefetch_related("people")
