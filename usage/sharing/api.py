"""Pools over HTTP: list, make, change, who shares them; preview a sharing-out and apply it."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.problems import Problem
from budgets.access.sent import body
from budgets.audit.record import Actor
from budgets.limits.api import Budgeted, as_problems
from budgets.limits.edit import changing_pools_too
from budgets.limits.serializers import in_units, plain
from budgets.models import Budget, Organisation
from budgets.pools import membership
from budgets.pools.reading import members, pools
from budgets.pools.reallocate import StalePreview, share_out
from usage.sharing.proposal import opened, propose

MOST_SHOWN = 1_000
SHARE_HELP = "0 to 1: what it gets of a pool with fixed shares, the least it gets of one shared by demand."


class MemberSerializer(serializers.Serializer[Any]):
    """A budget of a pool."""

    budget = serializers.CharField(max_length=128, help_text="Its short name.")
    share = serializers.DecimalField(
        max_digits=5, decimal_places=4, allow_null=True, default=None, help_text=SHARE_HELP
    )


class ShownMemberSerializer(MemberSerializer):
    name = serializers.CharField()
    amount = serializers.CharField()
    spent = serializers.CharField(allow_null=True, help_text="In its present period; null while it is being counted.")


class PoolSerializer(serializers.ModelSerializer[Budget]):
    """A pool and the budgets that share it. Amounts in dollars, tokens or calls, as `metric` says."""

    amount = serializers.SerializerMethodField()
    given_out = serializers.SerializerMethodField(help_text="What its budgets have in all.")
    left = serializers.SerializerMethodField()
    budgets = serializers.SerializerMethodField(help_text=f"By name, at most {MOST_SHOWN}; not in lists.")

    class Meta:
        model = Budget
        fields = [
            "slug", "name", "metric", "period", "starts_on", "ends_on", "amount", "given_out", "left", "sharing",
            "shares_nightly", "edit_version", "budgets",
        ]  # fmt: skip
        read_only_fields = fields

    def get_amount(self, pool: Budget) -> str:
        return plain(in_units(pool.amount, pool.metric))

    def get_given_out(self, pool: Any) -> str:
        return plain(in_units(int(pool.given), pool.metric))

    def get_left(self, pool: Any) -> str:
        return plain(in_units(pool.amount - int(pool.given), pool.metric))

    @extend_schema_field(ShownMemberSerializer(many=True))
    def get_budgets(self, pool: Budget) -> list[dict[str, Any]] | None:
        if self.context.get("is_list"):
            return None
        rows = members(list(membership.live_children(pool).order_by("name", "pk")[:MOST_SHOWN]), timezone.now())
        return [
            {
                "budget": row.budget.slug,
                "name": row.budget.name,
                "share": None if row.budget.pool_share is None else str(row.budget.pool_share),
                "amount": plain(in_units(row.budget.amount, pool.metric)),
                "spent": None if row.spent is None else plain(in_units(row.spent, pool.metric)),
            }
            for row in rows
        ]


class NewPoolSerializer(serializers.Serializer[Any]):
    """Which budget becomes a pool."""

    budget = serializers.CharField(max_length=128, help_text="Short name of a budget that is there.")
    sharing = serializers.ChoiceField(Budget.Sharing.choices)
    shares_nightly = serializers.BooleanField(default=False)
    budgets = MemberSerializer(many=True, default=list, help_text="Budgets to put into it.")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=400, default="")


class PoolChangeSerializer(serializers.Serializer[Any]):
    """Only what is sent changes. `sharing` empty makes it a plain budget again."""

    sharing = serializers.ChoiceField([("", "No pool"), *Budget.Sharing.choices], required=False, allow_blank=True)
    shares_nightly = serializers.BooleanField(required=False)
    shares = serializers.DictField(
        child=serializers.DecimalField(max_digits=5, decimal_places=4, allow_null=True),
        required=False,
        help_text="Short name of one of its budgets → share.",
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=400, default="")
    edit_version = serializers.IntegerField(required=False, min_value=1)


class ShareLineSerializer(serializers.Serializer[Any]):
    """What sharing out would change for one budget, and why."""

    budget = serializers.CharField()
    weight = serializers.CharField(help_text="Value weight.")
    recent_use = serializers.CharField(help_text="In `days` complete days.")
    days = serializers.IntegerField()
    spent = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    why = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    """`preview` goes to apply as it is; it holds for an hour, and while nothing of the pool changes."""

    pool = serializers.CharField()
    problem = serializers.CharField(help_text="Why nothing can be proposed; empty where something is.")
    is_change = serializers.BooleanField()
    lines = ShareLineSerializer(many=True)
    preview = serializers.CharField()


class ApplySerializer(serializers.Serializer[Any]):
    """What was previewed."""

    preview = serializers.CharField(max_length=200_000)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=400, default="")


def shown(slug: str) -> Any:
    """A pool as it is now in the database."""
    return PoolSerializer(pools().get(slug=slug)).data


def budget_named(slug: str, field: str = "budget") -> Budget:
    found = Budget.objects.exclude(status=Budget.Status.ARCHIVED).filter(slug=slug.replace("\0", "")).first()
    if found is None:
        raise serializers.ValidationError({field: [f"There is no budget “{slug}”."]})
    return found


class Pooled(Budgeted):
    narrowed = False  # the budgets of a pool are of any team

    def pool(self, slug: str) -> Budget:
        return get_object_or_404(pools(), slug=slug)


@extend_schema_view(
    get=extend_schema(summary="List pools", description="By name; without their budgets.", tags=["pools"])
)
class PoolListView(Pooled, generics.ListCreateAPIView[Budget]):
    """All pools."""

    serializer_class = PoolSerializer
    queryset = Budget.objects.all()

    def get_queryset(self) -> QuerySet[Budget]:
        return pools()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "is_list": True}

    @extend_schema(
        summary="Make a budget a pool",
        description="Its amount can then be shared out among other budgets that count the same over the same time."
        " All or nothing: a budget that does not fit refuses the whole.",
        request=NewPoolSerializer,
        responses={201: PoolSerializer},
        tags=["pools"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        stated, actor = body(NewPoolSerializer, request), Actor.of_request(request)
        budget = budget_named(stated["budget"])
        children = [(budget_named(one["budget"], "budgets"), one["share"]) for one in stated["budgets"]]
        with as_problems(), changing_pools_too():
            membership.set_sharing(actor, budget, stated["sharing"], stated["shares_nightly"], stated["reason"])
            for child, share in children:
                membership.join_pool(actor, budget, child, share, stated["reason"])
        return Response(shown(budget.slug), status=status.HTTP_201_CREATED)


class PoolView(Pooled, generics.GenericAPIView[Budget]):
    """One pool."""

    serializer_class = PoolSerializer
    queryset = Budget.objects.all()

    @extend_schema(summary="One pool", description="With the budgets that share it.", tags=["pools"])
    def get(self, request: Request, slug: str) -> Response:
        return Response(PoolSerializer(self.pool(slug)).data)

    @extend_schema(
        summary="Change how a pool is shared",
        description="Amounts stay until it is shared out. Its amount and name are those of the budget: PATCH that.",
        request=PoolChangeSerializer(partial=True),
        responses=PoolSerializer,
        tags=["pools"],
    )
    def patch(self, request: Request, slug: str) -> Response:
        stated = body(PoolChangeSerializer, request, partial=True)
        pool, actor = self.pool(slug), Actor.of_request(request)
        version, reason = stated.get("edit_version"), stated.get("reason", "")
        with as_problems(), changing_pools_too():
            if "shares" in stated:
                shares = self._by_id(pool, stated["shares"])
                pool = membership.set_shares(actor, pool, shares, reason, version)
                version = None
            if {"sharing", "shares_nightly"} & set(stated):
                sharing = stated.get("sharing", pool.sharing)
                nightly = stated.get("shares_nightly", pool.shares_nightly)
                pool = membership.set_sharing(actor, pool, sharing, nightly, reason, version)
        return Response(shown(slug) if pool.sharing else {"slug": slug, "sharing": ""})

    def _by_id(self, pool: Budget, shares: dict[str, Decimal | None]) -> dict[int, Decimal | None]:
        ids: dict[str, int] = dict(membership.live_children(pool).values_list("slug", "pk"))
        if unknown := sorted(set(shares) - set(ids)):
            raise serializers.ValidationError({"shares": [f"Not in this pool: {', '.join(unknown)}."]})
        return {ids[slug]: share for slug, share in shares.items()}


class MembersView(Pooled, generics.GenericAPIView[Budget]):
    """Who shares a pool."""

    serializer_class = MemberSerializer
    queryset = Budget.objects.all()

    @extend_schema(
        summary="Put a budget into a pool",
        description="It keeps its amount, which must fit into what is left.",
        request=MemberSerializer,
        responses=PoolSerializer,
        tags=["pools"],
    )
    def post(self, request: Request, slug: str) -> Response:
        sent = body(MemberSerializer, request)
        pool, child = self.pool(slug), budget_named(sent["budget"])
        with as_problems():
            membership.join_pool(Actor.of_request(request), pool, child, sent["share"])
        return Response(shown(slug))


class MemberView(Pooled, generics.GenericAPIView[Budget]):
    """One budget of a pool."""

    serializer_class = MemberSerializer
    queryset = Budget.objects.all()

    @extend_schema(summary="Take a budget out of a pool", responses=PoolSerializer, tags=["pools"])
    def delete(self, request: Request, slug: str, child: str) -> Response:
        budget = membership.live_children(self.pool(slug)).filter(slug=child).first()
        if budget is None:
            raise Http404(f"{child} is not in this pool.")
        with as_problems():
            membership.leave_pool(Actor.of_request(request), budget)
        return Response(shown(slug))


class PreviewView(Pooled, generics.GenericAPIView[Budget]):
    """What sharing out would change now."""

    serializer_class = PreviewSerializer
    queryset = Budget.objects.all()

    @extend_schema(
        summary="Preview a sharing-out", description="Changes nothing.", responses=PreviewSerializer, tags=["pools"]
    )
    def get(self, request: Request, slug: str) -> Response:
        pool = self.pool(slug)
        proposal = propose(pool, Organisation.get(), timezone.now())

        def text(amount: int) -> str:
            return plain(in_units(amount, pool.metric))

        lines = [
            {
                "budget": line.budget.slug,
                "weight": f"{float(line.demand.weight):.4f}",
                "recent_use": text(line.demand.used),
                "days": line.demand.days,
                "spent": text(line.spent),
                "before": text(line.before),
                "after": text(line.after),
                "why": line.why,
            }
            for line in proposal.lines
        ]
        said = {"pool": slug, "problem": proposal.problem, "is_change": proposal.is_change, "lines": lines}
        return Response(said | {"preview": proposal.sealed()})


class ApplyView(Pooled, generics.GenericAPIView[Budget]):
    """Share out as previewed."""

    serializer_class = ApplySerializer
    queryset = Budget.objects.all()

    @extend_schema(
        summary="Share a pool out",
        description="Exactly as previewed: 409 where the pool or one of its budgets changed since. `undo` of the"
        " budget takes it back.",
        request=ApplySerializer,
        responses=PoolSerializer,
        tags=["pools"],
    )
    def post(self, request: Request, slug: str) -> Response:
        stated = body(ApplySerializer, request)
        pool = self.pool(slug)
        try:
            with as_problems():
                share_out(Actor.of_request(request), pool, opened(stated["preview"], pool), stated["reason"])
        except StalePreview as error:
            raise Problem(409, "changed-meanwhile", "Changed meanwhile", str(error)) from error
        return Response(shown(slug))
