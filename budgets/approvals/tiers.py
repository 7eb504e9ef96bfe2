"""What tiers there are. They live on a floor above, which says so here; budgets only speak of them."""

from collections.abc import Callable, Mapping

FIRST = {1: "Economy", 2: "Standard", 3: "Premium"}  # of a fresh installation

_known: Callable[[], Mapping[int, str]] | None = None


def tell_tiers(known: Callable[[], Mapping[int, str]]) -> None:
    """Ask `known` for the tiers from here on: number → name, as they are now."""
    global _known
    _known = known


def tier_names() -> Mapping[int, str]:
    """Number → name of every tier there is."""
    return _known() if _known is not None else FIRST


def models_of(tier: int | None, names: Mapping[int, str] | None = None) -> str:
    """ "Premium models"; a number where the tier is gone. `names`: the tiers, where they were read already."""
    name = (tier_names() if names is None else names).get(tier or 0)
    return f"{name} models" if name else f"Models of tier {tier}"
