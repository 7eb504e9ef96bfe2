"""All figures of a scope and a window, read and computed: what pages, CSV, JSON, API and other rooms call."""

from reports.asking.scope import Scope
from reports.asking.window import Window
from reports.figures.arithmetic import Figures, compute
from reports.figures.reading import read

__all__ = ["Figures", "figures"]


def figures(scope: Scope, window: Window, before: Window | None = None) -> Figures:
    """`before`: the days that growth is measured from; without it elasticity cannot be said. See `read`."""
    return compute(read(scope, window, most=1), read(scope, before, most=1) if before else None)
