"""The API page: how to send usage, and every address of the API, made on the server from the schema itself.

Swagger UI and Redoc need inline styles and scripts; this page needs neither, works offline and in the product's look.
"""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from budgets.models import Organisation
from budgets.pages.door import signed_in

VERBS = ("get", "post", "put", "patch", "delete")


@require_safe
@signed_in
def reference(request: HttpRequest) -> HttpResponseBase:
    """`/api/`."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return render(
        request,
        "reference/page.html",
        {
            "here": "reference",
            "organisation": Organisation.get(),
            "groups": groups(schema),
            "host": request.build_absolute_uri("/").rstrip("/"),
        },
    )


def groups(schema: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Operations by tag, each with its parameters, body and answers."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, item in schema.get("paths", {}).items():
        for verb in VERBS:
            if verb in item:
                one = item[verb]
                found.setdefault((one.get("tags") or ["other"])[0], []).append(_operation(path, verb, one))
    return sorted(found.items())


def _operation(path: str, verb: str, one: dict[str, Any]) -> dict[str, Any]:
    text = (one.get("summary") or one.get("description") or "").strip()
    lead, _, rest = text.partition("\n\n")
    return {
        "verb": verb.upper(),
        "path": path,
        "lead": " ".join(lead.split()),
        "text": " ".join((rest if one.get("summary") is None else one.get("description", "")).split()),
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "required": parameter.get("required", False),
                "text": parameter.get("description", ""),
            }
            for parameter in one.get("parameters", [])
        ],
        "takes": sorted(one.get("requestBody", {}).get("content", {})),
        "answers": [(code, answer.get("description", "")) for code, answer in one.get("responses", {}).items()],
    }
