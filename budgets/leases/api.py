"""Leases over HTTP: take, renew, release, list. For callers: docs/leases.md."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.keys import KeyHolder
from budgets.access.problems import Problem
from budgets.access.roles import reach
from budgets.access.sent import body, invalid
from budgets.leases import terms
from budgets.leases.holdings import charged_of, state_of
from budgets.leases.release import Over, release, renew
from budgets.leases.take import Asker, NothingFree, NotLeased, ReusedKey, Taken, Unknown, Wish, take
from budgets.limits.serializers import plain
from budgets.models import NANO, Lease

LONGEST_KEY = 128
MOST = 2**62  # of any unit: sums stay inside 64 bits
TITLES = {
    "nothing-left": "Nothing is left",
    "all-reserved": "All is reserved",
    "not-counted-yet": "Not counted yet",
    "no-lease-needed": "No lease is needed",
    "workflow-paused": "Stopped",
}
A_SLUG = r"^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$"
BAD_SLUG: dict[str, Any] = {"invalid": "Give a short name: small letters, digits, dots, dashes, underscores."}


class WishSerializer(serializers.Serializer[Any]):
    """What is asked for: money of a `budget` in US dollars, calls or tokens of a `workflow`."""

    kind = serializers.ChoiceField(choices=Lease.Kind.choices)
    budget = serializers.RegexField(A_SLUG, required=False, error_messages=BAD_SLUG)
    workflow = serializers.RegexField(A_SLUG, required=False, error_messages=BAD_SLUG)
    environment = serializers.CharField(required=False, allow_blank=True, max_length=64, default="")
    task_type = serializers.CharField(required=False, allow_blank=True, max_length=128, default="")
    amount = serializers.DecimalField(max_digits=28, decimal_places=9, required=False, allow_null=True, default=None)
    at_least = serializers.DecimalField(max_digits=28, decimal_places=9, required=False, allow_null=True, default=None)
    client = serializers.CharField(required=False, allow_blank=True, max_length=128, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        of, other = ("budget", "workflow") if attrs["kind"] == terms.MONEY else ("workflow", "budget")
        wrong = {}
        if not attrs.get(of):
            wrong[of] = f"Say of which {of}."
        if attrs.get(other):
            wrong[other] = f"A lease of {attrs['kind']} is of a {of}. Leave this out."
        for name in ("amount", "at_least"):
            if attrs[name] is None:
                continue
            counted = in_units(attrs[name], attrs["kind"])
            if counted is None or not 0 < counted <= MOST:
                wrong[name] = said_of(attrs["kind"])
            else:
                attrs[name] = counted
        if wrong:
            raise invalid(wrong)
        return attrs


class UsedSerializer(serializers.Serializer[Any]):
    """What the lease's calls used in all, in its unit; those not reported yet included."""

    used = serializers.DecimalField(max_digits=28, decimal_places=9, min_value=Decimal(0))


class LeaseSerializer(serializers.Serializer[Any]):
    """A lease. Money as decimal text in US dollars, calls and tokens as whole numbers; `expires_in` in seconds."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=Lease.Kind.choices)
    budget = serializers.CharField(allow_null=True)
    workflow = serializers.CharField(allow_null=True)
    environment = serializers.CharField(allow_null=True)
    client = serializers.CharField()
    amount = serializers.JSONField(help_text="Decimal text, or a whole number.")
    used = serializers.JSONField(allow_null=True, help_text="What was said at release.")
    reserved = serializers.JSONField(help_text="What it still reserves.")
    state = serializers.ChoiceField(choices=["running", "expired", "released"])
    starts_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    expires_in = serializers.FloatField()
    held_until = serializers.DateTimeField()
    window_start = serializers.DateTimeField()
    window_end = serializers.DateTimeField()


class TakenSerializer(LeaseSerializer):
    """A new lease. `remaining`: what was free after it."""

    remaining = serializers.JSONField()


def in_units(amount: Decimal, kind: str) -> int | None:
    """Nano-dollars, calls or tokens; None where calls or tokens are not whole."""
    exact = amount * NANO if kind == terms.MONEY else amount
    return int(exact) if exact == int(exact) else None


def said_of(kind: str) -> str:
    if kind == terms.MONEY:
        return "Give US dollars above 0, as decimal text with at most nine decimals."
    return f"Give a whole number of {kind} above 0."


def in_words_of(kind: str, amount: int) -> str | int:
    """As the answers say it: dollars as decimal text, or the number."""
    return plain(Decimal(amount) / NANO) if kind == terms.MONEY else amount


def shown(lease: Lease, now: datetime, charged: int = 0) -> dict[str, Any]:
    """The answer's members as of `now`. `charged`: its charges so far, folded or not."""
    held = terms.reserves(lease.amount, lease.used, charged) if lease.held_until > now else 0
    return {
        "id": lease.key,
        "kind": lease.kind,
        "budget": lease.budget.slug if lease.budget else None,
        "workflow": lease.workflow.slug if lease.workflow else None,
        "environment": lease.environment or None,
        "client": lease.client,
        "amount": in_words_of(lease.kind, lease.amount),
        "used": None if lease.used is None else in_words_of(lease.kind, lease.used),
        "reserved": in_words_of(lease.kind, held),
        "state": state_of(lease, now),
        "starts_at": told(lease.starts_at),
        "expires_at": told(lease.expires_at),
        "expires_in": max(0.0, (lease.expires_at - now).total_seconds()),
        "held_until": told(lease.held_until),
        "window_start": told(lease.window_start),
        "window_end": told(lease.window_end),
    }


