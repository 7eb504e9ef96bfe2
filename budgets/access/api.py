"""Keys over HTTP: list, make, rotate, revoke. A key's text is in the answer that makes it, once."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access import change
from budgets.access.problems import Problem
from budgets.access.revoke import revoke_key
from budgets.access.sent import asked, body, invalid
from budgets.audit.record import Actor
from budgets.models import ApiKey
from budgets.models.access import ApiKeyQuerySet


class Keyed:
    """Keys are the administrator's: reading and changing need the scope `admin`, or the right to change keys."""

    required_scope = "admin"
    read_scope = "admin"
    permission = read_permission = "budgets.change_apikey"


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its text. `state`: active, expiring (within 14 days), rotating, expired or revoked."""

    source: Any = serializers.CharField(source="source.slug")  # DRF has an attribute of that name
    also: Any = serializers.SlugRelatedField(source="sources", slug_field="slug", many=True, read_only=True)
    teams: Any = serializers.SlugRelatedField(slug_field="slug", many=True, read_only=True)
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    state = serializers.ChoiceField(choices=ApiKey.State.choices)

    class Meta:
        model = ApiKey
        fields = [
            "id", "name", "prefix", "scopes", "source", "also", "teams", "state", "created_at", "created_by",
            "expires_at", "revoked_at", "last_used_at", "replaces",
        ]  # fmt: skip
        read_only_fields = fields


class MadeSerializer(KeySerializer):
    """A new key: `key` is its text, shown only in this answer."""

    key = serializers.CharField()

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "key"]
        read_only_fields = fields


class KeyValuesSerializer(serializers.Serializer[Any]):
    """A new key. `teams` are short names: it reads, changes and asks only for what is theirs; none: everything."""

    name = serializers.CharField(max_length=128)
    scopes = serializers.ListField(child=serializers.CharField(max_length=16), allow_empty=False)
    source: Any = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    also = serializers.ListField(child=serializers.CharField(max_length=128), required=False, default=list)
    teams = serializers.ListField(child=serializers.CharField(max_length=128), required=False, default=list)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class RotateSerializer(serializers.Serializer[Any]):
    """How long the old key goes on, and why."""

    overlap_hours = serializers.IntegerField(min_value=0, max_value=720, required=False, default=24)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class WhySerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


def with_all(now: datetime) -> ApiKeyQuerySet:
    keys = ApiKey.objects.with_state(now).select_related("source", "created_by")
    return keys.prefetch_related("sources", "teams").order_by("-created_at", "-pk")


def made(key: ApiKey, plain: str) -> Response:
    """The one answer with the key's text; nobody on the way may keep it."""
    found: Any = with_all(timezone.now()).get(pk=key.pk)
    found.key = plain
    headers = {"Cache-Control": "no-store"}
    return Response(MadeSerializer(found).data, status=status.HTTP_201_CREATED, headers=headers)


@extend_schema_view(
    get=extend_schema(
        summary="List keys",
        description="The newest first; never their text.",
        parameters=[OpenApiParameter("state", str, enum=ApiKey.State.values)],
        tags=["keys"],
    )
)
class KeyListView(Keyed, generics.ListCreateAPIView[ApiKey]):
    """All keys."""

    serializer_class = KeySerializer
    queryset = ApiKey.objects.all()

    def get_queryset(self) -> QuerySet[ApiKey]:
        wanted = asked(self.request, "state", ApiKey.State.values)
        keys = with_all(timezone.now())
        return keys.in_state(wanted) if wanted else keys

    @extend_schema(
        summary="Make a key",
        description="`key` in the answer is its text, which cannot be read again. 422 where a key in force has the name"
        " already, so that a request sent twice makes one key.",
        request=KeyValuesSerializer,
        responses={201: MadeSerializer},
        tags=["keys"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        values = body(KeyValuesSerializer, request)
        wanted = change.KeyValues(
            values["name"],
            tuple(values["scopes"]),
            tuple(values["also"]),
            values["expires_at"],
            tuple(values["teams"]),
        )
        try:
            key, plain = change.create_key(
                Actor.of_request(request), wanted, values["source"], person(request), one_of_a_name=True
            )
        except change.InvalidKey as error:
            raise invalid(error.problems) from error
        return made(key, plain)


class KeyRotateView(Keyed, generics.GenericAPIView[ApiKey]):
    """Replace a key."""

    serializer_class = RotateSerializer
    queryset = ApiKey.objects.all()

    @extend_schema(
        summary="Rotate a key",
        description="A new key with the same rights; the old one goes on for `overlap_hours`. 409 for a key that is"
        " revoked, expired or rotated already.",
        request=RotateSerializer,
        responses={201: MadeSerializer},
        tags=["keys"],
    )
    def post(self, request: Request, pk: int) -> Response:
        sent = body(RotateSerializer, request)
        overlap = timedelta(hours=sent["overlap_hours"])
        key = get_object_or_404(ApiKey, pk=pk)
        try:
            new, plain = change.rotate_key(Actor.of_request(request), key, overlap, person(request), sent["reason"])
        except change.RefusedKey as error:
            raise Problem(409, "refused", "Not possible now", str(error)) from error
        return made(new, plain)


class KeyRevokeView(Keyed, generics.GenericAPIView[ApiKey]):
    """End a key."""

    serializer_class = WhySerializer
    queryset = ApiKey.objects.all()

    @extend_schema(
        summary="Revoke a key",
        description="It is refused everywhere at once, for good. Revoking it again changes nothing.",
        request=WhySerializer,
        responses=KeySerializer,
        tags=["keys"],
    )
    def post(self, request: Request, pk: int) -> Response:
        sent = body(WhySerializer, request)
        revoke_key(Actor.of_request(request), get_object_or_404(ApiKey, pk=pk), sent["reason"])
        return Response(KeySerializer(with_all(timezone.now()).get(pk=pk)).data)


def person(request: Request) -> Any:
    """Who made it, where that is a person and not another key."""
    return request.user if request.user.pk and isinstance(request.user.pk, int) else None
