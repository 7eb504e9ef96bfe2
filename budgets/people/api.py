"""People over HTTP: list, invite, give and take roles."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.keys import KeyHolder
from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.models import Invitation, Team
from budgets.models.people import Role
from budgets.people import membership
from budgets.people.invite import invite
from budgets.people.membership import Held, RefusedPeople, as_history
from budgets.people.people_list import PeopleFilter
from budgets.people.second_factor import with_second_factor


class OfPeople:
    """People are the administrator's: reading and changing need the scope `admin`, or the right to change people."""

    required_scope = "admin"
    read_scope = "admin"
    permission = membership.PERMISSION

    def check_permissions(self, request: Request) -> None:
        """Reading them too: addresses and when somebody signed in are not for everybody."""
        super().check_permissions(request)  # type: ignore[misc]
        user: Any = request.user
        if not isinstance(user, KeyHolder) and not user.has_perm(self.permission):
            raise Problem(403, "forbidden", "Not allowed", "People need the right to change them.")


class RoleSerializer(serializers.Serializer[Any]):
    """A role: `viewer`, `budget_owner`, `approver`, `finance`, `policy_admin`, `administrator`; `team` is a short name.

    Without a team it is for the whole company; the last three always are.
    """

    role = serializers.ChoiceField(choices=Role.choices)
    team = serializers.CharField(max_length=128, required=False, allow_null=True, allow_blank=True, default=None)

    def validate_team(self, name: str | None) -> Team | None:
        found = Team.objects.filter(slug=name).first() if name else None
        if name and found is None:
            raise serializers.ValidationError("There is no such team.")
        return found


class PersonSerializer(serializers.ModelSerializer[User]):
    """A person. `roles` have `role` and the `team`'s name ("" for the whole company)."""

    name = serializers.CharField(source="get_full_name")
    roles = serializers.SerializerMethodField()
    has_second_factor = serializers.BooleanField()

    class Meta:
        model = User
        fields = ["id", "username", "name", "email", "is_active", "last_login", "has_second_factor", "roles"]
        read_only_fields = fields

    def get_roles(self, person: User) -> list[dict[str, str]]:
        held = [Held(one.role, one.team_id) for one in person.memberships.all()]
        if person.is_superuser:
            held.append(Held(Role.ADMINISTRATOR))
        return [{"role": one["role"], "team": one["team"]} for one in as_history(set(held))]


class InviteSerializer(RoleSerializer):
    """Whom to invite."""

    email = serializers.EmailField(max_length=254)


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    """An invitation; its link is in the letter only."""

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "created_at", "expires_at"]
        read_only_fields = fields


@extend_schema_view(get=extend_schema(summary="List people", description="By name.", tags=["people"]))
class PeopleView(OfPeople, generics.ListCreateAPIView[User]):
    """All people with an account, closed ones included."""

    serializer_class = PersonSerializer
    queryset = User.objects.all()

    def get_queryset(self) -> QuerySet[User]:
        return PeopleFilter("all", "", "", "").found()

    @extend_schema(
        summary="Invite a person",
        description="An e-mail with a link goes to the address. It works once, for seven days.",
        request=InviteSerializer,
        responses={201: InvitationSerializer},
        tags=["people"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        values = checked(InviteSerializer, request)
        no_administrators_by_key(request, values["role"])
        try:
            made, _ = invite(Actor.of_request(request), values["email"], values["role"], values["team"])
        except RefusedPeople as error:
            raise refused(error) from error
        return Response(InvitationSerializer(made).data, status=status.HTTP_201_CREATED)


class RolesView(OfPeople, generics.GenericAPIView[User]):
    """The roles of one person."""

    serializer_class = RoleSerializer
    queryset = User.objects.all()

    @extend_schema(summary="Give a role", responses={200: PersonSerializer}, tags=["people"])
    def post(self, request: Request, pk: int) -> Response:
        person, values = get_object_or_404(User, pk=pk), checked(RoleSerializer, request)
        no_administrators_by_key(request, values["role"])
        try:
            membership.give_role(Actor.of_request(request), person, values["role"], values["team"])
        except RefusedPeople as error:
            raise refused(error) from error
        return self.answer(pk)

    @extend_schema(
        summary="Take a role", request=RoleSerializer, responses={200: PersonSerializer}, tags=["people"],
        parameters=[RoleSerializer],
    )  # fmt: skip
    def delete(self, request: Request, pk: int) -> Response:
        """The role stands in the query string (`?role=viewer&team=brand`) or in the body."""
        person = get_object_or_404(User, pk=pk)
        given = RoleSerializer(data=request.data or request.query_params.dict())
        given.is_valid(raise_exception=True)
        role, team = given.validated_data["role"], given.validated_data["team"]
        no_administrators_by_key(request, role)
        try:
            membership.take_role(Actor.of_request(request), person, role, team.pk if team else None)
        except RefusedPeople as error:
            raise refused(error) from error
        return self.answer(pk)

    def answer(self, pk: int) -> Response:
        person = with_second_factor(User.objects.prefetch_related("memberships")).get(pk=pk)
        return Response(PersonSerializer(person).data)


def checked(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """What was sent, valid; else 422."""
    given = kind(data=request.data)
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = given.validated_data
    return values


def refused(error: RefusedPeople) -> Problem:
    """409 for what stands in the way, 422 for a field."""
    if error.field:
        return Problem(422, "invalid", "Some values are not valid", errors={error.field: [str(error)]})
    return Problem(409, "refused", "Not possible", str(error))


def no_administrators_by_key(request: Request, role: str) -> None:
    """A key makes and unmakes no administrator: whoever finds one would have everything."""
    if isinstance(request.user, KeyHolder) and role == Role.ADMINISTRATOR:
        raise Problem(403, "forbidden", "Not allowed", "Administrators are made and unmade by people, on the page.")
