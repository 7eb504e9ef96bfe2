"""DRF's way in: bearer keys and their scopes."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from budgets.access.directory import find
from budgets.access.keys import KeyHolder

if TYPE_CHECKING:
    from rest_framework.views import APIView

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

    A signed-in person may read; to change something they need the view's `permission`, as on pages and in the admin.
    The staff flag alone only opens the admin's door. A view that names none is the administrator's.
    """

    message = "Your key or your account does not have the right that is needed here."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        reading = request.method in READ_METHODS
        user: Any = request.user
        if isinstance(user, KeyHolder):
            needed = getattr(view, "required_scope", "admin")
            if reading:
                needed = getattr(view, "read_scope", needed)
            return needed in user.scopes or ("admin" in user.scopes and needed == "read")
        if not (user and user.is_authenticated):
            return False
        return bool(reading or user.has_perm(getattr(view, "permission", "")))


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema says it."""

    target_class = "budgets.access.drf.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key made by `manage.py create_api_key`."}
