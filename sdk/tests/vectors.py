"""Reads the decision's test vectors, as their README says."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import tokenops_sdk

FOLDER = Path(tokenops_sdk.__file__).parent / "vectors"


def merged(target: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


@cache
def _base(name: str) -> str:
    return (FOLDER / "bundles" / f"{name}.json").read_text()


def document(said: str | dict[str, Any]) -> dict[str, Any]:
    """The bundle's document that a vector names."""
    if isinstance(said, str):
        return json.loads(_base(said))
    return merged(json.loads(_base(said["base"])), said["patch"])


def vectors() -> list[dict[str, Any]]:
    """All of them, each with the file's name as `file`."""
    return [
        {"file": path.stem, **one} for path in sorted(FOLDER.glob("*.json")) for one in json.loads(path.read_text())
    ]
