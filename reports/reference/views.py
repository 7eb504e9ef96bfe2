"""The API page: how to send usage, and every address of the API, made on the server from the schema itself.

Swagger UI and Redoc need inline styles and scripts; this page needs neither, works offline and in the product's look.
"""

import re
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from budgets.models import Organisation
from budgets.pages.door import in_reach
from reports.reference.schema import ONE_AT_A_TIME

VERBS = ("get", "post", "put", "patch", "delete")
FIRST = ("usage", "bundle", "budgets", "workflows", "teams")  # what a newcomer needs first; the rest by name
CODE = re.compile(r"`([^`]+)`")


@require_safe
@in_reach
def reference(request: HttpRequest) -> HttpResponseBase:
    """`/api/`."""
    with ONE_AT_A_TIME:
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
    return sorted(found.items(), key=lambda one: (FIRST.index(one[0]) if one[0] in FIRST else len(FIRST), one[0]))


def coded(text: str) -> SafeString:
    """The schema's text on one line, escaped, its `names` in backticks as code."""
    plain_and_names = CODE.split(" ".join(text.split()))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if i % 2 else part,) for i, part in enumerate(plain_and_names))
    )


def _operation(path: str, verb: str, one: dict[str, Any]) -> dict[str, Any]:
    text = (one.get("summary") or one.get("description") or "").strip()
    lead, _, rest = text.partition("\n\n")
    return {
        "verb": verb.upper(),
        "path": path,
        "lead": coded(lead),
        "text": coded(rest if one.get("summary") is None else one.get("description", "")),
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "required": parameter.get("required", False),
                "text": coded(parameter.get("description", "")),
            }
            for parameter in one.get("parameters", [])
        ],
        "takes": sorted(one.get("requestBody", {}).get("content", {})),
        "answers": [(code, coded(answer.get("description", ""))) for code, answer in one.get("responses", {}).items()],
    }
