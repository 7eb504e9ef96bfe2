"""The JSON Schemas of what is exchanged with gateways and senders, public, as docs/schemas has them."""

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.views.decorators.http import condition, require_safe

FOLDER = Path(settings.BASE_DIR) / "docs" / "schemas"
MEDIA_TYPE = "application/schema+json"


@cache
def schemas() -> dict[str, bytes]:
    """Name (`event-v1`) → the document. Read once: they change with the program only."""
    return {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.json"))}


@require_safe
def schema_list(request: HttpRequest) -> HttpResponseBase:
    """`/schemas/`: every schema's name and address."""
    return JsonResponse(
        {name: request.build_absolute_uri(reverse("schema-document", args=[name])) for name in schemas()}
    )


def etag_of(request: HttpRequest, name: str) -> str | None:
    body = schemas().get(name)
    return f'"{hashlib.sha256(body).hexdigest()}"' if body is not None else None


@require_safe
@condition(etag_func=etag_of)
def schema_document(request: HttpRequest, name: str) -> HttpResponseBase:
    """`/schemas/NAME.json`."""
    body = schemas().get(name)
    if body is None:
        raise Http404("There is no such schema.")
    return HttpResponse(body, content_type=MEDIA_TYPE, headers={"Cache-Control": "public, max-age=3600"})
