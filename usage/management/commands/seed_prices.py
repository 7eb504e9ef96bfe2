"""`manage.py seed_prices`: fill an empty price book; migrations do it too. A book that is there is left alone."""

from typing import Any

from django.core.management.base import BaseCommand

from budgets.organisation.configuration import changing_configuration
from usage.models import PriceEntry
from usage.prices.seed import package, plant


class Command(BaseCommand):
    help = "Fill the price book from the installed genai-prices where it has no seeded entry yet."

    def handle(self, *args: Any, **options: Any) -> None:
        with changing_configuration():
            written = plant(PriceEntry)
        if written:
            self.stdout.write(f"{written:,} prices from {package()}.")
        else:
            self.stdout.write(
                "The price book is seeded already. Newer prices are previewed in Django admin and the API."
            )
