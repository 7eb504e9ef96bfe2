"""The organisation over HTTP."""

from django.core.exceptions import PermissionDenied
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.drf import Scoped
from budgets.access.roles import may
from budgets.access.sent import body
from budgets.audit.record import Actor
from budgets.models import Organisation
from budgets.organisation import edit


class OrganisationSerializer(serializers.Serializer[Organisation]):
    """The company. `currency` is what pages show; the API and the ledger speak US dollars."""

    name = serializers.CharField(max_length=128)
    time_zone = serializers.CharField(max_length=64, help_text="Where a day begins, for example Europe/Berlin.")
    currency = serializers.CharField(max_length=3, help_text="ISO code; other than USD it needs a rate.")
    fiscal_year_starts = serializers.IntegerField(min_value=1, max_value=12, help_text="Month.")
    policy_needs_second = serializers.BooleanField(
        help_text="A policy is in force only once a second person has approved it."
    )
    closed_before = serializers.DateField(
        allow_null=True, help_text="Days before it are closed. To move it back needs a `reason`."
    )


class OrganisationChangeSerializer(OrganisationSerializer):
    """Only what is sent changes."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Kept in the history.")


class OrganisationView(APIView):
    """Reading needs the scope `read`, changing `admin`."""

    required_scope = "admin"
    read_scope = "read"
    permission = "budgets.close_days"  # all but closing needs more, see `patch`

    @extend_schema(summary="The organisation", responses=OrganisationSerializer, tags=["organisation"])
    def get(self, request: Request) -> Response:
        return Response(OrganisationSerializer(Organisation.get()).data)

    @extend_schema(
        summary="Change the organisation",
        description="Only what is sent changes. Another time zone or fiscal year counts every budget anew. The time"
        " zone stays while days are closed: 422, unless the same request opens all of them.",
        request=OrganisationChangeSerializer(partial=True),
        responses=OrganisationSerializer,
        tags=["organisation"],
    )
    def patch(self, request: Request) -> Response:
        sent = body(OrganisationChangeSerializer, request, partial=True)
        values, actor = dict(sent), Actor.of_request(request)
        reason = values.pop("reason", "")
        if set(values) - {"closed_before"} and not may(request.user, "budgets.change_organisation"):
            raise PermissionDenied(Scoped.message)
        try:
            edit.change_and_close(actor, values, reason)
        except edit.InvalidOrganisation as error:
            raise serializers.ValidationError(
                {_field(name): [said] for name, said in error.problems.items()}
            ) from error
        return Response(OrganisationSerializer(Organisation.get()).data)


def _field(name: str) -> str:
    return "closed_before" if name == "before" else name
