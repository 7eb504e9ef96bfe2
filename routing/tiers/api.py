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


class TierSerializer(serializers.Serializer[Tier]):
    """Models in order of preference."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    needs_approval = serializers.BooleanField()
    models = TierModelSerializer(many=True)


@extend_schema_view(get=extend_schema(summary="List the model tiers, cheapest first", tags=["tiers"]))
class TiersView(ListTiers):
    queryset = Tier.objects.order_by("number")
    serializer_class = TierSerializer
    required_scope = "admin"
    read_scope = "read"
