"""Prices over HTTP: list, override, end; re-price runs and refreshes with preview and confirmation."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.sent import body
from budgets.audit.record import Actor
from usage.models import PriceEntry, PriceRefresh, RepriceRun
from usage.prices import overrides, refresh, reprice
from usage.prices.begin import begin_preview, begin_reprice
from usage.prices.serializers import (
    EndSerializer,
    OverrideSerializer,
    PriceQuerySerializer,
    PriceSerializer,
    RefreshSerializer,
    RepricePreviewSerializer,
    RepriceSerializer,
)

READ, WRITE = "read", "admin"


class Priced:
    """Reading needs the scope `read`, changing `admin`."""

    required_scope = WRITE
    read_scope = READ
    permission = "usage.change_priceentry"


@extend_schema_view(
    get=extend_schema(
        summary="List prices",
        description="Entries in force, the newest date of each model first. `at` keeps those that hold at a time.",
        parameters=[PriceQuerySerializer],
        tags=["prices"],
    )
)
class PriceListView(Priced, generics.ListCreateAPIView[PriceEntry]):
    """The price book."""

    serializer_class = PriceSerializer
    queryset = PriceEntry.objects.all()

    def get_queryset(self) -> QuerySet[PriceEntry]:
        query = PriceQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        entries = PriceEntry.objects.all()
        if not asked["superseded"]:
            entries = entries.filter(superseded_at=None)
        for name in ("provider", "model", "service_tier", "origin"):
            if asked.get(name):
                entries = entries.filter(**{f"{name}__iexact": asked[name]})
        if asked.get("search"):
            entries = entries.filter(Q(provider__icontains=asked["search"]) | Q(model__icontains=asked["search"]))
        if asked.get("at"):
            still = Q(valid_to=None) | Q(valid_to__gt=asked["at"])
            entries = entries.filter(still, valid_from__lte=asked["at"])
        return entries.order_by("provider", "model", "service_tier", "-valid_from", "id")

    @extend_schema(
        summary="Override a price",
        description="A negotiated price; it beats the seeded one while it holds. Past usage keeps its cost until a"
        " re-price run is confirmed.",
        request=OverrideSerializer,
        responses={201: PriceSerializer},
        tags=["prices"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(OverrideSerializer, request)
        values = {"valid_from": timezone.now(), **sent}
        reason = values.pop("reason", "")
        entry = overrides.create_override(Actor.of_request(request), values, reason)
        return Response(PriceSerializer(entry).data, status=status.HTTP_201_CREATED)


@extend_schema(summary="One price", tags=["prices"])
class PriceView(Priced, generics.RetrieveAPIView[PriceEntry]):
    """An entry, superseded ones too: ledger rows name them."""

    serializer_class = PriceSerializer
    queryset = PriceEntry.objects.all()


class PriceEndView(Priced, generics.GenericAPIView[PriceEntry]):
    """End an override."""

    serializer_class = EndSerializer

    @extend_schema(
        summary="End an override",
        description="From `at` (now) on the seeded price holds again, or none.",
        request=EndSerializer,
        responses=PriceSerializer,
        tags=["prices"],
    )
    def post(self, request: Request, pk: int) -> Response:
        sent = body(EndSerializer, request)
        entry = overrides.end_override(Actor.of_request(request), pk, sent.get("at"), sent["reason"])
        return Response(PriceSerializer(entry).data)


@extend_schema_view(get=extend_schema(summary="List re-price runs", tags=["prices"]))
class RepriceListView(Priced, generics.ListCreateAPIView[RepriceRun]):
    """Re-price runs, the newest first."""

    serializer_class = RepriceSerializer
    queryset = RepriceRun.objects.all()

    @extend_schema(
        summary="Preview a re-price run",
        description="What pricing the calls of a window anew would change, per workflow. It is counted in the"
        " background: ask for the run until its status is no longer `previewing`. Nothing is written yet.",
        request=RepricePreviewSerializer,
        responses={202: RepriceSerializer},
        tags=["prices"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(RepricePreviewSerializer, request)
        run = begin_preview(Actor.of_request(request), **sent)
        return Response(RepriceSerializer(run).data, status=status.HTTP_202_ACCEPTED)


@extend_schema(summary="One re-price run, with its progress", tags=["prices"])
class RepriceView(Priced, generics.RetrieveAPIView[RepriceRun]):
    """`seen` of `expected` says how far the preview is, `corrected` of `calls` how far the run."""

    serializer_class = RepriceSerializer
    queryset = RepriceRun.objects.all()


class RepriceConfirmView(Priced, generics.GenericAPIView[RepriceRun]):
    """Decide on a preview."""

    serializer_class = RepriceSerializer

    @extend_schema(
        summary="Confirm a re-price run",
        description="It is carried out in the background and writes correction rows; a closed month never changes. A"
        " failed run may be confirmed again and goes on where it stopped.",
        request=None,
        responses={202: RepriceSerializer},
        tags=["prices"],
    )
    def post(self, request: Request, pk: int) -> Response:
        run = begin_reprice(pk, Actor.of_request(request))
        return Response(RepriceSerializer(run).data, status=status.HTTP_202_ACCEPTED)


class RepriceDiscardView(Priced, generics.GenericAPIView[RepriceRun]):
    """Decide against a preview."""

    serializer_class = RepriceSerializer

    @extend_schema(summary="Discard a re-price preview", request=None, responses=RepriceSerializer, tags=["prices"])
    def post(self, request: Request, pk: int) -> Response:
        return Response(RepriceSerializer(reprice.discard(pk, Actor.of_request(request))).data)


@extend_schema_view(get=extend_schema(summary="List price refreshes", tags=["prices"]))
class RefreshListView(Priced, generics.ListCreateAPIView[PriceRefresh]):
    """What newer genai-prices packages would change, or changed."""

    serializer_class = RefreshSerializer
    queryset = PriceRefresh.objects.all()

    @extend_schema(
        summary="Preview a refresh of the book",
        description="Compares the installed genai-prices with the book. 204 when they agree.",
        request=None,
        responses={201: RefreshSerializer, 204: None},
        tags=["prices"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        found = refresh.propose(Actor.of_request(request))
        if found is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return Response(RefreshSerializer(found).data, status=status.HTTP_201_CREATED)


class RefreshApplyView(Priced, generics.GenericAPIView[PriceRefresh]):
    """Decide on a preview."""

    serializer_class = RefreshSerializer

    @extend_schema(summary="Apply a refresh", request=None, responses=RefreshSerializer, tags=["prices"])
    def post(self, request: Request, pk: int) -> Response:
        return Response(RefreshSerializer(refresh.apply(pk, Actor.of_request(request))).data)


class RefreshDiscardView(Priced, generics.GenericAPIView[PriceRefresh]):
    """Decide against a preview."""

    serializer_class = RefreshSerializer

    @extend_schema(summary="Discard a refresh", request=None, responses=RefreshSerializer, tags=["prices"])
    def post(self, request: Request, pk: int) -> Response:
        return Response(RefreshSerializer(refresh.discard(pk, Actor.of_request(request))).data)
