"""Django admin of this floor: each room registers its own."""

from usage.ingest import admin as quarantine
from usage.prices import admin as prices

__all__ = ["prices", "quarantine"]
