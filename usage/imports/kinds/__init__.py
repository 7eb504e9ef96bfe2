"""The kinds of imports: every module in this folder that exports `KIND`."""

import importlib
import pkgutil
from functools import cache

from usage.imports.kind import Kind


@cache
def all_kinds() -> dict[str, Kind]:
    """Key → kind; past usage first, the others by title."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    kinds = [module.KIND for module in modules if hasattr(module, "KIND")]
    return {kind.key: kind for kind in sorted(kinds, key=lambda kind: (kind.key != "usage", kind.title))}
