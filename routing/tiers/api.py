"""`GET /api/v1/tiers`."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers

from routing.models import Tier

if TYPE_CHECKING:
    ListTiers = generics.ListAPIView[Tier]
else:
    ListTiers = generics.ListAPIView


class TierModelSerializer(serializers.Serializer[Any]):
    provider = serializers.CharField()
    model = serializers.CharField()
    latency_ms: Any = serializers.IntegerField(allow_null=True, default=None, help_text="Typed in; null: as measured.")
    quality: Any = serializers.CharField(allow_null=True, default=None, help_text="0 to 1, as typed in.")


class TierSerializer(serializers.Serializer[Tier]):
    """Models in order of preference."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    needs_approval = serializers.BooleanField()
    review_note = serializers.CharField(help_text="What approvers should look at; empty: nothing.")
    models = TierModelSerializer(many=True)


@extend_schema_view(get=extend_schema(summary="List the model tiers, cheapest first", tags=["tiers"]))
class TiersView(ListTiers):
    queryset = Tier.objects.order_by("number")
    serializer_class = TierSerializer
    required_scope = "admin"
    read_scope = "read"
    narrowed = True  # nothing of it is a team's
