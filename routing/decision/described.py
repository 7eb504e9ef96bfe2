"""The decision's JSON Schema in OpenAPI 3.0's older dialect, so that both descriptions are one. Pure."""

from collections.abc import Mapping
from typing import Any

NULL = {"type": "null"}


def in_openapi(schema: Any, defs: Mapping[str, Any]) -> Any:
    """The same without `$ref` into `defs`, `const` and the type null."""
    if isinstance(schema, list):
        return [in_openapi(one, defs) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return in_openapi(defs[schema["$ref"].rpartition("/")[2]], defs)
    found = {name: in_openapi(value, defs) for name, value in schema.items() if name not in ("type", "anyOf", "const")}
    kinds = schema.get("type")
    if isinstance(kinds, list):
        found |= {"type": kinds[0], "nullable": True}
    elif kinds:
        found["type"] = kinds
    if "const" in schema:
        found |= {"type": "string", "enum": [schema["const"]]}
    if None in schema.get("enum", ()):
        found |= {"type": "string", "enum": [one for one in schema["enum"] if one], "nullable": True}
    if "anyOf" in schema:
        found |= in_openapi(next(one for one in schema["anyOf"] if one != NULL), defs)
        found["nullable"] = NULL in schema["anyOf"]
    return found
