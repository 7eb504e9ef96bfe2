"""The levers, in the order in which they may be pulled. A file in this folder that has a `LEVER` is one of them."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from reports.savings.lever import Lever

LEVERS: tuple[Lever, ...] = tuple(
    sorted((import_module(f"{__name__}.{one.name}").LEVER for one in iter_modules(__path__)), key=lambda one: one.place)
)
BY_KEY: Mapping[str, Lever] = {one.key: one for one in LEVERS}
