"""DRF's way in: bearer keys and their scopes."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from budgets.access.directory import find
from budgets.access.keys import KeyHolder
from budgets.access.reachable import reachable, teams_of
from budgets.access.roles import FOR_A_TEAM, NOTHING, VIEW, Reach, may, reach

if TYPE_CHECKING:
    from rest_framework.views import APIView

WHOLE_COMPANY = "This is about the whole company; your key or your account is limited to teams."
READ_METHODS = {"GET", "HEAD", "OPTIONS"}


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY`."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, None] | None:
        # Not DRF's `get_authorization_header`, which fails on letters beyond Latin-1.
        scheme, _, bearer = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        holder = find(bearer.strip())
        if holder is None:
            raise AuthenticationFailed("This key is unknown, expired or revoked.")
        return holder, None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="TokenOps"'


class Scoped(BasePermission):
    """A key needs the view's `required_scope` (for reading, `read_scope` where the view names one).

    A signed-in person needs a role to read (or the view's `read_permission`, where it names one), and the view's
    `permission` to change something, as on pages. The staff flag alone only opens the admin's door. A view that names
    none is the administrator's.
    Whoever is limited to teams, person or key, comes only to views with `narrowed = True`: these fetch what they show
    and change by `budgets.access.reachable`. All others are about the whole company.
    """

    message = "Your key or your account does not have the right that is needed here."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        reading = request.method in READ_METHODS
        user: Any = request.user
        if isinstance(user, KeyHolder):
            needed = getattr(view, "required_scope", "admin")
            if reading:
                needed = getattr(view, "read_scope", needed)
            found = limits_of(user, view, reading)
            if not (needed in user.scopes or ("admin" in user.scopes and needed == "read")):
                return False
        elif not (user and user.is_authenticated):
            return False
        else:
            found = reach(user, getattr(view, "read_permission", VIEW) if reading else getattr(view, "permission", ""))
        if found and not found.everything and not getattr(view, "narrowed", False):
            self.message = WHOLE_COMPANY
            return False
        return bool(found)

    def has_object_permission(self, request: Request, view: "APIView", obj: Any) -> bool:
        """Whoever changes something needs the permission for its team; what is out of sight was not found before."""
        user: Any = request.user
        if request.method in READ_METHODS:
            return True
        if isinstance(user, KeyHolder):
            return limits_of(user, view, reading=False).has(teams_of(obj))
        return may(user, getattr(view, "permission", ""), obj)


def limits_of(key: KeyHolder, view: "APIView", reading: bool) -> Reach:
    """Of which teams a key may do what a view does, whatever its scopes: what no team has is not for a limited key."""
    permission = "" if reading else getattr(view, "permission", "")
    if key.teams and permission and permission not in FOR_A_TEAM:
        return NOTHING
    return Reach(not key.teams, key.teams)


class InReach:
    """For generic views: what they list and fetch is what the caller reaches; the rest is 404."""

    narrowed = True

    def filter_queryset(self, queryset: Any) -> Any:
        return reachable(super().filter_queryset(queryset), self.request.user)  # type: ignore[misc, attr-defined]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema says it."""

    target_class = "budgets.access.drf.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key made by `manage.py create_api_key`."}
