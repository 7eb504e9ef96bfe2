"""The tables of this floor."""

__all__: list[str] = []
