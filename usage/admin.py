"""Django admin of this floor: each room registers its own."""

from usage.prices import admin as prices

__all__ = ["prices"]