def told(moment: datetime) -> str:
    """RFC 3339, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def asker_of(request: Request) -> Asker:
    """The key that asks, with what it sent to ask only once."""
    once = request.headers.get("Idempotency-Key", "")
    if len(once) > LONGEST_KEY:
        raise Problem(
            422, "invalid", "Some values are not valid", f"An idempotency key has at most {LONGEST_KEY} letters."
        )
    user: Any = request.user
    if isinstance(user, KeyHolder):
        return Asker(user.key_id, user.source_id, once)
    return Asker(None, None, f"person-{user.pk}-{once}" if once else "")


def refused(error: NothingFree, kind: str) -> Problem:
    """429: when to ask again, when the limit begins anew, what is free."""
    wait = max(1, ceil((error.retry_at - error.now).total_seconds()))
    extra = {
        "resets_at": told(error.resets_at) if error.resets_at else None,
        "remaining": in_words_of(kind, error.free),
    }
    return Problem(429, error.code, TITLES[error.code], str(error), retry_after=wait, **extra)


class LeaseListView(generics.GenericAPIView[Lease]):
    """Those that reserve something; taking one more. A key that takes them needs the scope `bundle`."""

    required_scope = "bundle"
    read_scope = "read"
    serializer_class = LeaseSerializer
    queryset = Lease.objects.all()

    @extend_schema(
        summary="List leases",
        description="The newest first: those that still reserve something, with `all=1` also those that ended within"
        " the last three days.",
        parameters=[OpenApiParameter(name, str) for name in ("budget", "workflow", "all")],
        tags=["leases"],
    )
    def get(self, request: Request) -> Response:
        now, given = timezone.now(), request.query_params
        rows = self.get_queryset().select_related("budget", "workflow").order_by("-starts_at", "-pk")
        for name in ("budget", "workflow"):
            if given.get(name):
                rows = rows.filter(**{f"{name}__slug": given[name].replace("\0", "")})
        if not given.get("all"):
            rows = rows.filter(held_until__gt=now)
        page = self.paginate_queryset(rows) or []
        charged = charged_of(page)
        return self.get_paginated_response([shown(one, now, charged[one.pk]) for one in page])

    @extend_schema(
        summary="Take a lease",
        description="A slice of what is left of a hard budget, or of a workflow's calls a minute or tokens a day. With"
        " an `Idempotency-Key` header the same key asks once (200 when repeated). 429 where nothing is free, with"
        " `Retry-After`.",
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
        request=WishSerializer,
        responses={201: TakenSerializer, 200: TakenSerializer},
        tags=["leases"],
    )
    def post(self, request: Request) -> Response:
        sent = body(WishSerializer, request)
        budget, workflow = sent.pop("budget", ""), sent.pop("workflow", "")
        wish = Wish(subject=budget or workflow, **sent)
        try:
            taken = take(wish, asker_of(request))
        except Unknown as error:
            raise Http404(f"There is no budget with the short name {error}.") from error
        except NotLeased as error:
            raise Problem(409, error.code, TITLES[error.code], str(error)) from error
        except ReusedKey as error:
            raise Problem(409, "reused-key", "Idempotency key used before", str(error)) from error
        except NothingFree as error:
            raise refused(error, wish.kind) from error
        return Response(answered(taken), status=status.HTTP_201_CREATED if taken.is_new else status.HTTP_200_OK)


def answered(taken: Taken) -> Mapping[str, Any]:
    """A lease as it was given; one that was asked for again as it is."""
    lease = taken.lease
    if taken.is_new:
        found = shown(lease, lease.starts_at)
    else:
        found = shown(lease, timezone.now(), charged_of([lease])[lease.pk])
    return found | {"remaining": in_words_of(lease.kind, taken.remaining)}


class OneLease(generics.GenericAPIView[Lease]):
    """A lease of the caller's source; an administrator's are all."""

    required_scope = "bundle"
    serializer_class = LeaseSerializer
    queryset = Lease.objects.all()
    lookup_field = "key"

    def get_queryset(self) -> QuerySet[Lease]:
        rows = Lease.objects.select_related("budget", "workflow__merged_into", "api_key")
        user: Any = self.request.user
        if isinstance(user, KeyHolder) and not reach(user, "").everything:
            return rows.filter(Q(api_key__source=user.source_id) | Q(api_key=user.key_id))
        return rows


@extend_schema_view(
    post=extend_schema(
        summary="Give a lease back",
        description="`used`: what its calls used in all. The rest is free at once. Doing it again changes nothing.",
        request=UsedSerializer,
        responses=LeaseSerializer,
        tags=["leases"],
    )
)
class ReleaseView(OneLease):
    def post(self, request: Request, key: str) -> Response:
        lease, sent = self.get_object(), body(UsedSerializer, request)
        used = in_units(sent["used"], lease.kind)
        if used is None or used > MOST:
            raise invalid({"used": said_of(lease.kind).replace("above 0", "from 0 on")})
        return Response(as_it_is(release(lease, used)))


@extend_schema_view(
    post=extend_schema(
        summary="Go on with a lease",
        description="A later `expires_at`, for calls under way. 409 where it has ended, or its limit has.",
        request=None,
        responses=LeaseSerializer,
        tags=["leases"],
    )
)
class RenewView(OneLease):
    def post(self, request: Request, key: str) -> Response:
        try:
            return Response(as_it_is(renew(self.get_object())))
        except Over as error:
            raise Problem(409, "lease-over", "The lease is over", str(error)) from error


def as_it_is(lease: Lease) -> dict[str, Any]:
    return shown(lease, timezone.now(), charged_of([lease])[lease.pk])
