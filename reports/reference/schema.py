"""The API's description. What makes it keeps its work in the module, so that two at once spoil each other's."""

import threading
from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response

ONE_AT_A_TIME = threading.Lock()


class SchemaView(SpectacularAPIView):
    """`/api/schema/`."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with ONE_AT_A_TIME:
            answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        return answer
